from .class_activation_maps import View as View
from .class_activation_maps import class_activation_maps as class_activation_maps
from .feature_grid import enlarge as enlarge
