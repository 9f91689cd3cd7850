"""A source of samples whose channels lie in one file together."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt

from keras_hpa.data.readers import read_stack
from keras_hpa.data.sample_paths import check_below, check_names, check_pattern


class ChannelStacks:
    """A source that reads all channels of a sample from one file: TIFF, OME-TIFF, NPY, or a colour PNG or JPEG.

    Args:
        root: the folder that holds the files.
        ids: the samples' ids, names of files below `root`.
        channels: the names of the file's channels, in its order. Unless given they are what the first sample's OME-TIFF
            calls them, or "0", "1", ... Where a file names its channels, the names are held against these.
        pattern: a file's path below `root`, with `{id}` where it belongs.
        axes: what the axes of the files are, such as "CYX"; read from each file unless given.

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

    def __init__(
        self,
        root: str | os.PathLike[str],
        ids: Sequence[str],
        *,
        channels: Sequence[str] | None = None,
        pattern: str = "{id}.tif",
        axes: str | None = None,
    ):
        self.root = Path(root)
        self.ids = check_names("ids", ids)
        self.pattern = pattern
        self.axes = axes
        if not self.root.is_dir():
            raise FileNotFoundError(f"`root` must be a folder. Received: {os.fspath(self.root)!r}")
        check_pattern(pattern, {"id"})
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
        return (
            f"ChannelStacks({os.fspath(self.root)!r}, {len(self)} samples, channels={self.channels}, "
            f"pattern={self.pattern!r})"
        )

    def path(self, index: int) -> Path:
        """Gives the path of the file that holds one sample, whether it exists or not."""
        return self.root / self.pattern.format(id=self.ids[index])

    def read(self, index: int) -> npt.NDArray:
        image, names = self._read(index)
        if image.shape[2] != len(self.channels) or (names is not None and not _agree(names, self.channels)):
            found = f"{image.shape[2]} channels" if names is None else f"channels {names}"
            raise ValueError(
                f"Sample {self.ids[index]!r} must have the channels {self.channels}. "
                f"Received: {found} in {os.fspath(self.path(index))!r}"
            )
        return image

    def _read(self, index: int) -> tuple[npt.NDArray, tuple[str, ...] | None]:
        path = self.path(index)
        try:
            check_below(path, self.root)
            return read_stack(path, axes=self.axes)
        except (ValueError, FileNotFoundError) as error:
            raise type(error)(f"Sample {self.ids[index]!r}: {error}") from None


def _agree(names: tuple[str, ...], channels: tuple[str, ...]) -> bool:
    """Own names for a file's channels are welcome; the file's names in another order are a mix-up."""
    return names == channels or not set(names) & set(channels)
