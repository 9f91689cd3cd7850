"""What a file holds, in the same words for every format, and the one rule of which pixels are intensities."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_BYTES = 2**30
"""The most bytes that an image may take once it is decoded, unless an argument says otherwise."""

SPARE_BYTES = 2**26
"""What a file may hold beside its image, and a tile beyond the image's edge."""


class Unreadable(Exception):
    """Why a file's content is refused; `read_content` adds the path."""


class ImageContent:
    """An array, a letter for each of its axes ("?" where the file does not say), and its channels' names.

    Y and X are height and width, C channels, S the components of a colour. Other letters are those of tifffile.
    """

    def __init__(self, array: npt.NDArray[Any], axes: str, names: tuple[str, ...] | None = None):
        self.array = array
        self.axes = axes
        self.names = names


@dataclass
class Declared:
    """What a file says of its pixels before any is decoded.

    Attributes:
        shape: of the array that decoding gives.
        dtype: of that array.
        bits: of a value, as far as they are used.
        meaning: "gray", "inverted" (0 is white), "palette", "RGB", or whatever else the format calls its colours.
        has_alpha: whether a component is transparency.
        orientation: 1 to 8, as EXIF and TIFF number them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    bits: int
    meaning: str = "gray"
    has_alpha: bool = False
    orientation: int = 1

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def check(self, max_bytes: int) -> None:
        """Refuses what is no image of intensities, and what is too large, before anything is decoded."""
        if self.dtype.hasobject:
            raise Unreadable("it holds Python objects, which are never loaded")
        if self.bits < 8:
            raise Unreadable(f"it has {self.bits} bits a value, not 8 or more")
        if self.dtype.kind not in "iuf" or (self.dtype.kind == "f" and self.dtype.itemsize > 8):
            raise Unreadable(f"it holds {self.dtype}, neither integers of 8 to 64 bits nor floats of 16 to 64")
        if self.has_alpha:
            raise Unreadable("it must have no transparency; a fourth channel must not be marked as such")
        if self.meaning not in ("gray", "inverted", "palette", "RGB"):
            raise Unreadable(f"its values are colours ({self.meaning}), not intensities: convert it to gray or RGB")
        if self.meaning == "inverted" and self.dtype.kind == "f":
            raise Unreadable("its 0 is white, but floats have no largest value to count from")
        if not math.prod(self.shape):
            raise Unreadable(f"it holds nothing, shape {self.shape}")
        check_bytes(self.shape, self.dtype, max_bytes)

    def intensities(self, array: npt.NDArray[Any], palette: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Gives what decoded values mean; `array` may be changed, `palette` has a row of colours for each value."""
        if self.meaning == "palette":
            return _through_palette(array, palette, 2**self.bits)
        if self.meaning == "inverted":
            return np.bitwise_xor(
                array,
                array.dtype.type(2**self.bits - 1 if array.dtype.kind == "u" else -1),
                out=array if array.flags.writeable else None,
            )
        return array

    def upright(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Turns an array that begins with height and width the right way up."""
        if self.orientation in (5, 6, 7, 8):
            array = array.swapaxes(0, 1)
        rows = -1 if self.orientation in (3, 4, 7, 8) else 1
        columns = -1 if self.orientation in (2, 3, 6, 7) else 1
        return array if rows == columns == 1 else array[::rows, ::columns]


def check_bytes(shape: tuple[int, ...], dtype: np.dtype, max_bytes: int) -> None:
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > max_bytes:
        values = " x ".join(map(str, shape))
        raise Unreadable(f"it declares {values} values, {num_bytes} bytes when decoded, more than {max_bytes}")


def _through_palette(indices: npt.NDArray[Any], palette: npt.NDArray[Any] | None, num_values: int) -> npt.NDArray[Any]:
    """A ramp over all values was put there to look at them. Any other palette says what the values are."""
    if palette is None or not len(palette):
        raise Unreadable("it has no palette")
    steps = np.diff(palette.astype(int), axis=0)
    if len(palette) >= num_values and (steps >= 0).all():
        return indices
    color = strongest_color(palette[None])
    if color is None or (len(palette) >= num_values and (steps <= 0).all()):
        raise Unreadable("its palette gives colours that are no ramp, so its values are not intensities")
    if indices.max() >= len(palette):
        raise Unreadable("it is damaged: it has values that its palette lacks")
    for row in indices:
        row[...] = palette[:, color][row]
    return indices


def strongest_color(image: npt.NDArray[Any]) -> int | None:
    """Gives the colour that holds an image of one stain, `None` if colours differ, each with light of its own."""
    import cv2

    def blocks() -> Iterator[npt.NDArray[Any]]:
        rows = max(1, 2**20 // image[0].size)
        for first in range(0, len(image), rows):
            block = np.ascontiguousarray(image[first : first + rows])
            yield block if block.dtype in (np.uint8, np.uint16) else block.astype(float)

    light = np.sum([cv2.sumElems(block)[:3] for block in blocks()], axis=0)
    strongest = int(light.argmax())
    colors = (cv2.split(block) for block in blocks())
    difference = np.sum([[cv2.norm(one, block[strongest], cv2.NORM_L1) for one in block] for block in colors], axis=0)
    return strongest if (np.minimum(light, difference) <= 0.1 * light.max()).all() else None


def exif_orientation(exif: bytes) -> int:
    """Reads the orientation out of a block of EXIF; 1, upright, where there is none or the block is damaged."""
    order = "<" if exif.startswith(b"II") else ">"
    try:
        (first,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, first)
        for position in range(first + 2, first + 2 + 12 * count, 12):
            code, _, _, value = struct.unpack_from(order + "HHIH", exif, position)
            if code == 274:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1
