"""Callbacks: the learning rate, and a training that can be taken up again."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
