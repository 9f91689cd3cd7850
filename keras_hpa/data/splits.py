"""Stratified and grouped splits for samples that carry several labels."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
from iterstrat.ml_stratifiers import IterativeStratification

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
    if not 0 < test_size < 1:
        raise ValueError(f"`test_size` must lie between 0 and 1. Received: {test_size}")
    matrix = _check_labels(labels)
    part = _partition(matrix, np.array([1 - test_size, test_size]), groups, seed)
    for name, number in (("training", 0), ("test", 1)):
        if not (part == number).any():
            what = f"{len(matrix)} samples" if groups is None else f"{len(set(groups))} groups"
            raise ValueError(f"`test_size` leaves the {name} set empty. Received: test_size={test_size} of {what}")
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)


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
    units = len(matrix) if groups is None else len(set(groups))
    if not 2 <= num_folds <= units:
        what = "samples" if groups is None else "groups"
        raise ValueError(f"`num_folds` must lie in 2 to the number of {what}, {units}. Received: {num_folds}")
    part = _partition(matrix, np.full(num_folds, 1 / num_folds), groups, seed)
    return [(np.flatnonzero(part != number), np.flatnonzero(part == number)) for number in range(num_folds)]


def _check_labels(labels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    matrix = np.asarray(labels)
    if matrix.ndim != 2 or not len(matrix):
        raise ValueError(f"`labels` must have shape (num_samples, num_classes). Received: shape {matrix.shape}")
    if not np.isin(matrix, (-1, 0, 1)).all():
        raise ValueError(
            f"`labels` must hold 0, 1 or -1. Received: {matrix[~np.isin(matrix, (-1, 0, 1))][0]!r} among them"
        )
    return matrix == 1


def _partition(
    matrix: npt.NDArray[np.bool_], shares: npt.NDArray, groups: Sequence[Hashable] | None, seed: int
) -> npt.NDArray:
    """Gives each sample the number of its part."""
    random = np.random.RandomState(seed)  # what the library takes; it is ours alone
    if groups is None:
        order = random.permutation(len(matrix))
        part = np.empty(len(matrix), int)
        part[order] = IterativeStratification(matrix[order], shares, random)
        return part
    if len(groups) != len(matrix):
        raise ValueError(f"`groups` must have one entry per sample, {len(matrix)}. Received: {len(groups)}")
    numbers: dict[Hashable, int] = {}
    group_of_sample = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    return _partition_groups(matrix, group_of_sample, shares, random)[group_of_sample]


def _partition_groups(
    matrix: npt.NDArray[np.bool_], group_of_sample: npt.NDArray, shares: npt.NDArray, random: np.random.RandomState
) -> npt.NDArray:
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
    return part
