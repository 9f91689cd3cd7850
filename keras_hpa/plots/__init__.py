"""Figures: learning curves, channels, where a class was seen, thresholds. They need Matplotlib, an extra.

Every `plot_` function returns a `matplotlib.figure.Figure` and leaves Matplotlib's global state alone;
`figure.savefig(path)` writes it, a notebook shows it. `displayed` and `glow` give the pixels alone.
"""

from keras_hpa.plots.displayed import displayed as displayed
from keras_hpa.plots.glow import glow as glow
from keras_hpa.plots.plot_activation_maps import plot_activation_maps as plot_activation_maps
from keras_hpa.plots.plot_channels import plot_channels as plot_channels
from keras_hpa.plots.plot_learning_curves import plot_learning_curves as plot_learning_curves
from keras_hpa.plots.plot_threshold_curves import plot_threshold_curves as plot_threshold_curves
from keras_hpa.plots.plot_thresholds import plot_thresholds as plot_thresholds
