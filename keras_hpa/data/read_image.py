"""One image file to one array of one channel."""

import os

import numpy as np
import numpy.typing as npt

from keras_hpa.data.image_content import MAX_BYTES, ImageContent, Unreadable, strongest_color
from keras_hpa.data.read_content import read_content


def read_image(
    path: str | os.PathLike[str], *, max_bytes: int = MAX_BYTES, root: str | os.PathLike[str] | None = None
) -> npt.NDArray:
    """Reads an image file of one channel: PNG, JPEG, TIFF (also gzipped), or NPY.

    Values are the file's own: nothing is rescaled. Where 0 is white they are counted from the other end, and an
    orientation, in EXIF or TIFF, is applied. Colour stands for one channel in two cases only, and is an error
    otherwise. A palette that is a ramp over all values is dropped, and one that gives shades of a single colour is
    applied. Of three colours the strongest one is taken if each of the others holds at most a tenth of its light or
    equals it to a tenth: so the website of the Human Protein Atlas writes its channels, each in a colour of its own,
    yellow as equal red and green.

    Args:
        path: a file whose name says what it holds; what says one thing and holds another is refused.
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
    return read_content(path, root, max_bytes, _to_one_channel)


def _to_one_channel(content: ImageContent) -> npt.NDArray:
    array = content.array
    if sorted(content.axes) == ["S", "X", "Y"] and array.dtype.kind == "u":
        array = np.moveaxis(array, content.axes.index("S"), -1)
        color = strongest_color(array) if array.shape[2] == 3 else None
        if color is None:
            raise Unreadable("it must hold one channel, but its colours differ, each with light of its own")
        array = array[..., color]
    elif content.axes != "YX":
        known = f" with axes {content.axes}" if set(content.axes) != {"?"} else ""
        raise Unreadable(f"it must hold one channel, but has shape {array.shape}{known}")
    return np.ascontiguousarray(array)
