"""PNG. Decoding it is most of the work of training on it.

kornia's decoder takes less than half the time of any other, but holds the interpreter's lock meanwhile. In processes,
which is how a sequence reads files, it is all that is needed. Where threads read, as those that build a pack, one at a
time uses it and the others libpng, which does not hold the lock; it reads 16 bits too. Both give the same values.
"""

import struct
import threading
import zlib
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from keras_hpa.data.image_content import Declared, ImageContent, Unreadable, exif_orientation
from keras_hpa.data.image_file import check_signature, check_size

_START = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">8sI4sIIBBBBB")
_COMPONENTS = {0: (), 2: (3,), 3: (), 4: (2,), 6: (4,)}
_one_at_a_time = threading.Lock()


def read_png(file: BinaryIO, max_bytes: int) -> ImageContent:
    size = check_signature(file, "PNG")
    file.seek(0)
    start = file.read(_HEADER.size)
    if len(start) < _HEADER.size:
        raise Unreadable("it is truncated")
    _, _, kind, width, height, depth, color, *_ = _HEADER.unpack(start)
    if kind != b"IHDR" or not width or not height or color not in _COMPONENTS or depth not in (1, 2, 4, 8, 16):
        raise Unreadable("its header is damaged")
    meaning = {2: "RGB", 3: "palette", 6: "RGB"}.get(color, "gray")
    dtype = np.dtype(np.uint16 if depth == 16 else np.uint8)
    declared = Declared((height, width, *_COMPONENTS[color]), dtype, depth, meaning, color in (4, 6))
    declared.check(max_bytes)
    check_size(size, declared.num_bytes)
    file.seek(0)
    content = file.read()
    chunks = _check_chunks(content, skip_pixels=depth == 8 and color in (0, 3))
    if b"eXIf" in chunks:
        declared.orientation = exif_orientation(bytes(chunks[b"eXIf"][0][8:-4]))
    if color == 2:
        return ImageContent(declared.upright(decode_with_opencv(content, declared.shape)), "YXS")
    palette = None
    if color == 3:
        palette = np.frombuffer(b"".join(chunk[8:-4] for chunk in chunks.get(b"PLTE", ())), np.uint8).reshape(-1, 3)
        chunks.clear()  # which holds the bytes that are replaced here
        content = _as_gray(content)
    image = _decode_gray(content, height, width, depth)
    return ImageContent(declared.upright(declared.intensities(image, palette)), "YX")


def check_png(content: bytes) -> tuple[int, int]:
    """Refuses a damaged PNG inside of another file; gives its height and width."""
    if len(content) < _HEADER.size or not content.startswith(_START):
        raise Unreadable("it is truncated")
    _check_chunks(content)
    return struct.unpack_from(">II", content, 16)[::-1]


def decode_with_opencv(content: bytes, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    import cv2

    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise Unreadable(f"it is damaged ({error})") from error
    if image is None or image.shape != shape:
        raise Unreadable("it is truncated or damaged")
    return image[..., ::-1] if image.ndim == 3 else image


def _check_chunks(content: bytes, *, skip_pixels: bool = False) -> dict[bytes, list[memoryview]]:
    """Decoders are lenient in different ways; what is cut off or altered is refused whoever decodes it.

    Pixels that lie in one chunk, as they do in most files, may be left to kornia, which checks them as it reads them.
    """
    view = memoryview(content)
    chunks: dict[bytes, list[memoryview]] = {}
    position, kind = 8, b""
    while kind != b"IEND":
        if position + 12 > len(content):
            raise Unreadable("it is truncated")
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        if end > len(content):
            raise Unreadable("it is truncated")
        chunks.setdefault(kind, []).append(view[position:end])
        if kind != b"IDAT":
            _check_sum(chunks[kind][-1])
        position = end
    if b"tRNS" in chunks:
        raise Unreadable("it must have no transparency")
    if b"fdAT" in chunks or content.find(_START, position) >= 0:
        raise Unreadable("it holds several images, an animation maybe: save each as a file of its own")
    if b"IDAT" not in chunks:
        raise Unreadable("it is damaged: it has no pixels")
    if not skip_pixels or len(chunks[b"IDAT"]) > 1:
        for chunk in chunks[b"IDAT"]:
            _check_sum(chunk)
    return chunks


def _check_sum(chunk: memoryview) -> None:
    from imagecodecs import zlibng_crc32  # many times as fast as zlib's

    if zlibng_crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):  # type: ignore[arg-type]
        raise Unreadable(f"its chunk {bytes(chunk[4:8])!r} is damaged")


def _decode_gray(content: bytes, height: int, width: int, depth: int) -> npt.NDArray[Any]:
    import imagecodecs
    from kornia_rs import io as kornia

    if depth == 8 and _one_at_a_time.acquire(blocking=False):
        try:
            return kornia.decode_image_png_u8(content, (height, width), "mono")[..., 0]
        except Exception:  # libpng has the last word, so that it does not matter which thread came first
            pass
        finally:
            _one_at_a_time.release()
    _check_chunks(content)  # those of the pixels too
    try:
        image = imagecodecs.png_decode(content)
    except Exception as error:
        raise Unreadable(f"it is damaged ({error})") from error
    if image.shape != (height, width):
        raise Unreadable(f"it decodes to shape {image.shape}, which its header does not declare")
    return image


def _as_gray(content: bytes) -> bytes:
    """The same file without its palette: decoders give colours in place of the values that index it."""
    header = b"IHDR" + content[16:25] + b"\0" + content[26:29]
    return b"".join((content[:12], header, struct.pack(">I", zlib.crc32(header)), memoryview(content)[33:]))
