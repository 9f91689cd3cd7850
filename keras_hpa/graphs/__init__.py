"""Reading and rebuilding functional models: more channels, fewer operations."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)

import keras  # noqa: E402, F401 - once names can be asked for: with Keras come all registered classes
