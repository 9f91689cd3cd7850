"""Stratified and grouped splits for samples that have several labels."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.labels import check_label_matrix, is_missing

Indices = npt.NDArray[np.intp]

_SWEEPS = 4  # over the groups: one that places them, and some that move them


def stratified_split(
    labels: npt.ArrayLike,
    test_size: float = 0.2,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> tuple[Indices, Indices]:
    """Splits samples into two sets in which every class has its share, rare ones included.

    Args:
        labels: a matrix of shape `(num_samples, num_classes)`: 1 present, 0 absent, -1 unknown (counts as absent).
        test_size: the share of the second set, between 0 and 1.
        groups: one hashable per sample: samples of one group (an antibody, a plate, near duplicates) are never
            split.
        seed: another seed, another split; the same seed, the same split.

    Returns:
        Two ascending arrays of sample indices, the first for training.

    Raises:
        ValueError: if the arguments are not as above, or one of the sets would be empty.

    Example:
        >>> train, test = stratified_split([[1, 0], [0, 1]] * 10, test_size=0.2)
        >>> len(train), len(test), np.asarray([[1, 0], [0, 1]] * 10)[test].sum(axis=0).tolist()
        (16, 4, [2, 2])
    """
    train, test = stratified_parts(labels, {"test_size": test_size}, groups, seed)
    return train, test


def stratified_parts(
    labels: npt.ArrayLike, sizes: Mapping[str, float], groups: Sequence[Hashable] | None, seed: int
) -> list[Indices]:
    """Splits samples as `stratified_split` does, into a first part and one for each share in `sizes`.

    The keys of `sizes` are the names of the arguments that hold the shares, for messages.
    """
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, (int, float, np.number)) or not 0 < size < 1:
            raise ValueError(f"`{name}` must lie between 0 and 1. Received: {size!r}")
    rest = 1 - sum(sizes.values())
    if rest <= 0:
        raise ValueError(f"{_join(sizes)} must leave something to train on. Received: {dict(sizes)}")
    matrix = _check_labels(labels)
    groups = check_groups(groups, len(matrix))
    part = _partition(matrix, np.array([rest, *sizes.values()]), groups, seed)
    for number, name in enumerate(["training", *(name.removesuffix("_size") for name in sizes)]):
        if not (part == number).any():
            what = f"{len(matrix)} samples" if groups is None else f"{len(set(groups))} groups"
            given = ", ".join(f"{name}={size}" for name, size in sizes.items())
            raise ValueError(f"{_join(sizes)} must not leave the {name} set empty. Received: {given} of {what}")
    return [np.flatnonzero(part == number) for number in range(1 + len(sizes))]


def stratified_folds(
    labels: npt.ArrayLike,
    num_folds: int = 5,
    *,
    groups: Sequence[Hashable] | None = None,
    seed: int = 0,
) -> list[tuple[Indices, Indices]]:
    """Splits samples into folds in which every class has its share, rare ones included.

    Args:
        labels: a matrix of shape `(num_samples, num_classes)`: 1 present, 0 absent, -1 unknown (counts as absent).
        num_folds: how many folds, at least 2.
        groups: one hashable per sample: samples of one group are never split.
        seed: another seed, other folds; the same seed, the same folds.

    Returns:
        For each fold, the ascending indices of the samples outside and inside it: to train on and to test on.

    Raises:
        ValueError: if the arguments are not as above, or there are fewer samples or groups than folds.

    Example:
        >>> folds = stratified_folds([[1, 0], [0, 1]] * 10, num_folds=5)
        >>> [test.tolist() for _, test in folds] == [sorted(test.tolist()) for _, test in folds]
        True
        >>> sum(len(test) for _, test in folds)
        20
    """
    matrix = _check_labels(labels)
    groups = check_groups(groups, len(matrix))
    units = len(matrix) if groups is None else len(set(groups))
    if isinstance(num_folds, bool) or not isinstance(num_folds, (int, np.integer)) or not 2 <= num_folds <= units:
        what = "samples" if groups is None else "groups"
        raise ValueError(f"`num_folds` must lie in 2 to the number of {what}, {units}. Received: {num_folds!r}")
    part = _partition(matrix, np.full(num_folds, 1 / num_folds), groups, seed)
    return [(np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(num_folds)]


def check_groups(
    groups: Sequence[Hashable] | None, num_samples: int, ids: Sequence[str] | None = None
) -> list[Hashable] | None:
    """Gives groups as a list; refuses what is not one group per sample."""
    if groups is None:
        return None
    if isinstance(groups, str) or not hasattr(groups, "__iter__"):
        raise ValueError(f"`groups` must be a list with one entry per sample, {num_samples}. Received: {groups!r}")
    values = list(groups)
    if len(values) != num_samples:
        raise ValueError(f"`groups` must have one entry per sample, {num_samples}. Received: {len(values)}")
    for position, group in enumerate(values):
        if not isinstance(group, Hashable):
            raise ValueError(f"`groups` must be hashable. Received: {group!r} at position {position}")
    missing = [position for position, group in enumerate(values) if is_missing(group)]
    if missing:
        names = missing if ids is None else [ids[position] for position in missing]
        where = f"at positions {names}" if ids is None else f"for samples {names}"
        raise ValueError(f"`groups` must name a group for every sample. Received: {values[missing[0]]!r} {where}")
    return values


def number_groups(groups: Sequence[Hashable] | None, num_samples: int) -> npt.NDArray[np.intp] | None:
    """Gives the number of each sample's group, from 0 in the order in which they come."""
    values = check_groups(groups, num_samples)
    if values is None:
        return None
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(value, len(numbers)) for value in values], np.intp)


