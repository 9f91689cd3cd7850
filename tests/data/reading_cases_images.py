"""Axes, and files of several images."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from tests.data.reading_cases import (
    AXES,
    IMAGES,
    Written,
    jpeg,
    last,
    noise,
    pages,
    png,
    png_chunks,
    reads,
    refuses,
    smooth,
    tiff,
)

_CHANNELS = noise(3, 8, 6)

# Axes

for _shape in ((64, 48, 5), (5, 64, 48), (64, 5, 48)):

    def _as_tiff(folder: Path, shape: tuple[int, ...] = _shape) -> Written:
        image = noise(*shape)
        return tiff(folder / "a.tif", image), np.moveaxis(image, shape.index(5), -1)

    def _as_npy(folder: Path, shape: tuple[int, ...] = _shape) -> Written:
        np.save(folder / "a.npy", noise(*shape))
        return folder / "a.npy", np.moveaxis(noise(*shape), shape.index(5), -1)

    reads(AXES, "TIFF", f"an array of shape {_shape}", "(64, 48, 5)")(_as_tiff)
    reads(AXES, "NPY", f"an array of shape {_shape}", "(64, 48, 5)")(_as_npy)

for _axis in "RPAHMVLETZQI":

    @refuses(AXES, "TIFF", f"axes {_axis}YX", "its axes must be height, width and channels")
    def _(folder: Path, axis: str = _axis) -> Written:
        return tiff(folder / "a.tif", noise(5, 64, 48), metadata={"axes": f"{axis}YX"}), None


for _format, _write in {
    "TIFF": lambda path: tiff(path, noise(1000, 32, 32, dtype="uint8")),
    "NPY": lambda path: np.save(path.with_suffix(".npy"), noise(1000, 32, 32, dtype="uint8")),
    "OME-TIFF": lambda path: tiff(path, noise(100, 32, 32), ome=True, metadata={"axes": "TYX"}),
    "ImageJ TIFF": lambda path: tiff(path, noise(100, 32, 32), imagej=True, metadata={"axes": "TYX"}),
}.items():

    @refuses(AXES, _format, "frames of a film", "its axes must be height, width and channels")
    def _(folder: Path, write: Callable = _write) -> Written:
        write(folder / "a.tif")
        return next(folder.iterdir()), None


@reads(AXES, "ImageJ TIFF", "axes CYX", "(height, width, C)")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", _CHANNELS, imagej=True, metadata={"axes": "CYX"}), last(_CHANNELS)


@refuses(AXES, "ImageJ TIFF", "axes ZCYX", "its axes must be height, width and channels")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", noise(4, 3, 8, 6), imagej=True, metadata={"axes": "ZCYX"}), None


for _axes in ("CYX", "YXC", "YCX", "XYC"):

    @reads(AXES, "TIFF", f"axes {_axes}", "(height, width, C)")
    def _(folder: Path, axes: str = _axes) -> Written:
        image = noise(40, 50, 60)
        path = tiff(folder / "a.tif", image, metadata={"axes": axes})
        return path, image.transpose([axes.index(axis) for axis in "YXC"])


@reads(AXES, "OME-TIFF", "axes TCZYX, one time point and one slice", "(height, width, C)")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.ome.tif", _CHANNELS.reshape(1, 3, 1, 8, 6), ome=True, metadata={"axes": "TCZYX"})
    return path, last(_CHANNELS)


@refuses(AXES, "OME-TIFF", "axes TCZYX, four slices", "Z=4")
def _(folder: Path) -> Written:
    return tiff(folder / "a.ome.tif", noise(1, 3, 4, 8, 6), ome=True, metadata={"axes": "TCZYX"}), None


@refuses(AXES, "NPY", "an array of four axes", "its axes must be height, width and channels")
def _(folder: Path) -> Written:
    np.save(folder / "a.npy", noise(2, 3, 8, 6))
    return folder / "a.npy", None


for _shape in ((5, 5, 5), (5, 5, 8), (100, 110, 120)):

    @refuses(AXES, "NPY", f"an array of shape {_shape}", "its axes must be height, width and channels")
    def _(folder: Path, shape: tuple[int, ...] = _shape) -> Written:
        np.save(folder / "a.npy", noise(*shape, dtype="uint8"))
        return folder / "a.npy", None


# Several images in one file


@reads(IMAGES, "TIFF", "pages written one by one", "the channels")
def _(folder: Path) -> Written:
    return pages(folder / "a.tif", list(noise(4, 8, 6))), last(noise(4, 8, 6))


@reads(IMAGES, "TIFF", "pages written one by one, each with a description", "the channels")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for image in noise(4, 8, 6):
            writer.write(image, photometric="minisblack")
    return folder / "a.tif", last(noise(4, 8, 6))


@reads(IMAGES, "TIFF", "pages of two compressions", "the channels")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for number, image in enumerate(_CHANNELS):
            writer.write(image, metadata=None, photometric="minisblack", compression="zlib" if number else None)
    return folder / "a.tif", last(_CHANNELS)


@refuses(IMAGES, "TIFF", "pages of two types", "it holds 2 images")
def _(folder: Path) -> Written:
    return pages(folder / "a.tif", [noise(8, 6), noise(8, 6, dtype="uint8")]), None


@refuses(IMAGES, "TIFF", "pages of two sizes", "it holds 2 images")
def _(folder: Path) -> Written:
    return pages(folder / "a.tif", [noise(8, 6), noise(16, 12)]), None


@refuses(IMAGES, "TIFF", "a small picture first, not marked as one", "it holds 2 images")
def _(folder: Path) -> Written:
    return pages(folder / "a.tif", [noise(8, 6), noise(64, 48), noise(64, 48)]), None


@refuses(IMAGES, "TIFF", "two stacks", "it holds 2 images")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for _ in range(2):
            writer.write(_CHANNELS, photometric="minisblack")
    return folder / "a.tif", None


@refuses(IMAGES, "OME-TIFF", "two images", "it holds 2 images, not one")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.ome.tif") as writer:
        for _ in range(2):
            writer.write(_CHANNELS, photometric="minisblack", metadata={"axes": "CYX"})
    return folder / "a.ome.tif", None


for _first in (True, False):

    @reads(IMAGES, "TIFF", f"a small copy marked as one, {'first' if _first else 'last'}", "the image itself")
    def _(folder: Path, first: bool = _first) -> Written:
        image = noise(64, 48)
        with tifffile.TiffWriter(folder / "a.tif") as writer:
            written = [(image[::8, ::8], 1), (image, 0)]
            for one, kind in written if first else written[::-1]:
                writer.write(one, metadata=None, photometric="minisblack", subfiletype=kind)
        return folder / "a.tif", image


for _ome in (True, False):

    @reads(IMAGES, "OME-TIFF" if _ome else "TIFF", "a pyramid", "full resolution")
    def _(folder: Path, ome: bool = _ome) -> Written:
        image = noise(3, 64, 48)
        with tifffile.TiffWriter(folder / "a.ome.tif", ome=ome) as writer:
            options = {"photometric": "minisblack", "tile": (16, 16)}
            writer.write(image, subifds=1, metadata={"axes": "CYX"}, **options)
            writer.write(image[:, ::2, ::2], subfiletype=1, **options)
        return folder / "a.ome.tif", last(image)


@reads(IMAGES, "TIFF", "pages of a half and a quarter of the size, not marked (a pyramid)", "full resolution")
def _(folder: Path) -> Written:
    image = noise(64, 64, dtype="uint8")
    return pages(folder / "a.tif", [image, image[::2, ::2], image[::4, ::4]], tile=(16, 16)), image


@refuses(IMAGES, "TIFF", "a second image of the same size, subordinate to the first", "one is subordinate to another")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        writer.write(noise(8, 6), subifds=1, metadata=None, photometric="minisblack")
        writer.write(noise(8, 6), metadata=None, photometric="minisblack")
    return folder / "a.tif", None


@refuses(IMAGES, "TIFF", "a second image of another type, subordinate to the first", "it holds 2 images")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        writer.write(noise(8, 6), subifds=1, metadata=None, photometric="minisblack")
        writer.write(noise(5, 4, dtype="float32"), metadata=None, photometric="minisblack")
    return folder / "a.tif", None


@reads(IMAGES, "OME-TIFF", "a pyramid and an image that is called thumbnail", "full resolution")
def _(folder: Path) -> Written:
    image = noise(3, 64, 48)
    with tifffile.TiffWriter(folder / "a.ome.tif", ome=True) as writer:
        options = {"photometric": "minisblack", "tile": (16, 16)}
        writer.write(image, subifds=1, metadata={"axes": "CYX"}, **options)
        writer.write(image[:, ::2, ::2], subfiletype=1, **options)
        writer.write(noise(8, 6, 3, dtype="uint8"), photometric="rgb", metadata={"Name": "thumbnail"})
    return folder / "a.ome.tif", last(image)


@reads(IMAGES, "SVS (Aperio)", "levels, a thumbnail, the label, the whole slide", "full resolution")
def _(folder: Path) -> Written:
    image = noise(64, 48, 3, dtype="uint8")
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for one, what, kind, tile in (
            (image, "48x64 [0,0 48x64] (16x16) J2K", 0, (16, 16)),
            (image[::4, ::4], "48x64 -> 12x16 - |AppMag = 20", 0, None),
            (image[::2, ::2], "48x64 [0,0 48x64] (16x16) -> 24x32 J2K", 0, (16, 16)),
            (image[:9, :8], "label 8x9", 1, None),
            (image[:9, :30], "macro 30x9", 9, None),
        ):
            text = f"Aperio Image Library v10.2.24\r\n{what}"
            options = {"description": text, "subfiletype": kind, "tile": tile, "metadata": None}
            writer.write(np.ascontiguousarray(one), photometric="rgb", **options)
    return folder / "a.tif", image


@reads(IMAGES, "NDPI (Hamamatsu)", "levels, a map, the whole slide", "full resolution")
def _(folder: Path) -> Written:
    image = noise(64, 48, 3, dtype="uint8")
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for one, lens in ((image, 20.0), (image[::4, ::4], 5.0), (image[:8, :6], -1.0), (image[:16, :5], -2.0)):
            tags = [(65420, 4, 1, 1, False), (65421, 11, 1, lens, False), (65424, 9, 1, 0, False)]
            options = {"extratags": [*tags, (271, 2, 0, "Hamamatsu", False)], "metadata": None}
            writer.write(np.ascontiguousarray(one), photometric="rgb", **options)
    return folder / "a.tif", image


@refuses(IMAGES, "JPEG", "two pictures one behind the other (MPO)", "it holds several images")
def _(folder: Path) -> Written:
    path = jpeg(folder / "a.jpg", smooth())
    path.write_bytes(path.read_bytes() * 2)
    return path, None


@refuses(IMAGES, "PNG", "an animation", "it holds several images, an animation maybe")
def _(folder: Path) -> Written:
    image = noise(8, 6, dtype="uint8")
    frame = struct.pack(">5I2H2B", 0, 6, 8, 0, 0, 1, 1, 0, 0)
    content = png(folder / "a.png", image, 6).read_bytes()
    pixels = content[41:-16]
    behind = [(b"fcTL", b"\0\0\0\1" + frame[4:]), (b"fdAT", b"\0\0\0\2" + pixels)]
    chunks = [(b"IHDR", content[16:29]), (b"acTL", struct.pack(">II", 2, 0)), (b"fcTL", frame), (b"IDAT", pixels)]
    (folder / "a.png").write_bytes(png_chunks([*chunks, *behind, (b"IEND", b"")]))
    return folder / "a.png", None
