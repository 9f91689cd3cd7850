"""Single cells: found in fields, cut out of them, and put back onto them."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
