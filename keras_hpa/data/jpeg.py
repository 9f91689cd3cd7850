"""JPEG, by kornia-rs: of the decoders that were tried, the one that refuses every cut file; the others fill it up."""

import re
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from keras_hpa.data.image_content import SPARE_BYTES, Declared, ImageContent, Unreadable, exif_orientation
from keras_hpa.data.image_file import check_signature, check_size

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_COMMON = {0xC0, 0xC1, 0xC2}  # those that every decoder reads
_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
_START_OF_SCAN, _END, _EXIF, _PROFILE = 0xDA, 0xD9, 0xE1, 0xE2
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # behind the bytes of a scan


def read_jpeg(file: BinaryIO, max_bytes: int) -> ImageContent:
    size = check_signature(file, "JPEG")
    file.seek(0)
    content = file.read(SPARE_BYTES)
    position, orientation = _find_frame(content)
    bits, height, width, components = struct.unpack_from(">BHHB", content, position + 4)
    if components not in (1, 3) or not height or not width:
        raise Unreadable(f"it declares {height} x {width} pixels of {components} components, not 1 or 3")
    shape = (height, width) if components == 1 else (height, width, components)
    meaning = "gray" if components == 1 else "RGB"
    declared = Declared(shape, np.dtype(np.uint8), bits, meaning, orientation=orientation)
    declared.check(max_bytes)
    if bits != 8:
        raise Unreadable(f"it has {bits} bits a value; of JPEGs those of 8 can be read")
    check_size(size, declared.num_bytes)
    content += file.read()
    plain, end = _without_profiles(content)
    if content.find(b"\xff\xd8\xff", end) >= 0:
        raise Unreadable("it holds several images: save each as a file of its own")
    image = _decode(plain, components)
    if image.shape[:2] != shape[:2]:
        raise Unreadable(f"it decodes to shape {image.shape}, which its header does not declare")
    return ImageContent(declared.upright(image.reshape(shape)), "YX" if components == 1 else "YXS")


def check_jpeg(content: bytes, tables: bytes | None, most_pixels: int) -> tuple[int, int]:
    """Refuses a truncated JPEG inside of another file; gives its height and width, decodes if those are no more."""
    position, _ = _find_frame(content)
    plain, _ = _without_profiles(content)
    bits, height, width, components = struct.unpack_from(">BHHB", content, position + 4)
    if height * width <= most_pixels and bits == 8 and components in (1, 3) and content[position + 1] in _COMMON:
        _decode(plain if tables is None else tables[:-2] + plain[2:], components)
    return height, width


def _decode(content: bytes, components: int) -> npt.NDArray[Any]:
    from kornia_rs import io as kornia

    try:
        return kornia.decode_image_jpegturbo(content, "mono" if components == 1 else "rgb")
    except Exception as error:
        raise Unreadable("it is truncated or damaged") from error


def _find_frame(content: bytes) -> tuple[int, int]:
    """Gives where the header of the frame lies, and the orientation that stands before it."""
    orientation = 1
    for marker, position, end in _segments(content):
        if marker in _FRAMES and position + 10 <= len(content):
            return position, orientation
        if marker == _EXIF and content.startswith(b"Exif\0\0", position + 4):
            orientation = exif_orientation(content[position + 10 : end])
    raise Unreadable("its header is damaged")


def _without_profiles(content: bytes) -> tuple[bytes, int]:
    """Leaves out colour profiles, for which the decoder refuses images that are whole; gives where the image ends."""
    kept, first, num_frames, marker = [], 0, 0, 0
    for marker, position, end in _segments(content):
        num_frames += marker in _FRAMES
        if marker == _PROFILE:
            kept.append(content[first:position])
            first = end
        if marker == _END:
            break
    if marker != _END:
        raise Unreadable("it is truncated or damaged")
    if num_frames > 1:
        raise Unreadable("it is damaged: it has two headers")
    return b"".join((*kept, content[first:end])) if kept else content, end


def _segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Gives the marker of each segment, and where it begins and ends; stops where there is none."""
    position = 2
    while position + 2 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        end = position + 2
        if marker not in _ALONE:
            end += int.from_bytes(content[end : end + 2], "big")
        if marker == _START_OF_SCAN:
            found = _NEXT_MARKER.search(content, end)
            end = len(content) if found is None else found.start()
        yield marker, position, end
        position = end
