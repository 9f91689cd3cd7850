"""scikit-image, an extra."""

import importlib
from typing import Any


def load(module: str) -> Any:
    """A module of scikit-image."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("Splitting cells needs scikit-image: pip install 'keras-hpa[cells]'") from error
