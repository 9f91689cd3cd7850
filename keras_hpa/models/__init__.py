"""Networks for images of any number of channels, and which of their layers learn."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
