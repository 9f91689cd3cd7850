"""What scores are worth, which of two models is better, and how sure that is."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
