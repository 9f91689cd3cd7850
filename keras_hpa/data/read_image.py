"""From the path of an image file to what it holds, and to one array of one channel."""

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from keras_hpa.data.byte_order import to_native
from keras_hpa.data.image_content import MAX_BYTES, ImageContent, Unreadable, strongest_color
from keras_hpa.data.image_file import open_file
from keras_hpa.data.jpeg import read_jpeg
from keras_hpa.data.npy import read_npy
from keras_hpa.data.png import read_png
from keras_hpa.data.projections import planes_of, project_content
from keras_hpa.data.tiff import read_gzipped_tiff, read_tiff

_T = TypeVar("_T")

_TIFFS = {".tif.gz": read_gzipped_tiff, ".tiff.gz": read_gzipped_tiff, ".tif": read_tiff, ".tiff": read_tiff}
_READERS: dict[str, Callable[[BinaryIO, int], ImageContent]] = {
    ".png": read_png,
    ".jpg": read_jpeg,
    ".jpeg": read_jpeg,
    ".npy": read_npy,
}


def read_image(
    path: str | os.PathLike[str],
    *,
    project: Mapping[str, str | int] | None = None,
    scene: int | str | None = None,
    max_bytes: int = MAX_BYTES,
    root: str | os.PathLike[str] | None = None,
) -> npt.NDArray[Any]:
    """Reads an image file of one channel: PNG, JPEG, TIFF (also gzipped), or NPY.

    Values are the file's own: nothing is rescaled. Where 0 is white they are counted from the other end, and an
    orientation, in EXIF or TIFF, is applied. Colour stands for one channel in two cases only, and is an error
    otherwise. A palette that is a ramp over all values is dropped, and one that gives shades of a single colour is
    applied. Of three colours the strongest one is taken if each of the others holds at most a tenth of its light or
    equals it to a tenth: so the website of the Human Protein Atlas writes its channels, each in a colour of its own,
    yellow as equal red and green.

    Args:
        path: a file whose name says what it holds; what says one thing and holds another is refused.
        project: how a stack becomes an image, as `read_stack` takes it.
        scene: which image of a file that holds several, as `read_stack` takes it.
        max_bytes: an image that would take more when decoded is refused before it is.
        root: a folder that the file must lie below, links included.

    Returns:
        An array of shape `(height, width)`: integers of 8 bits or more, or finite floats.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be decoded whole; has several channels, pages or time points; is too large;
            has transparency or colours such as CMYK; or holds NaN or infinity. The message names the path.

    Example:
        >>> import os, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> np.save(os.path.join(folder.name, "a.npy"), np.array([[0, 4095]], "uint16"))
        >>> read_image(os.path.join(folder.name, "a.npy"))
        array([[   0, 4095]], dtype=uint16)
        >>> folder.cleanup()
    """
    return read_content(
        path, root, max_bytes, lambda content: _to_one_channel(project_content(content, project)), scene
    )


def read_planes(
    path: str | os.PathLike[str],
    axis: str,
    *,
    project: Mapping[str, str | int] | None,
    scene: int | str | None,
    max_bytes: int,
    root: str | os.PathLike[str] | None,
) -> npt.NDArray[Any]:
    """Reads the planes along an axis of a file of one channel, as `read_image` reads one: `(planes, height, width)`."""

    def arrange(content: ImageContent) -> npt.NDArray[Any]:
        return np.stack([_to_one_channel(plane) for plane in planes_of(content, axis, project)])

    return read_content(path, root, max_bytes, arrange, scene)


def _to_one_channel(content: ImageContent) -> npt.NDArray[Any]:
    array = content.array
    if sorted(content.axes) == ["S", "X", "Y"] and array.dtype.kind == "u":
        array = np.moveaxis(array, content.axes.index("S"), -1)
        color = strongest_color(array) if array.shape[2] == 3 else None
        if color is None:
            raise Unreadable("it must hold one channel, but its colours differ, each with light of its own")
        array = array[..., color]
    elif content.axes != "YX":
        known = f" with axes {content.axes}" if set(content.axes) != {"?"} else ""
        stacked = next((axis for axis in content.axes if axis in "ZT"), None)
        way = f"; `project={{{stacked!r}: 'max'}}` makes an image of a stack" if stacked else ""
        raise Unreadable(f"it must hold one channel, but has shape {array.shape}{known}{way}")
    return np.ascontiguousarray(array)


def read_content(
    path: str | os.PathLike[str],
    root: str | os.PathLike[str] | None,
    max_bytes: int,
    arrange: Callable[[ImageContent], _T],
    scene: int | str | None = None,
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
                content = _TIFFS[suffix](file, max_bytes, name, partial(_open_beside, folder, below), scene)
            else:
                if scene not in (None, 0):
                    raise Unreadable(f"it holds one image, and `scene` is {scene!r}")
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
