"""Figures: learning curves, channels, where a class was seen, thresholds. They need Matplotlib, an extra.

Every `plot_` function returns a `matplotlib.figure.Figure` and leaves Matplotlib's global state alone;
`figure.savefig(path)` writes it, a notebook shows it. `displayed` and `glow` give the pixels alone.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
