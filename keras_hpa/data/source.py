"""What every part of the data side works with: the protocol of a source, and sources made of sources."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


@runtime_checkable
class Source(Protocol):
    """Makes samples: files, arrays, memory maps, drawings, or whatever a user's own class reads.

    A source holds no labels and knows nothing of batches. It must be picklable, so that worker processes can be handed
    a copy, and `read` must be safe to call from several threads.

    Attributes:
        ids: the samples' ids, all different.
        channels: the names of the channels, in the order of the last axis of what `read` returns.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((2, 8, 8, 4), "uint8"))
        >>> isinstance(source, Source), len(source), source.channels
        (True, 2, ('red', 'green', 'blue', 'yellow'))
        >>> source.read(0).shape
        (8, 8, 4)
    """

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def channels(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> npt.NDArray:
        """Reads one sample.

        Args:
            index: position of the sample, 0 to `len(source) - 1`.

        Returns:
            An array of shape `(height, width, len(channels))` in the file's own data type.
        """
        ...


def subset(source: Source, indices: npt.ArrayLike) -> Source:
    """Makes a source of some samples of another, in the order of `indices`.

    Args:
        source: any source.
        indices: positions in `source`, each at most once, or one boolean per sample.

    Returns:
        A source of as many samples as `indices` names, with the same channels.

    Raises:
        ValueError: if an index is out of range or repeated, or the booleans are not one per sample.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((3, 8, 8, 4), "uint8"), ids=["a", "b", "c"])
        >>> subset(source, [2, 0]).ids
        ('c', 'a')
    """
    positions = np.asarray(indices)
    if positions.ndim != 1 or (positions.size and positions.dtype.kind not in "iub"):
        raise ValueError(f"`indices` must be a list of integers or of booleans. Received: {indices!r}")
    if positions.dtype == bool:
        if len(positions) != len(source):
            raise ValueError(f"`indices` must have one boolean per sample, {len(source)}. Received: {len(positions)}")
        positions = np.flatnonzero(positions)
    for position in positions[(positions < 0) | (positions >= len(source))]:
        raise ValueError(f"`indices` must lie in 0 to {len(source) - 1}. Received: {position}")
    if len(np.unique(positions)) != len(positions):
        raise ValueError(f"`indices` must not repeat. Received: {indices!r}")
    if isinstance(source, _Subset):
        return _Subset(source.source, source.indices[positions.astype(int)])
    return _Subset(source, positions.astype(int))


def select_channels(source: Source, names: Sequence[str]) -> Source:
    """Makes a source of some channels of another, in the order of `names`; files of other channels are not opened.

    Args:
        source: any source.
        names: names of `source.channels`, each at most once.

    Returns:
        A source of the same samples, whose `channels` are `names`.

    Raises:
        ValueError: if a name is unknown or repeated, or there is none.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((3, 8, 8, 4), "uint8"))
        >>> select_channels(source, ["blue", "green"]).read(0).shape
        (8, 8, 2)
    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(source.channels):
        raise ValueError(f"`names` must be different names of {source.channels}. Received: {names!r}")
    if isinstance(source, _Subset):
        return _Subset(select_channels(source.source, chosen), source.indices)
    own_way = getattr(source, "select_channels", None)
    return own_way(chosen) if own_way is not None else _ChannelSelection(source, chosen)


class _Subset:
    def __init__(self, source: Source, indices: npt.NDArray):
        self.source = source
        self.indices = indices
        self.ids = tuple(source.ids[index] for index in indices)

    @property
    def channels(self) -> tuple[str, ...]:
        return self.source.channels

    def __len__(self) -> int:
        return len(self.indices)

    def __repr__(self) -> str:
        return f"<{len(self)} of {self.source!r}>"

    def read(self, index: int) -> npt.NDArray:
        return self.source.read(int(self.indices[index]))


class _ChannelSelection:
    def __init__(self, source: Source, names: tuple[str, ...]):
        self.source = source
        self.channels = names

    @property
    def ids(self) -> Sequence[str]:
        return self.source.ids

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"<channels {self.channels} of {self.source!r}>"

    def read(self, index: int) -> npt.NDArray:
        return self.source.read(index)[..., [self.source.channels.index(name) for name in self.channels]]
