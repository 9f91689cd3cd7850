"""A source of samples whose channels lie in one file each."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.data.file_pixel_size import read_pixel_size
from keras_hpa.data.image_content import MAX_BYTES
from keras_hpa.data.projections import check_project, project_stack
from keras_hpa.data.read_image import read_image, read_planes
from keras_hpa.data.sample_paths import check_files, check_names, check_pattern, check_planes, paths_of
from keras_hpa.data.stack_channels import stack_channels


class ChannelFiles:
    """A source that reads each channel of a sample from a file of its own, as Kaggle's HPA challenges lay them out.

    Ids often come from a table that somebody else wrote. They are names of files below `root` and nothing else: an id
    that would lead out of it is refused, through a symbolic link too.

    Args:
        root: the folder that holds the files: PNG, JPEG, TIFF, gzipped TIFF, or NPY.
        ids: the samples' ids.
        channels: the names of the channels, in the order in which they are stacked.
        pattern: a file's path below `root`, with `{id}` and `{channel}` where they belong.
        files: in place of `pattern`, for each channel the path below `root` of every sample's file; or an axis, such
            as "Z", and the paths of its planes.
        project: how the stack that a file holds, or several files, becomes an image, as `read_stack` takes it.
        scene: which image of a file that holds several, as `read_stack` takes it.
        missing: "error", or "zeros" for a dark image in place of a channel whose file does not exist. `filled` says
            which these are, and `validate` counts them.
        max_bytes: a channel that would take more when decoded is refused before it is.

    Raises:
        FileNotFoundError: if `root` is not a folder; from `read`, if a channel's file is missing.
        ValueError: if ids or channels repeat or could leave `root`, or the pattern is not as above; from `read`, if a
            file cannot be read, is not of one channel, or differs in size or type from the sample's others. The
            messages of `read` name sample, channel and path.

    Example:
        >>> import os, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> for channel in ("dapi", "gfp"):
        ...     np.save(os.path.join(folder.name, f"A01_{channel}.npy"), np.zeros((8, 6), "uint16"))
        >>> source = ChannelFiles(folder.name, ["A01"], channels=["dapi", "gfp"], pattern="{id}_{channel}.npy")
        >>> source.read(0).shape
        (8, 6, 2)
        >>> folder.cleanup()
    """

    reads_in_processes = True

    def __init__(
        self,
        root: str | os.PathLike[str],
        ids: Sequence[str],
        *,
        channels: Sequence[str],
        pattern: str | None = None,
        files: Mapping[str, Sequence[Any]] | None = None,
        missing: Literal["error", "zeros"] = "error",
        project: Mapping[str, str | int] | None = None,
        scene: int | str | None = None,
        max_bytes: int = MAX_BYTES,
    ):
        self.root = Path(root)
        self.ids = check_names("ids", ids)
        self.channels = check_names("channels", channels)
        self.files = files
        self.missing = missing
        self.project = project
        self.scene = scene
        self.max_bytes = max_bytes
        self._pixel_sizes: dict[int, float | None] = {}
        if not self.root.is_dir():
            raise FileNotFoundError(f"`root` must be a folder. Received: {os.fspath(self.root)!r}")
        self.pattern = pattern
        if files is not None:
            check_files(files, self.channels, len(self.ids), pattern)
        else:
            self.pattern = "{id}_{channel}.png" if pattern is None else pattern
            check_pattern(self.pattern, {"id"} if len(self.channels) == 1 else {"id", "channel"})
        check_project(project)
        if not self.channels:
            raise ValueError(f"`channels` must hold one name or more. Received: {channels!r}")
        if missing not in ("error", "zeros"):
            raise ValueError(f"`missing` must be 'error' or 'zeros'. Received: {missing!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"ChannelFiles({os.fspath(self.root)!r}, {len(self)} samples, channels={self.channels}, " + (
            f"pattern={self.pattern!r})" if self.files is None else "listed files)"
        )

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        """The (id, channel) pairs that are read as zeros: looked up in the folder, so the same for every copy."""
        if self.missing == "error":
            return frozenset()
        exists = {
            (id_, channel): bool(paths := self._paths(index, channel)) and all(path.exists() for path in paths)
            for index, id_ in enumerate(self.ids)
            for channel in self.channels
        }
        return frozenset(pair for pair, is_there in exists.items() if not is_there)

    def select_channels(self, names: Sequence[str]) -> "ChannelFiles":
        """Makes the same source with some of its channels; the files of the others are not opened."""
        return ChannelFiles(
            self.root,
            self.ids,
            channels=names,
            pattern=self.pattern,
            files=None if self.files is None else {name: self.files[name] for name in names},
            missing=self.missing,
            project=self.project,
            scene=self.scene,
            max_bytes=self.max_bytes,
        )

    def path(self, index: int, channel: str) -> Path:
        """Gives the path of the file that holds one channel of one sample, whether it exists or not."""
        paths = self._paths(index, channel)
        return paths[0] if paths else self.root / f"{self.ids[index]}_{channel}"

    def _paths(self, index: int, channel: str) -> list[Path]:
        """The files of a channel: one, unless its planes are files of their own; none where none is listed."""
        if self.files is not None:
            return [self.root / path for path in paths_of(self.files[channel][index])]
        return [self.root / str(self.pattern).format(id=self.ids[index], channel=channel)]

    def pixel_size(self, index: int) -> float | None:
        """Gives the micrometres per pixel that the TIFF of a sample's first channel says; `None` where it does not."""
        if index not in self._pixel_sizes:
            self._pixel_sizes[index] = read_pixel_size(
                self.path(index, self.channels[0]), scene=self.scene, root=self.root
            )
        return self._pixel_sizes[index]

    def read(self, index: int) -> npt.NDArray[Any]:
        read = {channel: self._read_channel(index, channel) for channel in self.channels}
        images = {channel: image for channel, image in read.items() if image is not None}
        if not images:
            raise FileNotFoundError(
                f"Sample {self.ids[index]!r} must have one channel at least. Received: none of {self.channels}, such "
                f"as {os.fspath(self.path(index, self.channels[0]))!r}"
            )
        first, reference = next(iter(images.items()))
        for channel, image in images.items():
            if (image.shape, image.dtype) != (reference.shape, reference.dtype):
                raise ValueError(
                    f"All channels of a sample must have one size and one type. Received: sample {self.ids[index]!r}, "
                    f"channel {channel!r} ({os.fspath(self.path(index, channel))!r}): {image.dtype} of shape "
                    f"{image.shape}, but channel {first!r}: {reference.dtype} of shape {reference.shape}"
                )
        stacked = [images[name] if name in images else np.zeros_like(reference) for name in self.channels]
        return (
            stack_channels(stacked) if self._sharpest is None else project_stack(np.stack(stacked, axis=-1), "sharpest")
        )

    def _read_channel(self, index: int, channel: str) -> npt.NDArray[Any] | None:
        try:
            paths = self._paths(index, channel)
            if not paths:
                raise FileNotFoundError("There is no file")
            if self._sharpest is not None or len(paths) > 1:
                return self._read_stack(index, channel, paths)
            return self._read_file(paths[0])
        except FileNotFoundError as error:
            if self.missing == "zeros":
                return None
            raise FileNotFoundError(f"Sample {self.ids[index]!r}, channel {channel!r}: {error}") from None
        except ValueError as error:
            raise ValueError(f"Sample {self.ids[index]!r}, channel {channel!r}: {error}") from None

    @property
    def _sharpest(self) -> str | None:
        """The axis of which one plane is taken for all channels, so that they lie upon each other."""
        return next((axis for axis, way in check_project(self.project).items() if way == "sharpest"), None)

    def _read_file(self, path: Path) -> npt.NDArray[Any]:
        if self.project is None and self.scene is None:
            return read_image(path, max_bytes=self.max_bytes, root=self.root)
        return read_image(path, project=self.project, scene=self.scene, max_bytes=self.max_bytes, root=self.root)

    def _read_stack(self, index: int, channel: str, paths: Sequence[Path]) -> npt.NDArray[Any]:
        """Reads the planes of a channel, and projects them unless the sharpest is still to be found."""
        if len(paths) == 1:
            return read_planes(
                paths[0],
                str(self._sharpest),
                project=self.project,
                scene=self.scene,
                max_bytes=self.max_bytes,
                root=self.root,
            )
        planes = [self._read_file(path) for path in paths]
        check_planes(planes, paths)
        axis = str(self.files[channel][index][0]) if self.files is not None else ""
        way = check_project(self.project)[axis]
        return np.stack(planes) if way == "sharpest" else project_stack(np.stack(planes), way)
