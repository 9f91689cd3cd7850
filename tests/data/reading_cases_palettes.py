"""Palettes and orientations."""

from pathlib import Path

import imagecodecs
import numpy as np

from tests.data.reading_cases import (
    COLOURS,
    Written,
    exif,
    exif_segment,
    jpeg,
    last,
    noise,
    png,
    reads,
    refuses,
    smooth,
    tiff,
)

_BYTES = noise(8, 6, dtype="uint8")
_RAMP = np.tile(np.arange(256, dtype="uint16") * 257, (3, 1))
_UPRIGHT = {  # of an image as it is stored, by its orientation
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: image[::-1].swapaxes(0, 1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: lambda image: image[:, ::-1].swapaxes(0, 1),
}


def _palette(folder: Path, colormap: np.ndarray, shape: tuple[int, ...] = (8, 6)) -> Path:
    image = noise(*shape, dtype="uint8")
    if colormap.shape[1] == 256:
        return tiff(folder / "a.tif", image, photometric="palette", colormap=colormap)
    return tiff(folder / "a.tif", image % colormap.shape[1], photometric="palette", colormap=colormap)


def _png_palette(folder: Path, colors: np.ndarray) -> Path:
    image = (noise(8, 6) % len(colors)).astype("uint8")
    return png(folder / "a.png", image, 6, color=3, extra=[(b"PLTE", colors.astype("uint8").tobytes())])


_TWISTED = np.random.default_rng(3).permuted(_RAMP, axis=1)
_FIRE = np.minimum(np.outer((1, 2, 3), np.arange(256)) * 257, 65535).astype("uint16")
_COLD = np.outer((0, 1, 0), np.arange(256) * 257).astype("uint16")


@reads(COLOURS, "TIFF", "a palette that is a ramp, gray or of several colours", "the values")
def _(folder: Path) -> Written:
    return _palette(folder, _FIRE), _BYTES


@reads(COLOURS, "TIFF", "a stack with a palette that is a ramp", "the values")
def _(folder: Path) -> Written:
    return _palette(folder, _RAMP, (3, 8, 6)), last(noise(3, 8, 6, dtype="uint8"))


@reads(COLOURS, "TIFF", "a palette of shades of one colour that is no ramp", "the shades")
def _(folder: Path) -> Written:
    shades = np.random.default_rng(0).permutation(256).astype("uint16")
    return _palette(folder, np.outer((0, 1, 0), shades * 257).astype("uint16")), shades.astype("uint8")[_BYTES]


for _shape in ((8, 6), (3, 8, 6)):
    _what = "an image" if len(_shape) == 2 else "a stack"

    @refuses(COLOURS, "TIFF", f"{_what} with a palette that is no ramp", "its palette gives colours that are no ramp")
    def _(folder: Path, shape: tuple[int, ...] = _shape) -> Written:
        return _palette(folder, _TWISTED, shape), None

    @refuses(COLOURS, "TIFF", f"{_what} with a palette that falls", "its palette gives colours that are no ramp")
    def _(folder: Path, shape: tuple[int, ...] = _shape) -> Written:
        return _palette(folder, _RAMP[:, ::-1], shape), None


@reads(COLOURS, "PNG", "a palette that is a ramp", "the values")
def _(folder: Path) -> Written:
    return _png_palette(folder, (_FIRE >> 8).T), noise(8, 6).astype("uint8")


@reads(COLOURS, "PNG", "a palette of fewer shades of gray", "the shades")
def _(folder: Path) -> Written:
    shades = np.array([0, 40, 200, 90])
    return _png_palette(folder, np.stack([shades] * 3, axis=1)), shades.astype("uint8")[noise(8, 6) % 4]


@refuses(COLOURS, "PNG", "a palette that is no ramp", "its palette gives colours that are no ramp")
def _(folder: Path) -> Written:
    return _png_palette(folder, (_TWISTED >> 8).T), None


@refuses(COLOURS, "PNG", "a value that the palette lacks", "values that its palette lacks")
def _(folder: Path) -> Written:
    shades = np.stack([np.array([0, 200, 90])] * 3, axis=1).astype("uint8").tobytes()
    return png(folder / "a.png", np.full((8, 6), 9, "uint8"), 6, color=3, extra=[(b"PLTE", shades)]), None


# Orientation

for _orientation, _turn in _UPRIGHT.items():

    @reads(COLOURS, "JPEG", "EXIF orientation 1 to 8", "the image, upright")
    def _(folder: Path, orientation: int = _orientation, turn=_turn) -> Written:
        plain = imagecodecs.jpeg_decode(imagecodecs.jpeg_encode(smooth(), level=100))
        return jpeg(folder / "a.jpg", smooth(), exif_segment(orientation)), turn(plain)

    @reads(COLOURS, "PNG", "EXIF orientation 1 to 8", "the image, upright")
    def _(folder: Path, orientation: int = _orientation, turn=_turn) -> Written:
        return png(folder / "a.png", _BYTES, 6, extra=[(b"eXIf", exif(orientation))]), turn(_BYTES)

    @reads(COLOURS, "TIFF", "orientation 1 to 8", "the image, upright")
    def _(folder: Path, orientation: int = _orientation, turn=_turn) -> Written:
        path = tiff(folder / "a.tif", noise(8, 6), extratags=[(274, 3, 1, orientation, False)])
        return path, turn(noise(8, 6))


@reads(COLOURS, "TIFF", "a stack of orientation 6", "the image, upright")
def _(folder: Path) -> Written:
    image = noise(3, 8, 6)
    path = tiff(folder / "a.tif", image, extratags=[(274, 3, 1, 6, False)])
    return path, _UPRIGHT[6](last(image))


@reads(COLOURS, "TIFF", "RGB of orientation 8", "the image, upright")
def _(folder: Path) -> Written:
    image = noise(8, 6, 3)
    return tiff(folder / "a.tif", image, photometric="rgb", extratags=[(274, 3, 1, 8, False)]), _UPRIGHT[8](image)
