"""A source of samples whose channels lie in one file together."""

import os
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.file_pixel_size import read_pixel_size
from keras_hpa.data.image_content import MAX_BYTES
from keras_hpa.data.projections import check_project, project_stack
from keras_hpa.data.read_stack import read_stack
from keras_hpa.data.sample_paths import check_files, check_names, check_pattern, check_planes, paths_of


class ChannelStacks:
    """A source that reads all channels of a sample from one file: TIFF, OME-TIFF, NPY, or a colour PNG or JPEG.

    Args:
        root: the folder that holds the files.
        ids: the samples' ids, names of files below `root`.
        channels: the names of the file's channels, in its order. Unless given they are what the first sample's OME-TIFF
            calls them, or "0", "1", ... Where a file names its channels, the names are compared with these.
        pattern: a file's path below `root`, with `{id}` where it belongs.
        files: in place of `pattern`, the path below `root` of every sample's file.
        axes: what the axes of the files are, such as "CYX"; read from each file unless given.
        project: how stacks and time series become images, such as `{"Z": "max", "T": 0}`, as `read_stack` takes it.
        scene: which image of a file that holds several, as `read_stack` takes it.
        max_bytes: a file whose image would take more when decoded is refused before it is.

    Raises:
        FileNotFoundError: if `root` is not a folder, or a sample's file is missing.
        ValueError: if ids or channels repeat or could leave `root`, or the pattern is not as above; if a file cannot
            be read, or its channels are not `channels`. The messages of `read` name sample and path.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> folder = tempfile.TemporaryDirectory()
        >>> np.save(os.path.join(folder.name, "cell_7.npy"), np.zeros((3, 8, 6), "float32"))
        >>> source = ChannelStacks(folder.name, ["7"], pattern="cell_{id}.npy", channels=["nucleus", "er", "tubules"])
        >>> source.read(0).shape
        (8, 6, 3)
        >>> folder.cleanup()
    """

    reads_in_processes = True

    def __init__(
        self,
        root: str | os.PathLike[str],
        ids: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        pattern: str | None = None,
        files: Sequence[str | tuple[str, Sequence[str]]] | None = None,
        axes: str | None = None,
        project: Mapping[str, str | int] | None = None,
        scene: int | str | None = None,
        max_bytes: int = MAX_BYTES,
    ):
        self.root = Path(root)
        self.ids = check_names("ids", ids)
        self.pattern = pattern
        self.files = files
        self.axes = axes
        self.project = project
        self.scene = scene
        self.max_bytes = max_bytes
        self._pixel_sizes: dict[int, float | None] = {}
        self._first_names: tuple[str, ...] | None = None
        if not self.root.is_dir():
            raise FileNotFoundError(f"`root` must be a folder. Received: {os.fspath(self.root)!r}")
        if files is not None:
            check_files({"": files}, ("",), len(self.ids), pattern)
        else:
            self.pattern = "{id}.tif" if pattern is None else pattern
            check_pattern(self.pattern, {"id"})
        check_project(project)
        if channels is None:
            if not self.ids:
                raise ValueError(
                    "`channels` must be given where there are no samples to read them from. Received: None"
                )
            image, names = self._read(0)
            channels = names or [str(number) for number in range(image.shape[2])]
        self.channels = tuple(channels)
        if isinstance(channels, str) or not self.channels or len(set(self.channels)) != len(self.channels):
            raise ValueError(f"`channels` must be different names. Received: {channels!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"ChannelStacks({os.fspath(self.root)!r}, {len(self)} samples, channels={self.channels}, " + (
            f"pattern={self.pattern!r})" if self.files is None else "listed files)"
        )

    def path(self, index: int) -> Path:
        """Gives the path of the file that holds one sample, whether it exists or not."""
        return self._paths(index)[0]

    def _paths(self, index: int) -> list[Path]:
        """The files of one sample: one, unless its planes are files of their own."""
        if self.files is not None:
            return [self.root / path for path in paths_of(self.files[index])]
        return [self.root / str(self.pattern).format(id=self.ids[index])]

    def pixel_size(self, index: int) -> float | None:
        """Gives the micrometres per pixel that a sample's TIFF says; `None` where it does not."""
        if index not in self._pixel_sizes:
            self._pixel_sizes[index] = read_pixel_size(self.path(index), scene=self.scene, root=self.root)
        return self._pixel_sizes[index]

    def read(self, index: int) -> npt.NDArray[Any]:
        image, names = self._read(index)
        if image.shape[2] != len(self.channels) or not _agree(names, self.channels, partly=False):
            found = f"{image.shape[2]} channels" if names is None else f"channels {names}"
            raise ValueError(
                f"Sample {self.ids[index]!r} must have the channels {self.channels}. "
                f"Received: {found} in {os.fspath(self.path(index))!r}"
            )
        if index and names is not None and _plain(names) != _plain(self.channels):
            others = self._names_of_first()
            if not _agree(names, others, partly=True):
                raise ValueError(
                    f"All samples must have their channels in one order. Received: sample {self.ids[index]!r} with "
                    f"channels {names} in {os.fspath(self.path(index))!r}, but sample {self.ids[0]!r} with {others}"
                )
        return image

    def _names_of_first(self) -> tuple[str, ...] | None:
        """What the first file calls its channels, because other names say nothing about the order in the files."""
        if self._first_names is None:
            try:
                self._first_names = self._read(0)[1] or ()
            except (ValueError, FileNotFoundError):  # an error of its own, where it is read
                self._first_names = ()
        return self._first_names or None

    def _read(self, index: int) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
        paths = self._paths(index)
        try:
            read = [
                read_stack(
                    path,
                    axes=self.axes,
                    project=self.project,
                    scene=self.scene,
                    max_bytes=self.max_bytes,
                    root=self.root,
                )
                for path in paths
            ]
            if len(read) == 1:
                return read[0]
            check_planes([image for image, _ in read], paths)
            axis = str(self.files[index][0]) if self.files is not None else ""
            return project_stack(np.stack([image for image, _ in read]), check_project(self.project)[axis]), read[0][1]
        except (ValueError, FileNotFoundError) as error:
            raise type(error)(f"Sample {self.ids[index]!r}: {error}") from None


def _agree(names: tuple[str, ...] | None, channels: tuple[str, ...] | None, *, partly: bool) -> bool:
    """Other names for a file's channels are allowed; one of the file's own names in another place is a mix-up."""
    if names is None or channels is None:
        return True
    pairs = [(theirs, ours) for theirs, ours in zip(_plain(names), _plain(channels), strict=False) if theirs and ours]
    different = {name for theirs, ours in pairs if theirs != ours for name in (theirs, ours)}
    shared = {theirs for theirs, _ in pairs} & {ours for _, ours in pairs}
    return not (different & shared if partly else different and shared)


def _plain(names: tuple[str, ...]) -> list[str]:
    """Names as people compare them: "DAPI", "dapi" and " Dapi" are one, and so are "Alexa 488" and "alexa-488"."""
    folded = [unicodedata.normalize("NFKC", name).casefold() for name in names]
    return ["".join(letter for letter in name if letter.isalnum()) or name for name in folded]