def _check_labels(labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    matrix = check_label_matrix(labels)
    if not len(matrix):
        raise ValueError(f"`labels` must have a row at least. Received: shape {matrix.shape}")
    return matrix == 1


def _join(sizes: Mapping[str, float]) -> str:
    return " and ".join(f"`{name}`" for name in sizes)


def _partition(
    matrix: npt.NDArray[np.bool_], shares: npt.NDArray[Any], groups: list[Hashable] | None, seed: int
) -> npt.NDArray[Any]:
    """Gives each sample the number of its part."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be an integer from 0 to 2**32 - 1. Received: {seed!r}")
    random = np.random.RandomState(seed)  # what the library takes; it is ours alone
    if groups is None:
        from iterstrat.ml_stratifiers import IterativeStratification

        order = random.permutation(len(matrix))
        part = np.empty(len(matrix), int)
        part[order] = IterativeStratification(matrix[order], shares, random)
        return part
    numbers: dict[Hashable, int] = {}
    group_of_sample = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    return _partition_groups(matrix, group_of_sample, shares, random)[group_of_sample]


def _partition_groups(
    matrix: npt.NDArray[np.bool_],
    group_of_sample: npt.NDArray[Any],
    shares: npt.NDArray[Any],
    random: np.random.RandomState,
) -> npt.NDArray[Any]:
    """Gives each group the part that is then nearest to its share of every class: rare classes, large groups first."""
    # A last column counts samples, so that those without labels are spread as well.
    counts = np.zeros((group_of_sample.max() + 1, matrix.shape[1] + 1))
    np.add.at(counts, group_of_sample, np.column_stack([matrix, np.ones(len(matrix))]))
    totals = np.maximum(counts.sum(axis=0), 1)
    relative = counts / totals
    order = random.permutation(len(counts))
    order = order[np.argsort(-relative[order].max(axis=1), kind="stable")]
    missing = np.outer(shares, np.minimum(totals, counts.sum(axis=0)) / totals)
    part = np.full(len(counts), -1)
    for _ in range(_SWEEPS):
        for group in order:
            if part[group] >= 0:
                missing[part[group]] += relative[group]
            # Where this is largest, the group lowers the sum of squared distances from the shares the most.
            part[group] = np.argmax((2 * missing - relative[group]) @ relative[group])
            missing[part[group]] -= relative[group]
    # Few groups, each with classes of its own, may all lie nearest to one part: an empty one takes the cheapest.
    for empty in np.flatnonzero(np.bincount(part, minlength=len(shares)) == 0):
        givers = [group for group in order if (part == part[group]).sum() > 1]
        if givers:
            costs = [(missing[part[group]] - missing[empty] + relative[group]) @ relative[group] for group in givers]
            group = givers[int(np.argmin(costs))]
            missing[part[group]] += relative[group]
            part[group] = empty
            missing[empty] -= relative[group]
    return part
