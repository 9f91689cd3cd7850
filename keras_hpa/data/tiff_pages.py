"""Pages of a TIFF: whether they are whole, and what each declares."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy.typing as npt

from keras_hpa.data.image_content import SPARE_BYTES, Declared, Unreadable, check_bytes
from keras_hpa.data.jpeg import check_jpeg
from keras_hpa.data.png import check_png

if TYPE_CHECKING:
    import tifffile

_MOST_PAGES = 2**16
_LISTS = {273, 279, 324, 325, 330}  # of strips, tiles, and subordinate pages
_MOST_IN_LIST = 2**20
_MOST_IN_TAG = 2**26
_MEANINGS = {0: "inverted", 1: "gray", 2: "RGB", 3: "palette"}
_JPEG, _JPEG_2000, _PNG, _WEBP = {6, 7}, {33003, 33004, 33005, 34712}, {34933}, {50001}
_COMPRESSIONS = {1, 5, 8, 32773, 32946, 34925, 50000} | _JPEG | _JPEG_2000 | _PNG | _WEBP
_REDUCED, _MASK = 1, 4
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}


def check_chain(file: BinaryIO, size: int) -> None:
    """Walks from page to page, each of which says where the next one lies."""

    def read(kind: str, position: int) -> tuple[Any, ...]:
        file.seek(position)
        return struct.unpack(order + kind, file.read(struct.calcsize(order + kind)))

    file.seek(0)
    order = "<" if file.read(2) == b"II" else ">"
    try:
        (version,) = read("H", 2)
        word, count_type, entry = ("Q", "Q", "HHQ8s") if version == 43 else ("I", "H", "HHI4s")
        seen = set()
        (page,) = read(word, 8 if version == 43 else 4)
        while page:
            if page in seen:
                raise Unreadable("its pages loop")
            seen.add(page)
            if len(seen) > _MOST_PAGES:
                raise Unreadable(f"it has more than {_MOST_PAGES} pages")
            (count,) = read(count_type, page)
            first = page + struct.calcsize(order + count_type)
            length = count * struct.calcsize(order + entry)
            if first + length > size:
                raise Unreadable("it is truncated")
            file.seek(first)
            for code, kind, number, value in struct.iter_unpack(order + entry, file.read(length)):
                if code in _LISTS and number > _MOST_IN_LIST:
                    raise Unreadable(f"it has a page in {number} pieces, more than {_MOST_IN_LIST}")
                num_bytes = number * _SIZES.get(kind, 0)
                if num_bytes > _MOST_IN_TAG and code not in _LISTS:
                    raise Unreadable(f"it has metadata of {num_bytes} bytes (tag {code}), more than {_MOST_IN_TAG}")
                if code < 2**15 and len(value) < num_bytes > size - struct.unpack(order + word, value)[0]:
                    raise Unreadable("it is truncated")  # what a program keeps for itself may be missing
            (page,) = read(word, first + length)
    except (struct.error, OverflowError, ValueError):
        raise Unreadable("it is truncated") from None


def is_reduced(page: tifffile.TiffPage) -> bool:
    """Whether a page is a smaller copy of another one, of a pyramid say."""
    return bool(page.subfiletype & _REDUCED)


def check_page(page: tifffile.TiffPage, max_bytes: int) -> Declared:
    """Refuses a page that is no image of intensities or not whole; nothing large is decoded for that."""
    declared = _declared(page)
    declared.check(max_bytes)
    if page.compression not in _COMPRESSIONS:
        name = getattr(page.compression, "name", page.compression)
        raise Unreadable(f"its compression is {name}; save it with another, such as deflate or zstd")
    if page.rowsperstrip < 1 and not page.is_tiled:
        raise Unreadable("it is damaged: its strips have no rows")
    if page.is_tiled:
        check_bytes(page.chunks, declared.dtype, declared.num_bytes + SPARE_BYTES)
    if len(page.dataoffsets) != math.prod(page.chunked) or len(page.databytecounts) != len(page.dataoffsets):
        raise Unreadable(f"it is truncated: of its {math.prod(page.chunked)} pieces {len(page.dataoffsets)} are there")
    size = page.parent.filehandle.size
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        if count <= 0 or offset <= 0 or offset + count > size:
            raise Unreadable("it is truncated")
        if count > 2 * declared.num_bytes + SPARE_BYTES:
            raise Unreadable(f"it has a piece of {count} bytes, but its image {declared.num_bytes}")
    if page.is_contiguous and page.dataoffsets[0] + declared.num_bytes > size:
        raise Unreadable("it is truncated")
    if page.compression == 1 and sum(page.databytecounts) < declared.num_bytes * declared.bits // (
        8 * declared.dtype.itemsize
    ):
        raise Unreadable("it is truncated")
    if page.compression in _JPEG | _JPEG_2000 | _PNG | _WEBP and page.jpegheader is None:
        values = math.prod(page.chunks) if page.is_tiled else page.imagewidth * min(page.rowsperstrip, page.imagelength)
        most = 2 * values + 2**16
        for content in _segments(page):
            height, width = _size_of_segment(page, content, most)
            if height * width > most:
                raise Unreadable(f"it declares {values} values in a piece that holds {height} x {width}")
        if page.compression in _JPEG_2000 and 8 * values > 1.5 * declared.num_bytes + 2 * SPARE_BYTES:
            raise Unreadable(f"it has a piece of {values} values in JPEG 2000, which takes too much memory: use tiles")
    return declared


def said_shape(page: tifffile.TiffPage) -> tuple[int, ...] | None:
    """What tifffile wrote into the first page of an array: its shape."""
    return tuple(_shaped(page)["shape"]) if _shaped(page) else None


def said_axes(page: tifffile.TiffPage) -> str:
    """What a user had tifffile write into the first page of an array: its axes."""
    return str(_shaped(page).get("axes", "")).upper()


def _shaped(page: tifffile.TiffPage) -> dict[str, Any]:
    text = page.shaped_description or ""
    return json.loads(text) if text.startswith("{") else {}


def palette_of(page: tifffile.TiffPage, declared: Declared) -> npt.NDArray[Any] | None:
    """Gives a row of colours for each value, in the type of the values."""
    if declared.meaning != "palette" or page.colormap is None:
        return None
    is_wide = declared.bits <= 8 and page.colormap.max() > 255  # some programs write 8 bits where 16 belong
    return (page.colormap >> (8 if is_wide else 0)).astype(declared.dtype).T


def _declared(page: tifffile.TiffPage) -> Declared:
    if isinstance(page.bitspersample, tuple):
        raise Unreadable(f"its colours have {page.bitspersample} bits, not as many each")
    if page.dtype is None or not page.shape:
        raise Unreadable(f"it has {page.bitspersample} bits a value in a form that is not known")
    photometric = page.tags.valueof(262, 1)
    meaning = _MEANINGS.get(photometric, str(getattr(photometric, "name", photometric)))
    if photometric == 6 and page.compression in _JPEG:  # decodes to RGB
        meaning = "RGB"
    has_alpha = any(int(extra) in (1, 2) for extra in page.extrasamples) or bool(page.subfiletype & _MASK)
    if has_alpha and "C" in said_axes(page):  # tifffile takes four channels of bytes for RGB and transparency
        meaning, has_alpha = "gray", False
    orientation = page.tags.valueof(274, 1)
    orientation = int(orientation) if orientation in range(1, 9) else 1
    return Declared(page.shape, page.dtype, page.bitspersample, meaning, has_alpha, orientation)


def _segments(page: tifffile.TiffPage) -> Iterator[bytes]:
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        page.parent.filehandle.seek(offset)
        yield page.parent.filehandle.read(count)


def _size_of_segment(page: tifffile.TiffPage, content: bytes, most: int) -> tuple[int, int]:
    """Codecs of images have sizes of their own, and fill up what is cut off."""
    if page.compression in _JPEG:
        return check_jpeg(content, page.jpegtables, most)
    if page.compression in _PNG:
        return check_png(content)
    return _check_webp(content) if page.compression in _WEBP else _check_jpeg_2000(content)


def _check_jpeg_2000(content: bytes) -> tuple[int, int]:
    start = content.find(b"\xff\x4f\xff\x51")
    if start < 0 or b"\xff\xd9" not in content[-16:]:
        raise Unreadable("it is truncated or damaged")
    right, bottom, left, top = struct.unpack_from(">4I", content, start + 8)
    return bottom - top, right - left


def _check_webp(content: bytes) -> tuple[int, int]:
    if len(content) < 30 or content[:4] != b"RIFF" or int.from_bytes(content[4:8], "little") + 8 > len(content):
        raise Unreadable("it is truncated or damaged")
    kind, body = content[12:16], content[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[7:10], "little") + 1, int.from_bytes(body[4:7], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1
    return int.from_bytes(body[8:10], "little") & 0x3FFF, int.from_bytes(body[6:8], "little") & 0x3FFF
