"""What a TIFF says of its pixels: how many micrometres one spans."""

from __future__ import annotations

import math
import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING

from keras_hpa.data.image_content import Unreadable
from keras_hpa.data.image_file import open_file
from keras_hpa.data.ome_tiff import ome_pixel_size
from keras_hpa.data.tiff import open_tiff

if TYPE_CHECKING:
    import tifffile

_MICROMETRES = {"m": 1e6, "cm": 1e4, "mm": 1e3, "nm": 1e-3, "pm": 1e-6, "inch": 25400.0}
_MICROMETRES |= {"meter": 1e6, "centimeter": 1e4, "millimeter": 1e3, "nanometer": 1e-3, "angstrom": 1e-4}
_MICROMETRES |= dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "micrometre"), 1.0)
_METAMORPH = re.compile(r'id="spatial-calibration-(x|y|units)"[^>]*?value="([^"]*)"')
_MOST_DIFFERENCE = 0.01  # of a pixel's sides


def read_pixel_size(
    path: str | os.PathLike[str], *, scene: int | str | None = None, root: str | os.PathLike[str] | None = None
) -> float | None:
    """Gives micrometres per pixel as OME-XML, ImageJ or MetaXpress wrote it into a TIFF.

    Resolutions in dots per inch, which programs make up, are not looked at.

    Args:
        path: any file; of others than TIFF nothing is known.
        scene: which image of a file that holds several.
        root: a folder that the file must lie below, links included.

    Returns:
        `None` where the file does not say it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if pixels are not square, or the file cannot be read.
    """
    text = os.fspath(path)
    if not text.lower().endswith((".tif", ".tiff")):
        return None
    try:
        with open_file(text, None if root is None else os.fspath(root)) as file, ExitStack() as opened:
            tiff = open_tiff(file, opened)
            sides = _ome(tiff, scene) if tiff.is_ome else _imagej(tiff) if tiff.is_imagej else _metamorph(tiff)
    except (FileNotFoundError, MemoryError):
        raise
    except Exception as error:  # tifffile raises what comes
        raise ValueError(f"{text!r} must say how large its pixels are. Received: {error}") from error
    if sides is None or not all(0 < side < math.inf for side in sides):
        return None
    if abs(sides[0] / sides[1] - 1) > _MOST_DIFFERENCE:
        raise ValueError(f"Pixels must be square. Received: {sides[0]:.4g} x {sides[1]:.4g} micrometres in {text!r}")
    return sides[0]


def in_micrometres(value: float, unit: str) -> float | None:
    """Turns a length into micrometres; `None` if the unit is no length, such as a pixel."""
    factor = _MICROMETRES.get(unit.strip().lower().replace("\\u00b5", "µ"))
    return None if factor is None else value * factor


def _both(x: float, y: float, unit: str) -> tuple[float, float] | None:
    width, height = in_micrometres(x, unit), in_micrometres(y, unit)
    return None if width is None or height is None else (width, height)


def _ome(tiff: tifffile.TiffFile, scene: int | str | None) -> tuple[float, float] | None:
    said = ome_pixel_size(tiff.ome_metadata or "", scene)
    if said is None:
        return None
    width, height = (in_micrometres(value, unit) for value, unit in said)
    return None if width is None or height is None else (width, height)


def _imagej(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    page = tiff.pages.first
    sides = []
    for code in (282, 283):
        pixels, units = page.tags.valueof(code, (0, 1))
        if not pixels:
            return None
        sides.append(units / pixels)
    unit = str((tiff.imagej_metadata or {}).get("unit", ""))
    return _both(sides[0], sides[1], unit)


def _metamorph(tiff: tifffile.TiffFile) -> tuple[float, float] | None:
    said = dict(_METAMORPH.findall(tiff.pages.first.description or ""))
    if not {"x", "y", "units"} <= said.keys():
        return None
    try:
        return _both(float(said["x"]), float(said["y"]), said["units"])
    except ValueError as error:
        raise Unreadable(f"its calibration is {said}") from error
