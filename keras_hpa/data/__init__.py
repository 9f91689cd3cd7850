"""From files to batches: sources, splits and the sequence that feeds a model."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
