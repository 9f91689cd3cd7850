"""A source of OME-Zarr images, on a disk or in a store such as S3."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.framing import check_pixel_size
from keras_hpa.data.image_content import MAX_BYTES, ImageContent, Unreadable, check_bytes
from keras_hpa.data.ome_zarr import ImageAbout, open_group, read_about, said_by
from keras_hpa.data.projections import check_project, project_content
from keras_hpa.data.read_stack import to_channels_last
from keras_hpa.data.resizing import check_image_size
from keras_hpa.data.sample_paths import check_names, could_leave

if TYPE_CHECKING:
    import zarr

_MOST_KNOWN = 4096  # images that are kept open, so that metadata are not fetched in every epoch
_SLACK = 1.01  # sizes of pixels are rounded


class ZarrImages:
    """A source that reads OME-Zarr images, version 0.4 or 0.5, at one level of their pyramids.

    Metadata are read when a sample is read for the first time. A chunk that is not there is dark, as the format has it;
    an image without any is an error. Needs `pip install "keras-hpa[zarr]"`, and for a URL
    fsspec's library of that store, such as `s3fs`. `load_ome_zarr` finds the images of a plate or a folder.

    Args:
        root: a folder, or a URL such as "s3://bucket/plate.zarr".
        ids: the samples' ids.
        paths: for each sample the path of its image below `root`, "" for `root` itself.
        channels: names of the channels to read, in the order in which they are stacked. Unless given, all that the
            first image names, or "0", "1", ...
        level: which level of the pyramids is read; 0, the finest, unless given.
        max_pixel_size: in place of `level`, the coarsest level whose pixels span at most so many micrometres.
        min_size: in place of `level`, the coarsest level that is at least so high and wide, or so large on both sides.
        project: how axes Z and T become images, as `read_stack` takes it.
        storage_options: what fsspec takes for the store, such as `{"anon": True}`.
        max_bytes: an image that would take more when decoded is refused before it is.

    Raises:
        FileNotFoundError: if an image is not there.
        ImportError: if zarr is not installed.
        ValueError: if arguments do not fit together, or an image is not as it should be; the message names the sample.

    Example:
        >>> source = ZarrImages("plate.zarr", ["A01_0"], paths=["A/1/0"], max_pixel_size=0.65)  # doctest: +SKIP
        >>> source.read(0).shape  # doctest: +SKIP
        (1080, 1080, 4)
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        ids: Sequence[str],
        *,
        paths: Sequence[str],
        channels: Sequence[str] | None = None,
        level: int | None = None,
        max_pixel_size: float | None = None,
        min_size: int | tuple[int, int] | None = None,
        project: Mapping[str, str | int] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        max_bytes: int = MAX_BYTES,
    ):
        if sum(one is not None for one in (level, max_pixel_size, min_size)) > 1:
            raise ValueError(
                "`level`, `max_pixel_size` and `min_size` exclude each other. "
                f"Received: {level!r}, {max_pixel_size!r}, {min_size!r}"
            )
        if level is not None and (isinstance(level, bool) or not isinstance(level, (int, np.integer)) or level < 0):
            raise ValueError(f"`level` must be a whole number of 0 or more. Received: {level!r}")
        self.root = os.fspath(root)
        self.ids = check_names("ids", ids)
        self.paths = tuple(paths)
        self.level = level
        self.max_pixel_size = None if max_pixel_size is None else check_pixel_size(max_pixel_size, "max_pixel_size")
        self.min_size = None if min_size is None else check_image_size(min_size, name="min_size")
        self.project = check_project(project)
        self.storage_options = storage_options
        self.max_bytes = max_bytes
        if len(self.paths) != len(self.ids) or any(path and could_leave(path) for path in self.paths):
            raise ValueError(f"`paths` must be {len(self.ids)} paths below `root`. Received: {self.paths[:5]}")
        self._begin()
        if channels is None:
            if not self.ids:
                raise ValueError(
                    "`channels` must be given where there are no samples to read them from. Received: None"
                )
            channels = self._guarded(0, lambda: self._image(0).names(self._image(0).array(self._level(self._image(0)))))
        self.channels = check_names("channels", channels)
        if not self.channels:
            raise ValueError(f"`channels` must hold one name or more. Received: {channels!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"ZarrImages({self.root!r}, {len(self)} samples, channels={self.channels})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def reads_in_processes(self) -> bool:
        """Decoding is work for the processor, waiting for a store is not."""
        return "://" not in self.root

    def select_channels(self, names: Sequence[str]) -> ZarrImages:
        """Makes the same source with some of its channels; the others are not fetched."""
        return ZarrImages(
            self.root,
            self.ids,
            paths=self.paths,
            channels=names,
            level=self.level,
            max_pixel_size=self.max_pixel_size,
            min_size=self.min_size,
            project=self.project,
            storage_options=self.storage_options,
            max_bytes=self.max_bytes,
        )

    def pixel_size(self, index: int) -> float | None:
        """Gives the micrometres per pixel of the level that is read of a sample; `None` where it is not said."""

        def ask() -> float | None:
            image = self._image(index)
            return image.about.pixel_size(self._level(image))

        return self._guarded(index, ask)

    def read(self, index: int) -> npt.NDArray[Any]:
        return self._guarded(index, lambda: self._read(index))

    def label_names(self, index: int) -> tuple[str, ...]:
        """Gives the names of a sample's label images, such as masks of nuclei."""

        def ask() -> tuple[str, ...]:
            try:
                names = said_by(open_group(self.root, self._below(index, "labels"), self.storage_options)).get("labels")
            except FileNotFoundError:
                return ()
            return tuple(str(name) for name in names or () if not could_leave(str(name)))

        return self._guarded(index, ask)

    def read_label(self, index: int, name: str) -> npt.NDArray[Any]:
        """Reads a label image of a sample at the level of its image: integers of shape `(height, width)`, 0 is outside.

        Args:
            index: position of the sample.
            name: one of `label_names(index)`.
        """
        if name not in self.label_names(index):
            raise ValueError(f"`name` must be one of {self.label_names(index)}. Received: {name!r}")

        def ask() -> npt.NDArray[Any]:
            labels = _Image(
                open_group(self.root, self._below(index, f"labels/{name}"), self.storage_options), self.max_bytes
            )
            image = self._image(index)
            level = min(self._level(image), len(labels.about.levels) - 1)
            array, axes = labels.array(level), labels.about.axes
            key = [self._part(axis, length) for axis, length in zip(axes, array.shape, strict=True)]
            left = "".join(axis for axis, one in zip(axes, key, strict=True) if isinstance(one, slice))
            check_bytes(array.shape, array.dtype, self.max_bytes)
            values = project_content(ImageContent(np.asarray(array[tuple(key)]), left), self.project)
            stacked, _ = to_channels_last(values, None)
            if stacked.shape[2] != 1 or stacked.dtype.kind not in "iu":
                raise ValueError(f"label image {name!r} must be one plane of integers, not {array.dtype} {array.shape}")
            return stacked[..., 0]

        return self._guarded(index, ask)

    def _below(self, index: int, path: str) -> str:
        return f"{self.paths[index]}/{path}".lstrip("/")

    def _guarded(self, index: int, function: Any) -> Any:
        where = f"Sample {self.ids[index]!r} ({self.root!r}, {self.paths[index]!r})"
        try:
            return function()
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{where} must be there. Received: {error}") from None
        except (Unreadable, ValueError, KeyError, RuntimeError) as error:  # codecs raise what comes
            raise ValueError(f"{where} cannot be read. Received: {error}") from error

    def _begin(self) -> None:
        self._known: dict[int, _Image] = {}

    def _image(self, index: int) -> _Image:
        image = self._known.get(index)
        if image is None:
            image = _Image(open_group(self.root, self.paths[index], self.storage_options), self.max_bytes)
            if len(self._known) >= _MOST_KNOWN:
                self._known = {}
            self._known[index] = image
        return image

    def _level(self, image: _Image) -> int:
        about = image.about
        numbers = range(len(about.levels))
        if self.level is not None:
            if self.level not in numbers:
                raise ValueError(f"`level` must lie in 0 to {numbers[-1]}, not {self.level}")
            return self.level
        if self.max_pixel_size is not None:
            sizes = [about.pixel_size(number) for number in numbers]
            if None in sizes:
                raise ValueError("`max_pixel_size` needs images that say their unit of length, use `level`")
            return max((n for n in numbers if (sizes[n] or 0) <= self.max_pixel_size * _SLACK), default=0)
        if self.min_size is not None:
            sides = about.axes.index("Y"), about.axes.index("X")
            for number in reversed(numbers[1:]):
                shape = image.array(number).shape
                if all(shape[side] >= wanted for side, wanted in zip(sides, self.min_size, strict=True)):
                    return number
        return 0

    def _read(self, index: int) -> npt.NDArray[Any]:
        image = self._image(index)
        axes, array = image.about.axes, image.array(self._level(image))
        names = image.names(array)
        if not set(self.channels) <= set(names):
            raise ValueError(f"its channels must hold {self.channels}, but are {names}")
        wanted = [names.index(name) for name in self.channels]
        key = [self._part(axis, length) for axis, length in zip(axes, array.shape, strict=True)]
        left = "".join(axis for axis, one in zip(axes, key, strict=True) if isinstance(one, slice))
        shape = {axis: length for axis, length in zip(axes, array.shape, strict=True) if axis in left}
        is_part = "C" in left and wanted != list(range(shape["C"]))
        check_bytes(tuple((shape | {"C": len(wanted)} if is_part else shape).values()), array.dtype, self.max_bytes)
        if is_part:
            place = axes.index("C")
            planes = [np.asarray(array[(*key[:place], one, *key[place + 1 :])]) for one in wanted]
            values = np.stack(planes, axis=left.index("C"))
        else:
            values = np.asarray(array[tuple(key)])
        stacked, _ = to_channels_last(project_content(ImageContent(values, left), self.project), None)
        if stacked.dtype.kind == "f" and not np.isfinite(stacked).all():
            raise ValueError("it holds NaN or infinity")
        if not (stacked != stacked.flat[0]).any() and not array.nchunks_initialized:
            raise FileNotFoundError("none of its chunks is there")
        return stacked

    def _part(self, axis: str, length: int) -> int | slice:
        """What is fetched along an axis: one plane, if one is enough."""
        if axis not in "ZT":
            return slice(None)
        way = self.project.get(axis)
        chosen = length // 2 if way == "middle" else way
        if isinstance(chosen, int):
            if not -length <= chosen < length:
                raise ValueError(f"`project` must choose a plane of 0 to {length - 1}, not {chosen}")
            return chosen % length
        return 0 if length == 1 else slice(None)


class _Image:
    """An image that is open: its metadata, and the arrays of its levels once they were asked for."""

    def __init__(self, group: zarr.Group, max_bytes: int):
        self.group = group
        self.max_bytes = max_bytes
        self.about: ImageAbout = read_about(group)
        self.arrays: dict[int, Any] = {}

    def array(self, level: int) -> Any:
        """Opens a level; refuses what is no array of numbers, and pickled objects, which are never loaded."""
        if level not in self.arrays:
            path = self.about.levels[level].path
            try:
                array: Any = self.group[path]
            except KeyError:
                raise FileNotFoundError(f"level {path!r} is missing") from None
            if not hasattr(array, "dtype"):
                raise Unreadable(f"level {path!r} must be an array, not a group")
            codecs = [getattr(array.metadata, "compressor", None), *(getattr(array.metadata, "filters", None) or ())]
            if array.dtype.kind not in "iuf" or "pickle" in {getattr(codec, "codec_id", "") for codec in codecs}:
                raise Unreadable(f"it must hold plain numbers, not {array.dtype}")
            for piece in (array.chunks, array.shards or ()):  # which are decoded whole
                check_bytes(tuple(piece), array.dtype, self.max_bytes)
            if array.ndim != len(self.about.axes) or not math.prod(array.shape):
                raise Unreadable(f"its shape {array.shape} does not fit its axes {self.about.axes}")
            self.arrays[level] = array
        return self.arrays[level]

    def names(self, array: Any) -> tuple[str, ...]:
        """The channels' names in the order of the file, or their numbers."""
        names, axes = self.about.names, self.about.axes
        count = array.shape[axes.index("C")] if "C" in axes else 1
        if names and "C" not in axes:
            return names[:1]
        return names if names and len(names) == count else tuple(map(str, range(count)))
