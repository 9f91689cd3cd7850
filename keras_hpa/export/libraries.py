"""Packages of extras, imported when they are needed."""

import importlib
from typing import Any


def load(function: str, extra: str, *names: str) -> list[Any]:
    """Imports modules.

    Raises:
        ImportError: if one is missing, with what to install.
    """
    try:
        return [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ImportError(
            f'`export.{function}` needs {", ".join(names)}: pip install "keras-hpa[{extra}]". Received: {error}'
        ) from error
