"""Byte orders and types, and files that are made to do harm."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import tifffile

from tests.data.reading_cases import (
    HOSTILE,
    ORDER,
    Written,
    jpeg,
    noise,
    ome,
    ome_xml,
    png_chunks,
    reads,
    refuses,
    retag,
    smooth,
    tiff,
)

# Byte order and types

for _type in ("u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"):

    @reads(ORDER, "NPY", f"big-endian {np.dtype(_type)}", "the values")
    def _(folder: Path, dtype: str = _type) -> Written:
        image = noise(8, 6, dtype=dtype)
        np.save(folder / "a.npy", image.astype(f">{dtype}"))
        return folder / "a.npy", image

    @reads(ORDER, "TIFF", f"big-endian {np.dtype(_type)}", "the values")
    def _(folder: Path, dtype: str = _type) -> Written:
        return tiff(folder / "a.tif", noise(8, 6, dtype=dtype), byteorder=">"), noise(8, 6, dtype=dtype)


@reads(ORDER, "NPY", "an array in the order of Fortran", "the values")
def _(folder: Path) -> Written:
    np.save(folder / "a.npy", np.asfortranarray(noise(8, 6)))
    return folder / "a.npy", noise(8, 6)


for _type in ("bool", "complex64", "longdouble"):

    @refuses(ORDER, "NPY", f"{_type}", "neither integers of 8 to 64 bits nor floats of 16 to 64")
    def _(folder: Path, dtype: str = _type) -> Written:
        np.save(folder / "a.npy", np.ones((8, 6), dtype))
        return folder / "a.npy", None


@refuses(ORDER, "TIFF", "complex64", "it holds complex64")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", np.ones((8, 6), "complex64")), None


# Size and hostile files

_LARGE = 60_000


@refuses(HOSTILE, "PNG", "60,000 x 60,000 pixels", "60000 x 60000 values, 3600000000 bytes when decoded")
def _(folder: Path) -> Written:
    header = struct.pack(">IIBBBBB", _LARGE, _LARGE, 8, 0, 0, 0, 0)
    path = folder / "a.png"
    path.write_bytes(png_chunks([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(99))), (b"IEND", b"")]))
    return path, None


@refuses(HOSTILE, "JPEG", "60,000 x 60,000 pixels behind a marker TEM", "60000 x 60000 values")
def _(folder: Path) -> Written:
    path = jpeg(folder / "a.jpg", smooth(), b"\xff\x01")
    content = path.read_bytes()
    place = content.index(b"\xff\xc0") + 5
    path.write_bytes(content[:place] + struct.pack(">HH", _LARGE, _LARGE) + content[place + 4 :])
    return path, None


@refuses(HOSTILE, "TIFF", "60,000 x 60,000 pixels", "60000 x 60000 values")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(8, 6), metadata=None, compression="zlib")
    return retag(retag(path, 256, _LARGE), 257, _LARGE), None


@refuses(HOSTILE, "TIFF", "16 x 16 pixels in a tile of 40,000 x 40,000", "40000 x 40000")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(16, 16), metadata=None, tile=(16, 16), compression="zlib")
    return retag(retag(path, 322, 40_000), 323, 40_000), None


@refuses(HOSTILE, "OME-TIFF", "XML of 200,000,000 channels", "declares 200000000 planes")
def _(folder: Path) -> Written:
    return ome(folder / "a.ome.tif", [noise(8, 6)], ome_xml(["<TiffData/>"], channels=200_000_000)), None


@refuses(HOSTILE, "OME-TIFF", "XML with entities", "its OME-XML must not define entities")
def _(folder: Path) -> Written:
    text = '<!DOCTYPE a [<!ENTITY b "c">]>' + ome_xml(["<TiffData/>"], channels=1)
    return ome(folder / "a.ome.tif", [noise(8, 6)], text), None


@refuses(HOSTILE, "NPY", "60,000 x 60,000 values", "60000 x 60000 values")
def _(folder: Path) -> Written:
    with (folder / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (_LARGE, _LARGE)})
    return folder / "a.npy", None


@refuses(HOSTILE, "NPY", "Python objects", "it holds Python objects, which are never loaded")
def _(folder: Path) -> Written:
    np.save(folder / "a.npy", np.array([[1, 2]], object))
    return folder / "a.npy", None


@refuses(HOSTILE, "NPY", "a dictionary (`_seg.npy` of Cellpose)", "this exports its masks: python -c")
def _(folder: Path) -> Written:
    np.save(folder / "a_seg.npy", np.array({"masks": noise(8, 6)}))
    return folder / "a_seg.npy", None


@refuses(HOSTILE, "TIFF", "pages that loop", "its pages loop")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(8, 6), metadata=None)
    with tifffile.TiffFile(path) as file:
        place, first = file.pages[0].offset, file.pages[0].offset
        count = len(file.pages[0].tags)
    content = bytearray(path.read_bytes())
    content[place + 2 + 12 * count : place + 6 + 12 * count] = struct.pack("<I", first)
    path.write_bytes(content)
    return path, None


for _name, _content, _message in (
    ("a.png", b"", "it is empty"),
    ("a.png", b"GIF89a", "it is not a PNG as its name says, but GIF"),
    ("a.tif", b"<html>", "it is not a TIFF as its name says, but of no known format"),
):

    @refuses(HOSTILE, _name[2:].upper(), f"{len(_content)} bytes of something else", _message)
    def _(folder: Path, name: str = _name, content: bytes = _content) -> Written:
        (folder / name).write_bytes(content)
        return folder / name, None


for _suffix in (".png", ".jpg", ".tif", ".tif.gz", ".npy"):

    @refuses(HOSTILE, _suffix[1:].upper(), "a FIFO", "it is not a file")
    def _(folder: Path, suffix: str = _suffix) -> Written:
        os.mkfifo(folder / f"a{suffix}")
        return folder / f"a{suffix}", None


@refuses(HOSTILE, "PNG", "a folder", "it is not a file")
def _(folder: Path) -> Written:
    (folder / "a.png").mkdir()
    return folder / "a.png", None
