"""Files whose values are no plain intensities."""

from pathlib import Path

import imagecodecs
import numpy as np

from tests.data.reading_cases import (
    COLOURS,
    Written,
    jpeg,
    last,
    noise,
    png,
    reads,
    refuses,
    retag,
    smooth,
    tiff,
)

_BYTES = noise(8, 6, dtype="uint8")

for _type, _largest in (("uint8", 255), ("uint16", 65535), ("uint32", 2**32 - 1)):

    @reads(COLOURS, "TIFF", f"0 is white, {_type}", f"{_largest} minus the value")
    def _(folder: Path, dtype: str = _type, largest: int = _largest) -> Written:
        image = noise(8, 6, dtype=dtype)
        return tiff(folder / "a.tif", image, photometric="miniswhite"), largest - image


@reads(COLOURS, "TIFF", "0 is white, int16", "-1 minus the value")
def _(folder: Path) -> Written:
    image = noise(8, 6, dtype="int16")
    return tiff(folder / "a.tif", image, photometric="miniswhite"), -1 - image


@reads(COLOURS, "TIFF", "0 is white, 12 bits packed", "4095 minus the value")
def _(folder: Path) -> Written:
    image = noise(8, 6) >> 4
    return tiff(folder / "a.tif", image, photometric="miniswhite", bitspersample=12), 4095 - image


@reads(COLOURS, "TIFF", "0 is white, a stack", "255 minus the value")
def _(folder: Path) -> Written:
    image = noise(3, 8, 6, dtype="uint8")
    return tiff(folder / "a.tif", image, photometric="miniswhite"), last(255 - image)


@refuses(COLOURS, "TIFF", "0 is white, floats", "floats have no largest value")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", noise(8, 6, dtype="float32"), photometric="miniswhite"), None


for _photometric, _name, _channels in (("separated", "SEPARATED", 4), ("cielab", "CIELAB", 3), ("icclab", "ICCLAB", 3)):

    @refuses(COLOURS, "TIFF", _name, f"its values are colours ({_name})")
    def _(folder: Path, photometric: str = _photometric, channels: int = _channels) -> Written:
        image = noise(8, 6, channels, dtype="uint8")
        return tiff(folder / "a.tif", image, photometric=photometric, planarconfig="contig"), None


@refuses(COLOURS, "TIFF", "YCbCr that is not JPEG", "its values are colours (YCBCR)")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(8, 6, 3, dtype="uint8"), photometric="rgb")
    return retag(path, 262, 6), None


@refuses(COLOURS, "TIFF", "a sensor's mosaic (CFA)", "its values are colours (CFA)")
def _(folder: Path) -> Written:
    return retag(tiff(folder / "a.tif", noise(8, 6)), 262, 32803), None


@refuses(COLOURS, "JPEG", "CMYK", "4 components, not 1 or 3")
def _(folder: Path) -> Written:
    image = noise(8, 6, 4, dtype="uint8")
    return jpeg(folder / "a.jpg", image, colorspace="cmyk", outcolorspace="cmyk"), None


@reads(COLOURS, "TIFF", "RGB, a stain in each colour", "red, green, blue")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", noise(8, 6, 3), photometric="rgb"), noise(8, 6, 3)


@reads(COLOURS, "TIFF", "RGB, a plane for each colour", "red, green, blue")
def _(folder: Path) -> Written:
    image = noise(3, 8, 6)
    return tiff(folder / "a.tif", image, photometric="rgb", planarconfig="separate"), last(image)


for _depth in (8, 16):

    @reads(COLOURS, "PNG", f"RGB of {_depth} bits, a stain in each colour", "red, green, blue")
    def _(folder: Path, depth: int = _depth) -> Written:
        image = noise(8, 6, 3, dtype=f"uint{depth}")
        rows = image.astype(image.dtype.newbyteorder(">")).reshape(8, -1).view(np.uint8)
        return png(folder / "a.png", rows, 6, depth=depth, color=2), image


@reads(COLOURS, "JPEG", "gray", "the values")
def _(folder: Path) -> Written:
    path = jpeg(folder / "a.jpg", smooth())
    return path, imagecodecs.jpeg_decode(path.read_bytes())


# Transparency

for _extra in ("assocalpha", "unassalpha"):

    @refuses(COLOURS, "TIFF", f"transparency ({_extra})", "it must have no transparency")
    def _(folder: Path, extra: str = _extra) -> Written:
        return tiff(folder / "a.tif", noise(8, 6, 4, dtype="uint8"), photometric="rgb", extrasamples=[extra]), None


@refuses(COLOURS, "TIFF", "gray and transparency", "it must have no transparency")
def _(folder: Path) -> Written:
    image = noise(8, 6, 2, dtype="uint8")
    return tiff(folder / "a.tif", image, planarconfig="contig", extrasamples=["unassalpha"]), None


@refuses(COLOURS, "TIFF", "a mask of transparency", "it must have no transparency")
def _(folder: Path) -> Written:
    return retag(tiff(folder / "a.tif", _BYTES, metadata=None, subfiletype=1), 254, 4), None


@reads(COLOURS, "TIFF", "RGB and a fourth channel that is not transparency", "all four")
def _(folder: Path) -> Written:
    image = noise(8, 6, 4)
    return tiff(folder / "a.tif", image, photometric="rgb", extrasamples=["unspecified"]), image


for _color, _name, _channels in ((6, "RGB", 4), (4, "gray", 2)):

    @refuses(COLOURS, "PNG", f"{_name} and transparency", "it must have no transparency")
    def _(folder: Path, color: int = _color, channels: int = _channels) -> Written:
        return png(folder / "a.png", noise(8, 6 * channels, dtype="uint8"), 6, color=color), None


for _color, _entry in ((0, b"\0\0"), (3, b"\0\x80"), (2, bytes(6))):

    @refuses(COLOURS, "PNG", f"transparency in a chunk, colour type {_color}", "it must have no transparency")
    def _(folder: Path, color: int = _color, entry: bytes = _entry) -> Written:
        extra = [(b"PLTE", bytes(768))] * (color == 3) + [(b"tRNS", entry)]
        return png(
            folder / "a.png", noise(8, 6 * (3 if color == 2 else 1), dtype="uint8"), 6, color=color, extra=extra
        ), None


# Bits

for _bits in (1, 2, 4):

    @refuses(COLOURS, "TIFF", f"{_bits} bits", f"it has {_bits} bits a value")
    def _(folder: Path, bits: int = _bits) -> Written:
        if bits == 1:
            return tiff(folder / "a.tif", noise(8, 8, dtype="uint8") > 127), None
        return tiff(folder / "a.tif", noise(8, 8, dtype="uint8") >> (8 - bits), bitspersample=bits), None

    @refuses(COLOURS, "PNG", f"{_bits} bits", f"it has {_bits} bits a value")
    def _(folder: Path, bits: int = _bits) -> Written:
        return png(folder / "a.png", noise(8, bits, dtype="uint8"), 8, depth=bits), None


@reads(COLOURS, "TIFF", "12 bits packed", "the values as 16 bits")
def _(folder: Path) -> Written:
    image = noise(8, 6) >> 4
    return tiff(folder / "a.tif", image, bitspersample=12), image
