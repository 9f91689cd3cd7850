from .displayed import displayed as displayed
from .glow import glow as glow
from .plot_activation_maps import plot_activation_maps as plot_activation_maps
from .plot_channels import plot_channels as plot_channels
from .plot_embedding import plot_embedding as plot_embedding
from .plot_learning_curves import plot_learning_curves as plot_learning_curves
from .plot_threshold_curves import plot_threshold_curves as plot_threshold_curves
from .plot_thresholds import plot_thresholds as plot_thresholds
