"""JPEG, by OpenCV: of the decoders that were tried, the one that refuses a truncated file; the others fill it up."""

import re
import struct
from typing import BinaryIO

import numpy as np

from keras_hpa.data.image_content import SPARE_BYTES, Declared, ImageContent, Unreadable, exif_orientation
from keras_hpa.data.image_file import check_signature, check_size
from keras_hpa.data.png import decode_with_opencv

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_START_OF_SCAN, _END = 0xDA, 0xD9
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
    if content.find(b"\xff\xd8\xff", _find_end(content, position)) >= 0:
        raise Unreadable("it holds several images: save each as a file of its own")
    image = declared.upright(decode_with_opencv(content, shape))
    return ImageContent(image, "YX" if components == 1 else "YXS")


def check_jpeg(content: bytes) -> tuple[int, int]:
    """Refuses a truncated JPEG inside of another file; gives its height and width."""
    position, _ = _find_frame(content)
    _find_end(content, position)
    return struct.unpack_from(">HH", content, position + 5)


def _find_frame(content: bytes) -> tuple[int, int]:
    """Gives where the header of the frame lies, and the orientation that stands before it."""
    position, orientation = 2, 1
    while True:
        if position + 10 > len(content) or content[position] != 0xFF or content[position + 1] == _END:
            raise Unreadable("its header is damaged")
        marker = content[position + 1]
        if marker in _FRAMES:
            return position, orientation
        if marker == 0xE1 and content.startswith(b"Exif\0\0", position + 4):
            orientation = exif_orientation(content[position + 10 : position + 2 + _length(content, position)])
        position = _after(content, position)


def _find_end(content: bytes, position: int) -> int:
    """Gives where the image ends, from its frame on."""
    position = _after(content, position)
    while position + 2 <= len(content) and content[position] == 0xFF:
        marker = content[position + 1]
        if marker == _END:
            return position + 2
        if marker in _FRAMES:
            raise Unreadable("it is damaged: it has two headers")
        position = _after(content, position)
        if marker == _START_OF_SCAN:
            found = _NEXT_MARKER.search(content, position)
            position = len(content) if found is None else found.start()
    raise Unreadable("it is truncated or damaged")


def _after(content: bytes, position: int) -> int:
    marker = content[position + 1]
    if marker == 0xFF:  # a fill byte
        return position + 1
    return position + 2 if marker in _ALONE else position + 2 + _length(content, position)


def _length(content: bytes, position: int) -> int:
    return int.from_bytes(content[position + 2 : position + 4], "big")
