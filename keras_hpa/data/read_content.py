"""From a path to what its file holds."""

import os
from collections.abc import Callable
from functools import partial
from typing import BinaryIO, TypeVar

import numpy as np

from keras_hpa.data.byte_order import to_native
from keras_hpa.data.image_content import ImageContent, Unreadable
from keras_hpa.data.image_file import open_file
from keras_hpa.data.jpeg import read_jpeg
from keras_hpa.data.npy import read_npy
from keras_hpa.data.png import read_png
from keras_hpa.data.tiff import read_gzipped_tiff, read_tiff

_T = TypeVar("_T")

_TIFFS = {".tif.gz": read_gzipped_tiff, ".tiff.gz": read_gzipped_tiff, ".tif": read_tiff, ".tiff": read_tiff}
_READERS: dict[str, Callable[[BinaryIO, int], ImageContent]] = {
    ".png": read_png,
    ".jpg": read_jpeg,
    ".jpeg": read_jpeg,
    ".npy": read_npy,
}


def read_content(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None,
    max_bytes: int,
    arrange: Callable[[ImageContent], _T],
) -> _T:
    """Reads a file and gives what `arrange` makes of its content; every error names the path."""
    text = os.fspath(path)
    below = None if root is None else os.fspath(root)
    suffix = next((suffix for suffix in (*_TIFFS, *_READERS) if text.lower().endswith(suffix)), None)
    if suffix is None:
        raise ValueError(f"`path` must end in one of {', '.join((*_READERS, *_TIFFS))}. Received: {text!r}")
    if isinstance(max_bytes, bool) or not isinstance(max_bytes, int | np.integer) or max_bytes < 1:
        raise ValueError(f"`max_bytes` must be a whole number of 1 or more. Received: {max_bytes!r}")
    folder, name = os.path.split(text)
    try:
        with open_file(text, below) as file:
            if suffix in _TIFFS:
                content = _TIFFS[suffix](file, max_bytes, name, partial(_open_beside, folder, below))
            else:
                content = _READERS[suffix](file, max_bytes)
        content.array = to_native(content.array)
        if content.array.dtype.kind == "f" and not np.isfinite(content.array).all():
            raise Unreadable("it holds NaN or infinity")
        return arrange(content)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {text!r}") from None
    except OSError as error:
        raise ValueError(f"Cannot read {text!r}: {error.strerror or error}") from None
    except Unreadable as error:
        raise ValueError(f"Cannot read {text!r}: {error}") from error.__cause__


def _open_beside(folder: str, root: str | None, name: str) -> BinaryIO:
    return open_file(os.path.join(folder, name), root)
