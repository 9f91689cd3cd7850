"""Where in an image a model saw a class."""

from keras_hpa.explanation.class_activation_maps import View as View
from keras_hpa.explanation.class_activation_maps import class_activation_maps as class_activation_maps
from keras_hpa.explanation.feature_grid import enlarge as enlarge
