"""One image file to one array, in the file's own data type."""

import gzip
import io
import math
import os
import stat
import struct
import threading
import zlib
from collections.abc import Callable
from typing import TypeVar
from xml.etree import ElementTree

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from kornia_rs import io as kornia

_T = TypeVar("_T")

MAX_PIXELS = 2**28
"""The largest image that is decoded, in values: 16,384 x 16,384 of one channel."""

MAX_BYTES = 2**31
"""The largest file that is read, and the most that a compressed file may grow to."""


def read_image(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> npt.NDArray:
    """Reads an image file of one channel: PNG, JPEG, TIFF (also gzipped), or NPY.

    Values are the file's own: nothing is rescaled. Colour stands for one channel in two cases only, and is an error
    otherwise. A TIFF's palette, if it is a ramp that never falls, is dropped. Of three colours the strongest one is
    taken if each of the others holds at most a tenth of its light or equals it to a tenth: so the website of the Human
    Protein Atlas writes its channels, each in a colour of its own, yellow as equal red and green.

    Args:
        path: a file whose name says what it holds; what says one thing and holds another is refused.
        max_pixels: an image that declares more values is refused before it is decoded.

    Returns:
        An array of shape `(height, width)`: integers of 8 bits or more, or finite floats.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be decoded whole, has several channels, pages or time points, is too large, or
            holds NaN or infinity. The message names the path.
    """
    return _read(path, max_pixels, None, _to_one_channel)


def read_stack(
    path: str | os.PathLike[str], *, axes: str | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[npt.NDArray, tuple[str, ...] | None]:
    """Reads an image file of several channels: TIFF (OME-TIFF, also gzipped), NPY, or a colour PNG or JPEG.

    Args:
        path: a file whose name says what it holds.
        axes: what the axes of the file are, such as "CYX" or "YXC"; read from the file unless given. A file that does
            not say takes its smallest axis for the channels, if there is one axis more than two and one is smallest.
        max_pixels: an image that declares more values is refused before it is decoded.

    Returns:
        An array of shape `(height, width, channels)`, and the channels' names if the file has them.

    Raises:
        FileNotFoundError, ValueError: as `read_image`; and if the axes are not one of height, of width, and of
            channels.
    """
    return _read(path, max_pixels, axes, _to_channels_last)


class _Unreadable(Exception):
    """Why a file's content is refused; `_read` adds the path."""


class _Content:
    """What a file holds: an array, what its axes are as far as the file says, and its channels' names."""

    def __init__(self, array: npt.NDArray, axes: str | None, names: tuple[str, ...] | None = None):
        self.array = array
        self.axes = axes
        self.names = names


def _read(
    path: str | os.PathLike[str], max_pixels: int, axes: str | None, arrange: Callable[[_Content, str | None], _T]
) -> _T:
    text = os.fspath(path)
    suffixes = [suffix for suffix in _READERS if text.lower().endswith(suffix)]
    if not suffixes:
        raise ValueError(f"`path` must end in one of {', '.join(_READERS)}. Received: {text!r}")
    try:
        content = _READERS[suffixes[0]](_read_bytes(text), max_pixels)
        if content.array.dtype.kind not in "iuf":
            raise _Unreadable(f"it holds {content.array.dtype}, neither integers of 8 bits or more nor floats")
        if not content.array.size:
            raise _Unreadable(f"it holds nothing, shape {content.array.shape}")
        if content.array.dtype.kind == "f" and not np.isfinite(content.array).all():
            raise _Unreadable("it holds NaN or infinity")
        return arrange(content, axes)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {text!r}") from None
    except OSError as error:
        raise ValueError(f"Cannot read {text!r}: {error.strerror or error}") from None
    except _Unreadable as error:
        raise ValueError(f"Cannot read {text!r}: {error}") from error.__cause__


def _read_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise _Unreadable("it is not a file")
        if status.st_size > MAX_BYTES:
            raise _Unreadable(f"it has {status.st_size} bytes, more than {MAX_BYTES}")
        content = file.read()
    if not content:
        raise _Unreadable("it is empty")
    return content


def _check_count(shape: tuple[int, ...], max_pixels: int) -> None:
    if math.prod(shape) > max_pixels:
        raise _Unreadable(f"it declares {' x '.join(map(str, shape))} values, more than {max_pixels} in all")


def _check_kind(content: bytes, wanted: str) -> None:
    kind = next((kind for start, kind in _SIGNATURES.items() if content.startswith(start)), None)
    if kind != wanted:
        raise _Unreadable(f"it is not a {wanted}, whatever its name says, but {kind or 'nothing known'}")


# PNG. Decoding it is most of the work of training on it, and no decoder is best: kornia's takes less than half the time
# of any other but holds the interpreter's lock meanwhile. So one thread at a time uses it, and the others libpng, which
# does not hold the lock. Both give the same values.

_PNG_HEADER = struct.Struct(">8sI4sIIBBBBB")
_PNG_COMPONENTS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_one_at_a_time = threading.Lock()


def _read_png(content: bytes, max_pixels: int) -> _Content:
    _check_kind(content, "PNG")
    if len(content) < _PNG_HEADER.size:
        raise _Unreadable("it is truncated")
    _, _, chunk, width, height, depth, color, *_ = _PNG_HEADER.unpack_from(content)
    if chunk != b"IHDR" or not width or not height or color not in _PNG_COMPONENTS:
        raise _Unreadable("its header is damaged")
    _check_count((height, width, _PNG_COMPONENTS[color]), max_pixels)
    if color > 3 or depth not in (8, 16):
        raise _Unreadable(f"it must have 8 or 16 bits and no transparency, but has {depth} bits, colour type {color}")
    _check_chunks(content)
    if color:
        return _Content(_decode_with_opencv(content, (height, width, 3)), "YXS")
    if depth == 8 and _one_at_a_time.acquire(blocking=False):
        try:
            return _Content(kornia.decode_image_png_u8(content, (height, width), "mono")[..., 0], "YX")
        except Exception:  # libpng has the last word, so that it does not matter which thread came first
            pass
        finally:
            _one_at_a_time.release()
    try:
        image = imagecodecs.png_decode(content)
    except Exception as error:
        raise _Unreadable(f"it is damaged ({error})") from error
    if image.shape != (height, width):
        raise _Unreadable(f"it decodes to shape {image.shape}, which its header does not declare")
    return _Content(image, "YX")


def _check_chunks(content: bytes) -> None:
    """Decoders are lenient in different ways; what is cut off or altered is refused whoever decodes it."""
    position, kind = 8, b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise _Unreadable("it is truncated")
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + length
        if end + 4 > len(content):
            raise _Unreadable("it is truncated")
        if zlib.crc32(memoryview(content)[position + 4 : end]) != int.from_bytes(content[end : end + 4], "big"):
            raise _Unreadable(f"its chunk {kind!r} is damaged")
        if kind == b"tRNS":
            raise _Unreadable("it must have no transparency")
        position = end + 4


def _decode_with_opencv(content: bytes, shape: tuple[int, ...]) -> npt.NDArray:
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise _Unreadable(f"it is damaged ({error})") from error
    if image is None or image.shape != shape:
        raise _Unreadable("it is truncated or damaged")
    return image[..., ::-1] if image.ndim == 3 else image


# JPEG, by OpenCV: of the decoders that were tried, the one that refuses a truncated file; the others fill it up.

_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _read_jpeg(content: bytes, max_pixels: int) -> _Content:
    _check_kind(content, "JPEG")
    position = 2
    while True:
        if position + 10 > len(content) or content[position] != 0xFF:
            raise _Unreadable("its header is damaged")
        marker = content[position + 1]
        if marker in _JPEG_FRAMES:
            break
        # A fill byte stands alone; every other marker that may stand before a frame has a length.
        position += 1 if marker == 0xFF else 2 + int.from_bytes(content[position + 2 : position + 4], "big")
    height, width, components = struct.unpack_from(">HHB", content, position + 5)
    if components not in (1, 3) or not height or not width:
        raise _Unreadable(f"it declares {height} x {width} pixels of {components} components, not 1 or 3")
    _check_count((height, width, components), max_pixels)
    shape = (height, width) if components == 1 else (height, width, components)
    return _Content(_decode_with_opencv(content, shape), "YX" if components == 1 else "YXS")


# TIFF, by tifffile, which knows every kind that microscopes write.


def _read_tiff(content: bytes, max_pixels: int) -> _Content:
    _check_kind(content, "TIFF")
    _check_pages_end(content)
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            if not file.series:
                raise _Unreadable("it has no pages")
            series = file.series[0]
            _check_count(series.shape, max_pixels)
            pages = [page for page in series.pages if page is not None]
            for page in pages:
                _check_segments(page, len(content))
            if len(pages) == 1 and getattr(pages[0], "colormap", None) is not None:
                _check_ramp(pages[0].colormap)
            array = series.asarray()
            names = _channel_names(file.ome_metadata) if file.is_ome else None
            axes = series.axes
    except _Unreadable:
        raise
    except Exception as error:  # tifffile and its codecs raise what comes: struct.error, IndexError, their own, ...
        raise _Unreadable(f"it is damaged ({type(error).__name__}: {error})") from error
    if array.shape != series.shape:
        raise _Unreadable(f"it decodes to shape {array.shape}, but declares {series.shape}")
    keep = [length != 1 or name in "YX" for name, length in zip(axes, array.shape, strict=True)]
    array = array.reshape([length for length, kept in zip(array.shape, keep, strict=True) if kept])
    axes = "".join(name for name, kept in zip(axes, keep, strict=True) if kept)
    return _Content(array.astype(array.dtype.newbyteorder("="), copy=False), axes, names)


def _check_pages_end(content: bytes) -> None:
    """Walks from page to page, each of which says where the next one lies."""
    order = "<" if content.startswith(b"II") else ">"
    is_big = content[2:4] in (b"+\0", b"\0+")
    offset_type, count_type, entry_size = (order + "Q", order + "Q", 20) if is_big else (order + "I", order + "H", 12)
    seen = set()
    try:
        (page,) = struct.unpack_from(offset_type, content, 8 if is_big else 4)
        while page:
            if page in seen:
                raise _Unreadable("its pages loop")
            seen.add(page)
            (count,) = struct.unpack_from(count_type, content, page)
            (page,) = struct.unpack_from(offset_type, content, page + struct.calcsize(count_type) + count * entry_size)
    except (struct.error, OverflowError):
        raise _Unreadable("it is truncated") from None


def _check_segments(page: tifffile.TiffPage | tifffile.TiffFrame, size: int) -> None:
    """A strip or tile that is not there would be read as zeros."""
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count <= 0 or offset + count > size:
            raise _Unreadable("it is truncated")


def _check_ramp(colormap: npt.NDArray) -> None:
    if (np.diff(colormap.astype(int), axis=1) < 0).any():
        raise _Unreadable("its palette gives colours that are no ramp, so its values are not intensities")


def _channel_names(ome: str | None) -> tuple[str, ...] | None:
    if ome is None or "<!DOCTYPE" in ome or "<!ENTITY" in ome:
        return None
    image = next((node for node in ElementTree.fromstring(ome) if node.tag.endswith("}Image")), None)
    channels = [] if image is None else [node for node in image.iter() if node.tag.endswith("}Channel")]
    names = tuple(node.get("Name", "") for node in channels)
    return names if names and all(names) and len(set(names)) == len(names) else None


def _read_gzipped_tiff(content: bytes, max_pixels: int) -> _Content:
    _check_kind(content, "gzip file")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            unpacked = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise _Unreadable(f"it is damaged ({error})") from error
    if len(unpacked) > MAX_BYTES:
        raise _Unreadable(f"it unpacks to more than {MAX_BYTES} bytes")
    return _read_tiff(unpacked, max_pixels)


def _read_npy(content: bytes, max_pixels: int) -> _Content:
    _check_kind(content, "NPY")
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read_header[version](file)
        _check_count(shape, max_pixels)
        if dtype.hasobject:
            raise _Unreadable("it holds Python objects, which are never loaded")
        if file.tell() + math.prod(shape) * dtype.itemsize != len(content):
            raise _Unreadable("it has not as many bytes as its header declares")
        file.seek(0)
        array = np.load(file, allow_pickle=False)
    except _Unreadable:
        raise
    except Exception as error:
        raise _Unreadable(f"its header is damaged ({error})") from error
    return _Content(array.astype(array.dtype.newbyteorder("="), copy=False), "YX" if array.ndim == 2 else None)


def _to_one_channel(content: _Content, axes: str | None) -> npt.NDArray:
    array = content.array
    if content.axes == "YX":
        return array
    if content.axes == "YXS" and array.shape[2] == 3 and array.dtype.kind == "u":
        return _to_strongest_color(array)
    raise _Unreadable(
        f"it must hold one channel, but has shape {array.shape}"
        + (f" with axes {content.axes}" if content.axes else "")
    )


def _to_strongest_color(image: npt.NDArray) -> npt.NDArray:
    light = image.sum(axis=(0, 1), dtype=float)
    strongest = image[..., int(light.argmax())]
    for color in range(3):
        difference = np.abs(image[..., color].astype(float) - strongest).sum()
        if min(light[color], difference) > 0.1 * light.max():
            raise _Unreadable("it must hold one channel, but its colours differ, each with light of its own")
    return np.ascontiguousarray(strongest)


def _to_channels_last(content: _Content, axes: str | None) -> tuple[npt.NDArray, tuple[str, ...] | None]:
    array = content.array
    axes = axes or content.axes
    if axes is None and array.ndim == 3 and sorted(array.shape)[0] < sorted(array.shape)[1]:
        axes = "".join("C" if length == min(array.shape) else "?" for length in array.shape).replace("?", "Y", 1)
        axes = axes.replace("?", "X")
    axes = (axes or "").upper()
    if axes in ("YX", "XY"):
        axes, array = axes + "C", array[..., None]
    if len(axes) != array.ndim:
        raise _Unreadable(f"its axes are not {axes or 'known'}: it has shape {array.shape}; give `axes`")
    others = set(axes) - set("YX")
    if len(axes) != 3 or len(others) != 1 or not (set("YX") < set(axes)) or others <= set("ZT"):
        raise _Unreadable(f"its axes must be height, width and channels, but are {axes}, shape {array.shape}")
    last = array.transpose(axes.index("Y"), axes.index("X"), axes.index(others.pop()))
    names = content.names if content.names is not None and len(content.names) == last.shape[2] else None
    return np.ascontiguousarray(last), names


_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\x93NUMPY": "NPY",
    b"\x1f\x8b": "gzip file",
    b"GIF8": "GIF",
    b"BM": "BMP",
}

_READERS: dict[str, Callable[[bytes, int], _Content]] = {
    ".tif.gz": _read_gzipped_tiff,
    ".tiff.gz": _read_gzipped_tiff,
    ".png": _read_png,
    ".jpg": _read_jpeg,
    ".jpeg": _read_jpeg,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
    ".npy": _read_npy,
}
