"""What OME-Zarr says of its images, in version 0.4 and 0.5: wells and fields, axes, channels, resolutions, scale."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keras_hpa.data.file_pixel_size import in_micrometres
from keras_hpa.data.found_files import Found, FoundSample, with_well
from keras_hpa.data.image_content import Unreadable
from keras_hpa.data.sample_paths import could_leave
from keras_hpa.data.table_files import needs

if TYPE_CHECKING:
    import zarr

_AT_ONCE = 16  # of wells that are asked for: on S3 each takes as long as a message there and back
_MOST_SERIES = 10_000
_ENDINGS = (".ome.zarr", ".zarr")


@dataclass
class Resolution:
    """One level of a pyramid: where it lies, and how many units a step along each axis is."""

    path: str
    scale: list[float]


@dataclass
class ImageAbout:
    """What the metadata of one image say.

    Attributes:
        axes: a letter for each axis of the arrays: T, C, Z, Y, X.
        levels: from the finest on.
        units: of each axis, "" where none is said.
        names: of the channels, if there are any.
    """

    axes: str
    levels: list[Resolution]
    units: list[str]
    names: tuple[str, ...] | None

    def pixel_size(self, level: int) -> float | None:
        """Micrometres per pixel of a level; `None` where no unit says it."""
        sides = [
            in_micrometres(self.levels[level].scale[axis], self.units[axis])
            for axis in (self.axes.index("X"), self.axes.index("Y"))
        ]
        if sides[0] is None or sides[1] is None:
            return None
        if abs(sides[0] / sides[1] - 1) > 0.01:
            raise Unreadable(f"its pixels must be square, not {sides[0]:.4g} x {sides[1]:.4g} micrometres")
        return sides[0]


def open_group(root: str, path: str, storage_options: Mapping[str, Any] | None) -> zarr.Group:
    """Opens a group below `root`, a folder or a URL of fsspec, for reading."""
    library = needs("zarr", "OME-Zarr is read by zarr", extra="zarr")
    options = {} if storage_options is None else {"storage_options": dict(storage_options)}
    return library.open_group(root, path=path, mode="r", **options)


def said_by(group: zarr.Group) -> Mapping[str, Any]:
    """The metadata of OME in a group, which version 0.5 puts one level deeper."""
    attributes = dict(group.attrs)
    deeper = attributes.get("ome")
    return deeper if isinstance(deeper, dict) else attributes


def read_about(group: zarr.Group) -> ImageAbout:
    """Reads the metadata of one image."""
    said = said_by(group)
    try:
        whole = said["multiscales"][0]
        axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in whole["axes"]]
        outer = _scale(whole, len(axes))
        levels = [
            Resolution(str(one["path"]), [a * b for a, b in zip(_scale(one, len(axes)), outer, strict=True)])
            for one in whole["datasets"]
        ]
        names = [str(channel.get("label") or "") for channel in said.get("omero", {}).get("channels", [])]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"its metadata are not those of an OME-Zarr image ({type(error).__name__}: {error})") from None
    letters = "".join(str(axis.get("name", "?"))[:1].upper() for axis in axes)
    if not levels or any(could_leave(level.path) for level in levels) or not {"Y", "X"} <= set(letters) <= set("TCZYX"):
        raise Unreadable(f"its axes must be of t, c, z, y and x, and its levels below it, not {axes} and {levels}")
    units = [str(axis.get("unit") or "") for axis in axes]
    return ImageAbout(letters, levels, units, tuple(names) if any(names) else None)


def _scale(node: Mapping[str, Any], num_axes: int) -> list[float]:
    for one in node.get("coordinateTransformations") or ():
        if one.get("type") == "scale":
            return [float(number) for number in one["scale"]]
    return [1.0] * num_axes


def find_images(root: str, storage_options: Mapping[str, Any] | None) -> Found:
    """Finds the images of a plate, of a file of several, or of a folder of files; no pixel is read."""
    try:
        group = open_group(root, "", storage_options)
        said = said_by(group)
    except FileNotFoundError:
        return _folder(root, storage_options)
    except ImportError:
        raise
    except Exception as error:  # zarr, fsspec and the libraries of stores raise what comes
        kind = ValueError if isinstance(error, (KeyError, TypeError, ValueError)) else OSError
        raise kind(
            "`root` must be OME-Zarr that can be read, a store by the right `storage_options`. "
            f"Received: {root!r} ({type(error).__name__}: {error})"
        ) from error
    if "plate" in said:
        return _found(_plate(root, "", said["plate"], storage_options))
    if "multiscales" in said:
        return _found([FoundSample(_stem(root), {"id": _stem(root)}, {"": ""})])
    series = [str(number) for number in range(_count_series(group))]
    if not series:
        raise ValueError(
            f"`root` must be an OME-Zarr image or plate, or a folder of them. Received: {root!r}, whose metadata are "
            f"{sorted(said)}"
        )
    return _found([FoundSample(f"{_stem(root)}_{one}", {"id": f"{_stem(root)}_{one}"}, {"": one}) for one in series])


def _plate(
    root: str, name: str, plate: Mapping[str, Any], storage_options: Mapping[str, Any] | None
) -> list[FoundSample]:
    """The fields of a plate; `name` is that of the plate below `root`, if it is one of several."""
    try:
        paths = [str(well["path"]) for well in plate["wells"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"`root` must be a plate as OME-Zarr writes it. Received: {root!r} ({error!r})") from None
    for path in paths:
        if could_leave(path) or path.count("/") != 1:
            raise ValueError(f"Wells must lie below the plate, as 'A/1'. Received: {path!r} in {root!r}")

    def images_of(well: str) -> list[Mapping[str, Any]]:
        try:
            return list(said_by(open_group(root, posixpath.join(name, well), storage_options))["well"]["images"])
        except (FileNotFoundError, KeyError, TypeError) as error:
            raise FileNotFoundError(
                f"Every well of a plate must be there. Received: {well!r} of {posixpath.join(root, name)!r} "
                f"({type(error).__name__}: {error})"
            ) from None

    with ThreadPoolExecutor(_AT_ONCE) as executor:
        listed = list(executor.map(images_of, paths))
    runs = {image.get("acquisition") for images in listed for image in images}
    samples = []
    for path, images in zip(paths, listed, strict=True):
        row, column = path.split("/")
        for image in images:
            field = str(image.get("path", ""))
            if not field or could_leave(field):
                raise ValueError(f"Fields must lie below their well. Received: {field!r} in {path!r} of {root!r}")
            fields = with_well({"row": row, "col": column, "field": field})
            fields = {"plate": _stem(name), **fields} if name else fields
            if len(runs) > 1:
                fields["acquisition"] = str(image.get("acquisition", ""))
            sample_id = "_".join([*([_stem(name)] if name else []), fields["well"], field])
            samples.append(FoundSample(sample_id, fields, {"": posixpath.join(name, path, field)}))
    if not samples:
        raise FileNotFoundError(f"`root` must hold fields. Received: a plate of {len(paths)} wells in {root!r}")
    return samples


def _folder(root: str, storage_options: Mapping[str, Any] | None) -> Found:
    """Images, or plates, each by its name."""
    names = _names_in(root, storage_options)
    files = sorted(name for name in names if name.endswith(_ENDINGS))
    if not files:
        raise FileNotFoundError(
            f"`root` must be an OME-Zarr image or plate, or a folder of them. Received: {root!r}, "
            + (f"with {sorted(names)[:5]}" if names else "which is empty or not there")
        )
    with ThreadPoolExecutor(_AT_ONCE) as executor:
        plates: list[Any] = list(
            executor.map(lambda name: said_by(open_group(root, name, storage_options)).get("plate"), files)
        )
    if not any(plates):
        return _found([FoundSample(_stem(name), {"id": _stem(name)}, {"": name}) for name in files])
    if not all(plates):
        mixed = files[plates.index(None)]
        raise ValueError(f"`root` must hold plates or images, not both. Received: {mixed!r} beside plates in {root!r}")
    several = zip(files, plates, strict=True)
    return _found([sample for name, plate in several for sample in _plate(root, name, plate, storage_options)])


def _names_in(root: str, storage_options: Mapping[str, Any] | None) -> Sequence[str]:
    try:
        if "://" not in root:
            return os.listdir(root)
        files, path = needs("fsspec", "URLs are opened by fsspec", extra="zarr").url_to_fs(
            root, **storage_options or {}
        )
        return [posixpath.basename(name.rstrip("/")) for name in files.ls(path, detail=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _count_series(group: zarr.Group) -> int:
    """How many images a file has that was converted from one of several, whose groups are "0", "1", ..."""
    if "bioformats2raw.layout" not in said_by(group):
        return 0
    return next(number for number in range(_MOST_SERIES + 1) if str(number) not in group)


def _stem(path: str) -> str:
    name = posixpath.basename(path.replace(os.sep, "/").rstrip("/"))
    return next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), name) or "image"


def _found(samples: list[FoundSample]) -> Found:
    return Found(None, samples, {})
