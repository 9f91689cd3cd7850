"""OME-TIFF: which page of which file each plane of an image is."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from xml.etree import ElementTree

from keras_hpa.data.image_content import Unreadable
from keras_hpa.data.tiff_pages import is_reduced

if TYPE_CHECKING:
    import tifffile

Pages: TypeAlias = "list[tifffile.TiffPage]"
_T = TypeVar("_T")

_MOST_TEXT, _MOST_FILES, _MOST_PLANES = 2**24, 256, 2**16
_BESIDE_THE_IMAGE = re.compile(r"(label|macro|thumbnail|overview)\b", re.IGNORECASE)


class Planes:
    """The planes of an image in the order of its axes, which are those of the planes and then those of a page."""

    def __init__(self, pages: Pages, shape: tuple[int, ...], axes: str, names: tuple[str, ...] | None = None):
        self.pages = pages
        self.shape = shape
        self.axes = axes
        self.names = names


def find_planes(
    text: str,
    file_name: str,
    pages: Pages,
    read_sibling: Callable[[str], bytes],
    open_sibling: Callable[[str], Pages],
    scene: int | str | None = None,
) -> Planes:
    """Finds the one image that the file is a part of, whole: what lies in files beside it is opened too.

    Args:
        text: the OME-XML.
        file_name: the file's name, by which the others know it.
        pages: the file's own pages.
        read_sibling: gives the bytes of a file of the same folder.
        open_sibling: gives the pages of a file of the same folder.
        scene: the number or the name of the image, where the file holds several.
    """
    root = _parse(text)
    elsewhere = _child(root, "BinaryOnly")
    if elsewhere is not None:
        content = read_sibling(_bare_name(elsewhere.get("MetadataFile")))
        root = _parse(content.decode("utf-8", "replace"))
    images = [node for node in root if _tag(node) == "Image"]
    own = _own_names(root, images, file_name)
    ours, beside = [], set()
    for image in images:
        here = [data for data in _planes_of(image) if _file_of(data) in own]
        if _BESIDE_THE_IMAGE.match(image.get("Name", "")):
            beside |= {int(data.get("IFD", 0)) for data in here}
        elif here:
            ours.append(image)
    if not ours:
        raise Unreadable(f"its OME-XML does not say which of the images it describes lie in {file_name!r}")
    if scene is not None:
        chosen = choose_scene(ours, [image.get("Name", "") for image in ours], scene)
        beside |= {page for image in ours if image is not chosen for page in _own_pages(image, own)}
        ours = [chosen]
    if len(ours) > 1:
        names = [image.get("Name", "") for image in ours]
        raise Unreadable(f"it holds {len(ours)} images, not one: `scene=0` takes the first of {names[:5]}")
    full = [page for number, page in enumerate(pages) if number not in beside and not is_reduced(page)]
    return _planes(ours[0], root, own, pages, full or pages, open_sibling)


def choose_scene(images: Sequence[_T], names: Sequence[str], scene: int | str) -> _T:
    """Chooses one of several images by its number or its name."""
    if isinstance(scene, str) and names.count(scene) == 1:
        return images[names.index(scene)]
    if isinstance(scene, int) and not isinstance(scene, bool) and 0 <= scene < len(images):
        return images[scene]
    raise Unreadable(f"`scene` must be the name or the number of one of its images, {list(names)}, not {scene!r}")


def _own_pages(image: ElementTree.Element, own: set[str | None]) -> Iterator[int]:
    """The numbers of the pages that an image has in this file."""
    for data in _planes_of(image):
        if _file_of(data) in own:
            first = int(data.get("IFD", 0))
            yield from range(first, first + min(int(data.get("PlaneCount", data.get("NumPlanes", 1))), _MOST_PLANES))


def _planes(
    image: ElementTree.Element,
    root: ElementTree.Element,
    own: set[str | None],
    pages: Pages,
    full: Pages,
    open_sibling: Callable[[str], Pages],
) -> Planes:
    """Finds the pages of an image; those of the file, which are `pages`, must all be its, but for what is not full."""
    pixels = next(node for node in image if _tag(node) == "Pixels")
    order = pixels.get("DimensionOrder", "XYCZT")[:1:-1]
    sizes = {axis: int(pixels.get(f"Size{axis}", 1)) for axis in "XYCZT"}
    channels = [node for node in pixels if _tag(node) == "Channel"]
    samples = {int(node.get("SamplesPerPixel", 1)) for node in channels} or {1}
    if len(samples) > 1 or sorted(order) != ["C", "T", "Z"] or min(sizes.values()) < 1:
        raise Unreadable("its OME-XML describes pixels that cannot be read")
    components = max(*samples, full[0].samplesperpixel)
    if components > 1 and sizes["C"] % components == 0:
        sizes["C"] //= components
    if any(_tag(node).startswith("ModuloAlongC") for node in root.iter()):
        raise Unreadable("its axis of channels holds another one (ModuloAlongC)")
    shape = tuple(sizes[axis] for axis in order)
    num_planes = math.prod(shape)
    if num_planes > _MOST_PLANES:
        raise Unreadable(f"its OME-XML declares {num_planes} planes, more than {_MOST_PLANES}")
    found: dict[int, tifffile.TiffPage] = {}
    total = 0
    files: dict[str | None, Pages] = dict.fromkeys(own, pages)
    for data in _planes_of(image):
        name = _file_of(data)
        if name not in files:
            if len(files) > _MOST_FILES:
                raise Unreadable(f"its OME-XML spreads it over more than {_MOST_FILES} files")
            files[name] = open_sibling(_bare_name(name))
        there = files[name]
        first = int(data.get("IFD", 0))
        unsaid = 1 if data.get("IFD") else min(len(there), num_planes)
        count = int(data.get("PlaneCount", data.get("NumPlanes", unsaid)))
        place = sum(int(data.get(f"First{axis}", 0)) * math.prod(shape[i + 1 :]) for i, axis in enumerate(order))
        if min(first, count, place) < 0 or first + count > len(there) or place + count > num_planes:
            raise Unreadable(
                f"its OME-XML declares {num_planes} planes, and of these {place} to {place + count} in pages {first} "
                f"to {first + count}, but there are {len(there)} pages"
            )
        total += count
        if total > num_planes:
            raise Unreadable("its OME-XML names a plane twice")
        found |= {place + number: there[first + number] for number in range(count)}
    if len(found) != num_planes:
        raise Unreadable(f"its OME-XML declares {num_planes} planes, of which {num_planes - len(found)} are missing")
    planes = [found[number] for number in sorted(found)]
    if len({(id(page.parent), page.offset) for page in planes}) < num_planes:
        raise Unreadable("its OME-XML gives one page to two planes")
    used = {page.offset for page in planes if page.parent is pages[0].parent}
    if any(page.offset not in used for page in full):
        raise Unreadable(f"it has {len(full)} pages, of which its OME-XML names {len(used)}")
    if any((page.imagelength, page.imagewidth) != (sizes["Y"], sizes["X"]) for page in planes):
        raise Unreadable(f"its pages are not as large as its OME-XML says, {sizes['Y']} x {sizes['X']}")
    names = tuple(node.get("Name", "").strip() for node in channels)
    return Planes(planes, (*shape, *planes[0].shape), order + planes[0].axes, names if any(names) else None)


def ome_pixel_size(text: str, scene: int | str | None = None) -> tuple[tuple[float, str], tuple[float, str]] | None:
    """Reads width and height of a pixel, each with its unit; `None` where the OME-XML does not say it."""
    images = [node for node in _parse(text) if _tag(node) == "Image"]
    images = [image for image in images if not _BESIDE_THE_IMAGE.match(image.get("Name", ""))] or images
    if scene is not None:
        images = [choose_scene(images, [image.get("Name", "") for image in images], scene)]
    pixels = _child(images[0], "Pixels") if images else None
    if pixels is None or not pixels.get("PhysicalSizeX"):
        return None
    width = float(pixels.get("PhysicalSizeX", "nan")), pixels.get("PhysicalSizeXUnit", "µm")
    height = float(pixels.get("PhysicalSizeY", width[0])), pixels.get("PhysicalSizeYUnit", width[1])
    return width, height


def _parse(text: str) -> ElementTree.Element:
    if len(text) > _MOST_TEXT:
        raise Unreadable(f"its OME-XML has {len(text)} characters, more than {_MOST_TEXT}")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable("its OME-XML must not define entities")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise Unreadable(f"its OME-XML is damaged ({error})") from error


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _child(node: ElementTree.Element, tag: str) -> ElementTree.Element | None:
    return next((child for child in node if _tag(child) == tag), None)


def _planes_of(image: ElementTree.Element) -> list[ElementTree.Element]:
    pixels = _child(image, "Pixels")
    if pixels is None:
        return []
    return [node for node in pixels if _tag(node) == "TiffData"] or [ElementTree.Element("TiffData")]


def _file_of(data: ElementTree.Element) -> str | None:
    """Gives the name of the file that the planes lie in, `None` for this one."""
    uuid = _child(data, "UUID")
    return None if uuid is None else uuid.get("FileName") or _text(uuid)


def _text(node: ElementTree.Element | None) -> str:
    return "" if node is None else (node.text or "").strip()


def _own_names(root: ElementTree.Element, images: list[ElementTree.Element], file_name: str) -> set[str | None]:
    """What the XML calls the file that it stands in: by its name, or by its UUID where it was renamed."""
    listed = [data for image in images for data in _planes_of(image)]
    uuids = {_file_of(data): _text(_child(data, "UUID")) for data in listed}
    own = {name for name in uuids if name and name.lower() == file_name.lower()}
    own = own or {name for name, uuid in uuids.items() if name and uuid and uuid == root.get("UUID")}
    return {None, *(own or (uuids if len(uuids) == 1 else ()))}


def _bare_name(name: str | None) -> str:
    if not name or name in (".", "..") or os.path.basename(name) != name or any(part in name for part in "\\:\0"):
        raise Unreadable(f"its OME-XML must name files of the same folder only, not {name!r}")
    return name
