"""What every part of the data side works with: the protocol of a source, and sources made of sources."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt


@runtime_checkable
class Source(Protocol):
    """Makes samples: files, arrays, memory maps, drawings, or whatever a user's own class reads.

    A source needs no labels and knows nothing of batches; `Samples` keeps a source and its labels together. It must be
    picklable, so that worker processes can be given a copy, and `read` must be safe to call from several threads.
    If reading is work for the processor, such as decoding, an attribute `reads_in_processes = True` has
    `MultiChannelSequence` read in processes, and not in threads.

    Attributes:
        ids: the samples' ids, all different.
        channels: the names of the channels, in the order of the last axis of what `read` returns.

    A source that gives zeros in place of channels that are missing says so in an attribute `filled`: (id, channel)
    pairs. `validate` counts them, through `subset`, `select_channels`, `Samples` and packs too. One that knows how
    large its pixels are has a method `pixel_size(index)`, which gives micrometres, or `None` where it is not known.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((2, 8, 8, 3), "uint8"))
        >>> isinstance(source, Source), len(source), source.channels
        (True, 2, ('channel1', 'channel2', 'channel3'))
        >>> source.read(0).shape
        (8, 8, 3)
    """

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def channels(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> npt.NDArray[Any]:
        """Reads one sample.

        Args:
            index: position of the sample, 0 to `len(source) - 1`.

        Returns:
            An array of shape `(height, width, len(channels))` in the file's own data type.
        """
        ...


def check_ids(source: Source) -> tuple[str, ...]:
    """Gives the ids of a source; refuses those that are not texts, all different, one per sample."""
    ids = tuple(source.ids)
    for sample_id in ids:
        if not isinstance(sample_id, str):
            raise ValueError(f"`source.ids` must be texts. Received: {sample_id!r}")
    if len(set(ids)) != len(source) or len(ids) != len(source):
        raise ValueError(f"`source.ids` must be {len(source)} different ids. Received: {ids[:5]}, ...")
    return ids


def subset(source: Source, indices: npt.ArrayLike) -> Source:
    """Makes a source of some samples of another, in the order of `indices`.

    Args:
        source: any source.
        indices: positions in `source`, each at most once, or one boolean per sample.

    Returns:
        A source of as many samples as `indices` names, with the same channels; of `Samples`, `Samples`.

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
    positions = positions.astype(int)
    own_way = getattr(source, "_subset", None)
    return own_way(positions) if own_way is not None else _Subset(source, positions)


def select_channels(source: Source, names: Sequence[str]) -> Source:
    """Makes a source of some channels of another, in the order of `names`; files of other channels are not opened.

    Args:
        source: any source.
        names: names of `source.channels`, each at most once.

    Returns:
        A source of the same samples, whose `channels` are `names`; of `Samples`, `Samples`.

    Raises:
        ValueError: if a name is unknown or repeated, or there is none.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((3, 8, 8, 3), "uint8"), channels=["dapi", "gfp", "tubulin"])
        >>> select_channels(source, ["tubulin", "dapi"]).read(0).shape
        (8, 8, 2)
    """
    chosen = (names,) if isinstance(names, str) else tuple(names)
    if not chosen or len(set(chosen)) != len(chosen) or not set(chosen) <= set(source.channels):
        raise ValueError(f"`names` must be different names of {source.channels}. Received: {names!r}")
    own_way = getattr(source, "select_channels", None)
    return own_way(chosen) if own_way is not None else _ChannelSelection(source, chosen)


def pixel_size_of(source: Source, index: int) -> float | None:
    """Gives the micrometres that a pixel of a sample spans; `None` where the source does not know."""
    own = getattr(source, "pixel_size", None)
    return own(index) if callable(own) else None


def labels_of(source: Source, labels: npt.ArrayLike | None) -> npt.ArrayLike | None:
    """Gives `labels`, or those that the source has itself; refuses others beside those."""
    own = getattr(source, "labels", None)
    if labels is None:
        return own
    if own is not None and not np.array_equal(np.asarray(own), np.asarray(labels)):
        raise ValueError(
            "`labels` must be left out where the source has labels: pairing by hand is for plain sources. "
            f"Received: labels that differ from those of {source!r}"
        )
    return labels


class _Subset:
    def __init__(self, source: Source, indices: npt.NDArray[Any]):
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

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        ids = set(self.ids)
        return frozenset(pair for pair in getattr(self.source, "filled", ()) if pair[0] in ids)

    @property
    def reads_in_processes(self) -> bool:
        return getattr(self.source, "reads_in_processes", False)

    def read(self, index: int) -> npt.NDArray[Any]:
        return self.source.read(int(self.indices[index]))

    def pixel_size(self, index: int) -> float | None:
        return pixel_size_of(self.source, int(self.indices[index]))

    def select_channels(self, names: Sequence[str]) -> "_Subset":
        return _Subset(select_channels(self.source, names), self.indices)

    def _subset(self, positions: npt.NDArray[Any]) -> "_Subset":
        return _Subset(self.source, self.indices[positions])


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

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        return frozenset(pair for pair in getattr(self.source, "filled", ()) if pair[1] in self.channels)

    @property
    def reads_in_processes(self) -> bool:
        return getattr(self.source, "reads_in_processes", False)

    def read(self, index: int) -> npt.NDArray[Any]:
        return self.source.read(index)[..., [self.source.channels.index(name) for name in self.channels]]

    def pixel_size(self, index: int) -> float | None:
        return pixel_size_of(self.source, index)
