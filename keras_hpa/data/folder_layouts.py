"""How instruments and sites name their files."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from keras_hpa.atlas import CHANNELS

_IMAGE = r"\.(?:png|jpe?g|npy|tiff?(?:\.gz)?)"
_MOST_TEXT = 2**28  # characters of an index: one of a full plate has some hundred megabytes


@dataclass
class Layout:
    """How files are named, what stands in the names for each channel, how ids are made of fields, and the scale."""

    pattern: Any
    channels: Mapping[str, str] | None = None
    id_format: str | None = None
    pixel_size: float | None = None  # micrometres


def find_layout(name: str, root: Path, call: Any) -> Layout:
    """Gives the layout of a name."""
    if name not in _LAYOUTS:
        shown = call.but(layout="harmony")
        raise ValueError(f"`layout` must be one of {list(_LAYOUTS)}, as in {shown}. Received: {name!r}")
    return _LAYOUTS[name](root)


def _harmony(root: Path) -> Layout:
    """Opera and Operetta: r02c03f04p01-ch2sk1fk1fl1.tiff, in Images/ beside Index.idx.xml."""
    pattern = re.compile(
        r"(?:(?P<plate>.+?)/)??(?:Images/)?r(?P<row>\d{2})c(?P<col>\d{2})f(?P<field>\d{2,})p(?P<z>\d{2,})"
        r"-ch(?P<channel>\d+)(?:sk(?P<t>\d+))?(?:fk\d+)?(?:fl\d+)?\.tiff?",
        re.IGNORECASE,
    )
    channels = pixel_size = None
    for path in (root / "Index.idx.xml", root / "Images" / "Index.idx.xml", root / "Index.xml"):
        if path.is_file():
            names, pixel_size = _read_harmony_index(path)
            channels = {name: number for number, name in names.items()} or None
            break
    return Layout(pattern, channels, "{plate}_r{row}c{col}f{field}", pixel_size)


def _read_harmony_index(path: Path) -> tuple[dict[str, str], float | None]:
    """Reads the names of the channels, by number, and micrometres per pixel, out of an Index.idx.xml."""
    if path.stat().st_size > _MOST_TEXT:
        raise ValueError(f"{path} must have at most {_MOST_TEXT} bytes. Received: {path.stat().st_size}")
    with path.open("rb") as file:
        if b"<!DOCTYPE" in file.read(4096):
            raise ValueError(f"{path} must not define entities. Received: a DOCTYPE")
    names: dict[str, str] = {}
    size = None
    number = name = None
    try:
        for _, node in ElementTree.iterparse(path):
            tag, text = node.tag.rpartition("}")[2], (node.text or "").strip()
            if tag == "ChannelID":
                number = text
            elif tag == "ChannelName":
                name = text
            elif tag == "ImageResolutionX" and size is None and text:
                size = float(text) * (1e6 if node.get("Unit", "m") == "m" else 1)
            elif tag in ("Image", "Entry"):
                number = number or node.get("ChannelID")
                if number and name:
                    names.setdefault(number, name)
                number = name = None
                node.clear()
    except (ElementTree.ParseError, ValueError) as error:
        raise ValueError(f"{path} must be an index as Harmony writes it. Received: {error}") from None
    return names, size


def _metaxpress(_: Path) -> Layout:
    """ImageXpress: [Plate_]A01_s1_w1[GUID].TIF, in TimePoint_1/ and ZStep_1/ where there are several."""
    pattern = re.compile(
        r"(?:.*?TimePoint_(?P<t>\d+)/)?(?:ZStep_(?P<z>\d+)/)?(?:[^/]+/)*?(?:(?P<plate>[^/]+)_)??(?P<well>[A-Z]{1,2}\d{2})"
        r"(?:_s(?P<field>\d+))?(?:_w(?P<channel>\d))?(?:[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})?\.tiff?",
        re.IGNORECASE,
    )
    return Layout(pattern)


def _atlas(_: Path) -> Layout:
    """Kaggle's challenges of 2018 and 2021: ID_red.png, also in train/ or test/."""
    colors = "|".join(CHANNELS)
    pattern = re.compile(rf"(?:[^/]+/)*(?P<id>[^/]+)_(?P<channel>{colors}){_IMAGE}", re.IGNORECASE)
    return Layout(pattern, {name: name for name in CHANNELS})


def _website(_: Path) -> Layout:
    """proteinatlas.org: ANTIBODY/PLATE_WELL_FIELD_red.jpg, as 4109/24_H11_1_red.jpg."""
    colors = "|".join(CHANNELS)
    pattern = re.compile(
        rf"(?:(?P<antibody>[^/]+)/)?(?P<plate>\d+)_(?P<well>[A-H]\d{{1,2}})_(?P<field>\d+)_(?P<channel>{colors}){_IMAGE}",
        re.IGNORECASE,
    )
    return Layout(pattern, {name: name for name in CHANNELS})


def _class_folders(_: Path) -> Layout:
    """A folder per class, with one file per sample."""
    return Layout(re.compile(rf"(?P<label>[^/]+)/(?P<id>.+?){_IMAGE}", re.IGNORECASE))


_LAYOUTS: dict[str, Callable[[Path], Layout]] = {
    "harmony": _harmony,
    "metaxpress": _metaxpress,
    "kaggle2018": _atlas,
    "kaggle2021": _atlas,
    "hpa": _website,
    "class folders": _class_folders,
}
