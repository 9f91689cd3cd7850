"""A source with what is known of each sample."""

from __future__ import annotations

import math
import os
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.find_positions import find_positions
from keras_hpa.data.framing import check_pixel_sizes
from keras_hpa.data.source import Source, check_ids, labels_of, pixel_size_of, select_channels, subset
from keras_hpa.data.splits import check_groups, stratified_folds, stratified_parts
from keras_hpa.data.table_files import needs
from keras_hpa.labels import check_class_names, check_label_matrix

if TYPE_CHECKING:
    from keras_hpa.data.multi_channel_sequence import MultiChannelSequence


class Samples:
    """A source together with the labels of its samples, the names of the classes, and groups.

    Selecting, splitting and packing take everything along, so that no image meets the label of another. `Samples` are a
    `Source` and go wherever one goes. `samples[key]` gives `Samples`: by position, id, slice, a list of positions or
    ids, each at most once, or one boolean per sample. All goes by order, never by a table's index.

    Args:
        source: any source. Of other `Samples` everything is taken over that is not given here.
        labels: a matrix of shape `(num_samples, num_classes)`: 1 present, 0 absent, -1 unknown.
        class_names: the names of the columns of `labels`.
        groups: one hashable per sample: samples of one group (a patient, a plate, near duplicates) are never split.
        metadata: whatever else is known: a mapping, or a table, from a name to one value per sample.
        pixel_sizes: micrometres per pixel: one number, or one per sample, NaN or `None` where it is not known. Unless
            given, what the source knows.

    Raises:
        TypeError: if `source` is not a `Source`.
        ValueError: if an argument does not have one entry per sample or class, a label is not 0, 1 or -1, a group is
            missing, or other labels are given for samples that have some.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.zeros((10, 8, 8, 2), "uint8"), channels=["dapi", "gfp"])
        >>> samples = Samples(source, [[1, 0], [0, 1]] * 5, class_names=["Nucleus", "Cytosol"])
        >>> train, test = samples.split(test_size=0.2)
        >>> len(train), test.labels.tolist()
        (8, [[1, 0], [0, 1]])
        >>> samples[samples.labels[:, 1] == 1].ids
        ('1', '3', '5', '7', '9')
    """

    def __init__(
        self,
        source: Source,
        labels: npt.ArrayLike | None = None,
        *,
        class_names: Sequence[str] | None = None,
        groups: Sequence[Hashable] | None = None,
        metadata: Mapping[str, Sequence[Any]] | None = None,
        pixel_sizes: float | Sequence[float | None] | None = None,
    ):
        if not isinstance(source, Source):
            raise TypeError(f"`source` must have `ids`, `channels`, `len()` and `read`. Received: {type(source)}")
        known: Mapping[str, Sequence[Any]] = {} if metadata is None else metadata
        if isinstance(source, Samples):
            labels = labels_of(source, labels)
            class_names = source.class_names if class_names is None else class_names
            groups = source.groups if groups is None else groups
            known = source.metadata if metadata is None else known
            pixel_sizes = source.pixel_sizes if pixel_sizes is None else pixel_sizes
            source = source.source
        num_samples = len(source)
        self.source: Source = source
        self.ids = check_ids(source)
        self.labels = None if labels is None else check_label_matrix(labels, num_samples)
        self.class_names: tuple[str, ...] | None = None if class_names is None else check_class_names(class_names)
        if self.labels is not None and len(self.class_names or self.labels.T) != self.labels.shape[1]:
            num_classes = self.labels.shape[1]
            raise ValueError(f"`class_names` must be {num_classes}, one per column. Received: {self.class_names}")
        self.groups: list[Hashable] | None = check_groups(groups, num_samples, self.ids)
        if not hasattr(known, "keys"):
            raise ValueError(f"`metadata` must be a mapping from names to values. Received: {known!r}")
        for name in known:
            if isinstance(known[name], str) or not np.iterable(known[name]) or len(known[name]) != num_samples:
                raise ValueError(f"`metadata[{name!r}]` must have {num_samples} values. Received: {known[name]!r}")
        self.metadata: dict[str, list[Any]] = {name: list(known[name]) for name in known}
        self.pixel_sizes: list[float | None] | None = check_pixel_sizes(pixel_sizes, num_samples)

    @property
    def channels(self) -> tuple[str, ...]:
        return self.source.channels

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        return frozenset(getattr(self.source, "filled", ()))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, key: Any) -> Samples:
        return self._subset(find_positions(key, self.ids))

    def __repr__(self) -> str:
        classes = "no labels" if self.labels is None else f"{self.labels.shape[1]} classes"
        groups = "" if self.groups is None else f", {len(set(self.groups))} groups"
        return f"<{len(self)} samples, {classes}{groups}; from {self.source!r}>"

    @property
    def reads_in_processes(self) -> bool:
        return getattr(self.source, "reads_in_processes", False)

    def read(self, index: int) -> npt.NDArray[Any]:
        return self.source.read(index)

    def pixel_size(self, index: int) -> float | None:
        """Gives the micrometres that a pixel of a sample spans; `None` where that is not known."""
        return pixel_size_of(self.source, index) if self.pixel_sizes is None else self.pixel_sizes[index]

    def select_channels(self, names: Sequence[str]) -> Samples:
        """Gives the same samples with some of their channels, in the order of `names`."""
        return self._with(select_channels(self.source, names))

    def packed(self, path: str | os.PathLike[str], **options: Any) -> Samples:
        """Gives the same samples, read from a pack; `options` are those of `PackedSource.build`."""
        from keras_hpa.data.packed_source import PackedSource

        packed = PackedSource.build(self, path, **options)
        sizes: Any = options.get("pixel_size")
        if sizes is None and options.get("image_size") is None:
            sizes = [self.pixel_size(index) for index in range(len(self))]
        elif options.get("pixel_size") is None:
            sizes = math.nan  # it depends on how large each image was
        return self._with(packed, sizes)

    def batches(self, **options: Any) -> MultiChannelSequence:
        """Gives a `MultiChannelSequence` of these samples and their labels; `options` are its arguments."""
        from keras_hpa.data.multi_channel_sequence import MultiChannelSequence

        return MultiChannelSequence(self, **options)

    def split(
        self, *, test_size: float | None = None, validation_size: float | None = None, seed: int = 0
    ) -> tuple[Samples, ...]:
        """Splits by `stratified_split`, groups whole; without labels at random.

        `test_size` and `validation_size` are shares of all samples. Gives `(train, test)`, `(train, validation)`, or,
        where both are given, `(train, validation, test)`.
        """
        given = {"validation_size": validation_size, "test_size": test_size}
        sizes = {name: size for name, size in given.items() if size is not None}
        if not sizes:
            raise ValueError("`test_size`, `validation_size` or both must be given. Received: neither")
        return tuple(map(self._subset, stratified_parts(self._classes(), sizes, self.groups, seed)))

    def folds(self, num_folds: int = 5, *, seed: int = 0) -> list[tuple[Samples, Samples]]:
        """Gives `(train, test)` for each fold of `stratified_folds`, groups whole; without labels drawn at random."""
        folds = stratified_folds(self._classes(), num_folds, groups=self.groups, seed=seed)
        return [(self._subset(train), self._subset(test)) for train, test in folds]

    def group_folds(self) -> list[tuple[Samples, Samples]]:
        """Gives `(train, test)` for each group, in the order in which they occur: to leave out one plate at a time."""
        if self.groups is None or len(set(self.groups)) < 2:
            raise ValueError(f"`groups` must be given, two or more, to leave one out. Received: {self!r}")
        numbers = {group: number for number, group in enumerate(dict.fromkeys(self.groups))}
        group_of_sample = np.array([numbers[group] for group in self.groups])
        return [
            (
                self._subset(np.flatnonzero(group_of_sample != number)),
                self._subset(np.flatnonzero(group_of_sample == number)),
            )
            for number in numbers.values()
        ]

    def to_frame(self) -> Any:
        """Gives a pandas DataFrame with a row per sample: its id, a column of 1, 0 and -1 per class, groups, metadata.

        `load_table` takes it back, with the names of the classes as `label_columns`. Groups that are no column of the
        metadata are in a column "group".
        """
        pandas = needs("pandas", "`to_frame` makes a pandas DataFrame")
        columns: dict[str, Any] = {"id": list(self.ids)}
        named: dict[str, Any] = {}
        if self.labels is not None:
            names = self.class_names or tuple(map(str, range(self.labels.shape[1])))
            named = {name: self.labels[:, number] for number, name in enumerate(names)}
        if self.groups is not None and self.groups not in self.metadata.values():
            named["group"] = self.groups
        for name, cells in [*named.items(), *self.metadata.items()]:
            if name in columns:
                raise ValueError(
                    f"Columns must have different names: id, classes, group, metadata. Received: {name!r} twice"
                )
            columns[name] = cells
        return pandas.DataFrame(columns)

    def _classes(self) -> npt.NDArray[np.int8]:
        return np.ones((len(self), 1), np.int8) if self.labels is None else self.labels

    def _with(self, source: Source, pixel_sizes: Any = None) -> Samples:
        return Samples(
            source,
            self.labels,
            class_names=self.class_names,
            groups=self.groups,
            metadata=self.metadata,
            pixel_sizes=self.pixel_sizes if pixel_sizes is None else pixel_sizes,
        )

    def _subset(self, positions: npt.NDArray[Any]) -> Samples:
        part = Samples(subset(self.source, positions), class_names=self.class_names)
        part.labels = None if self.labels is None else self.labels[positions]
        part.groups = None if self.groups is None else [self.groups[position] for position in positions]
        part.metadata = {name: [values[one] for one in positions] for name, values in self.metadata.items()}
        part.pixel_sizes = None if self.pixel_sizes is None else [self.pixel_sizes[position] for position in positions]
        return part
