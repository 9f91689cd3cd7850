"""The cells of a field as one bag: batches for `BagOfCells`."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import MultiChannelSequence, Samples


class CellBags(MultiChannelSequence):
    """Makes batches of bags, each up to `bag_size` cells of one field: what `BagOfCells` is trained on.

    A pass has one bag of every field. Of a field with more cells they are drawn at random, with `shuffle` others in
    each pass; a field with fewer has all of them in its bag, and its empty places hold these again, so that every bag
    has one shape. Everything else is as in `MultiChannelSequence`: a batch is a pure function of seed, pass and index.

    A bag is labelled for the image and for each of its cells: a class is present in the image if it is in any of the
    field's cells in `samples`, absent if it is absent in one and unknown in the others. The cells have their own labels
    of `samples`, which for `CellCrops` are those of their field, and -1 in empty places.

    Cells in random order want a pack: `CellCrops(...).packed(path)`.

    Args:
        samples: the cells: `CellCrops`, or what was selected, split or packed from them, or other `Samples`.
        bag_size: how many cells a bag has at most.
        batch_size: bags in a batch.
        fields: the field of each cell; their "field" in `samples.metadata` unless given.
        shuffle: whether the fields have another order in every pass, and their bags other cells.
        seed: from which orders, draws and augmentation follow.
        **options: further arguments of `MultiChannelSequence`, but `sampler` and `shard`.

    Attributes:
        field_ids: the fields, in their order without `shuffle`.
        field_labels: their labels, of shape `(num_fields, num_classes)`; `None` where `samples` has none.

    Raises:
        TypeError: if `samples` are no `Samples`, or an option is not known.
        ValueError: if an argument is not as above.

    Example:
        >>> from keras_hpa import ArraySource
        >>> cells = Samples(
        ...     ArraySource(np.ones((5, 8, 8, 1), "uint8")), [[1, 0]] * 3 + [[0, 1]] * 2,
        ...     metadata={"field": ["A01", "A01", "A01", "A02", "A02"]})
        >>> bags = CellBags(cells, bag_size=3, batch_size=2)
        >>> inputs, labels = bags[0]
        >>> inputs["cells"].shape, inputs["mask"].astype(int).tolist()
        ((2, 3, 8, 8, 1), [[1, 1, 1], [1, 1, 0]])
        >>> labels["image"].tolist(), labels["cells"][1].tolist()
        ([[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0], [-1.0, -1.0]])
    """

    def __init__(
        self,
        samples: Samples,
        *,
        bag_size: int,
        batch_size: int = 8,
        fields: Sequence[Hashable] | None = None,
        shuffle: bool = False,
        seed: int = 0,
        **options: Any,
    ):
        if not isinstance(samples, Samples):
            raise TypeError(f"`samples` must be Samples, such as CellCrops. Received: {type(samples).__name__}")
        for name, value in (("bag_size", bag_size), ("batch_size", batch_size)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"`{name}` must be a whole number of at least 1. Received: {value!r}")
        for name in ("sampler", "shard"):
            if options.pop(name, None) is not None:
                raise ValueError(f"`{name}` must be left out: bags are drawn field by field. Received: `{name}`")
        if fields is None:
            if "field" not in samples.metadata:
                raise ValueError(
                    "`fields` must be given where `samples` has no metadata 'field'. "
                    f"Received: {list(samples.metadata)}"
                )
            fields = samples.metadata["field"]
        if isinstance(fields, str) or len(fields) != len(samples):
            raise ValueError(f"`fields` must have one entry per cell, {len(samples)}. Received: {fields!r:.80}")
        self.bag_size = int(bag_size)
        self.bags_per_batch = int(batch_size)
        self.fields = list(fields)
        numbers = {field: number for number, field in enumerate(dict.fromkeys(self.fields))}
        self.field_ids: tuple[Hashable, ...] = tuple(numbers)
        field_of_cell = np.array([numbers[field] for field in self.fields], np.int64)
        self.field_labels: npt.NDArray[Any] | None = None
        if samples.labels is not None:
            labels = samples.labels
            self.field_labels = np.full((len(numbers), labels.shape[1]), -1, labels.dtype)
            np.maximum.at(self.field_labels, field_of_cell, labels)
        self._arranged = _Arrangement(self.bag_size, field_of_cell, samples.labels, self.field_labels)
        super().__init__(
            samples,
            batch_size=self.bags_per_batch * self.bag_size,
            shuffle=shuffle,
            seed=seed,
            sampler=_DrawBags(self.bag_size, field_of_cell, shuffle, seed),
            **options,
        )

    def __repr__(self) -> str:
        return f"<CellBags: {len(self.field_ids)} fields, up to {self.bag_size} cells of each; {super().__repr__()[1:]}"

    def _arrangement(self) -> Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any]:
        return self._arranged


class _DrawBags:
    """Draws the cells of a pass: `bag_size` in a row are of one field, those of a smaller field again and again."""

    def __init__(self, bag_size: int, field_of_cell: npt.NDArray[Any], shuffle: bool, seed: int):
        self.bag_size = bag_size
        order = np.argsort(field_of_cell, kind="stable")
        self.cells_of_field = np.split(order, np.cumsum(np.bincount(field_of_cell))[:-1])
        self.shuffle = shuffle
        self.seed = seed

    def __call__(self, rng: np.random.Generator, num_samples: int) -> npt.NDArray[Any]:
        if not self.shuffle:
            rng = np.random.default_rng([self.seed, num_samples])  # the same in every pass
        fields = range(len(self.cells_of_field))
        order = rng.permutation(fields) if self.shuffle else fields
        return np.concatenate([self._bag(self.cells_of_field[field], rng) for field in order])

    def _bag(self, cells: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        if len(cells) > self.bag_size:
            cells = np.sort(rng.permutation(cells)[: self.bag_size])
        return np.resize(cells, self.bag_size)


class _Arrangement:
    """Makes a batch of bags from the images of its places, and the samples that these are."""

    def __init__(
        self,
        bag_size: int,
        field_of_cell: npt.NDArray[Any],
        labels: npt.NDArray[Any] | None,
        field_labels: npt.NDArray[Any] | None,
    ):
        self.bag_size = bag_size
        self.field_of_cell = field_of_cell
        self.num_cells = np.bincount(field_of_cell)
        self.labels = labels
        self.field_labels = field_labels

    def __call__(self, images: npt.NDArray[Any], samples: npt.NDArray[Any]) -> Any:
        bags = samples.reshape(-1, self.bag_size)
        field = self.field_of_cell[bags[:, 0]]
        mask = np.arange(self.bag_size) < self.num_cells[field, None]
        inputs = {"cells": images.reshape(*bags.shape, *images.shape[1:]), "mask": mask}
        if self.labels is None or self.field_labels is None:
            return inputs
        of_cells = np.where(mask[..., None], self.labels[bags], -1)
        return inputs, {"image": self.field_labels[field].astype(np.float32), "cells": of_cells.astype(np.float32)}
