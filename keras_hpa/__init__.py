"""Keras 3 components for multi-channel, multi-label fluorescence microscopy."""

from lazy_loader import attach_stub

from keras_hpa.registration import register_classes

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

__version__ = "0.2.0"

register_classes()
