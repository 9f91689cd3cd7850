"""The run report: one HTML file that shows how a training went, to send on. It needs an extra, `keras-hpa[report]`."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
