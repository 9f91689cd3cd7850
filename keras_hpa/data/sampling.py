"""Which samples a pass draws, and in which order."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Sampler = Callable[[np.random.Generator, int], npt.NDArray[Any]]
"""Takes a random generator and the number of samples, gives the sample indices of one pass, always as many."""


def without_replacement(rng: np.random.Generator, num_samples: int) -> npt.NDArray[Any]:
    """Draws every sample once, in random order.

    Example:
        >>> sorted(without_replacement(np.random.default_rng(0), 4).tolist())
        [0, 1, 2, 3]
    """
    return rng.permutation(num_samples)


def with_replacement(rng: np.random.Generator, num_samples: int) -> npt.NDArray[Any]:
    """Draws as many samples as there are, each independently: about 37 % of them are not seen in a pass.

    Example:
        >>> with_replacement(np.random.default_rng(0), 4).tolist()
        [3, 2, 2, 1]
    """
    return rng.integers(num_samples, size=num_samples)


class RareLabels:
    """Draws samples more often the rarer their rarest label is.

    A sample's weight is `(1 / n) ** power`, where `n` is how many samples have its rarest label; one without labels
    has the smallest weight of all. In each pass a sample is drawn in proportion to its weight, rounded up or down at
    random so that the average is exact: that repeats and omits far fewer samples than independent draws.

    Args:
        labels: a matrix of shape `(num_samples, num_classes)`: 1 present; 0 and -1 (unknown) do not count.
        power: 0 draws every sample once, 1 makes the rarest label as frequent as any, 0.5 lies between.

    Raises:
        ValueError: if `labels` is not a matrix or `power` does not lie in 0 to 1; when called for another number of
            samples than `labels` has.

    References:
        Mahajan et al., "Exploring the Limits of Weakly Supervised Pretraining" (2018), for the power of one half.

    Example:
        >>> draw = RareLabels([[1, 0]] * 16 + [[0, 1]] * 4)
        >>> drawn = draw(np.random.default_rng(0), 20)
        >>> len(drawn), int((drawn >= 16).sum())
        (20, 7)
    """

    def __init__(self, labels: npt.ArrayLike, *, power: float = 0.5):
        matrix = np.ma.filled(labels, -1) == 1
        if matrix.ndim != 2 or not len(matrix):
            raise ValueError(f"`labels` must have shape (num_samples, num_classes). Received: shape {matrix.shape}")
        if not 0 <= power <= 1:
            raise ValueError(f"`power` must lie in 0 to 1. Received: {power}")
        self.power = power
        counts = np.maximum(matrix.sum(axis=0), 1)
        rarest = np.where(matrix, counts, len(matrix)).min(axis=1, initial=len(matrix))
        weights = (1 / rarest) ** power
        self.expected = weights / weights.sum() * len(weights)

    def __repr__(self) -> str:
        return f"RareLabels({len(self.expected)} samples, power={self.power})"

    def __call__(self, rng: np.random.Generator, num_samples: int) -> npt.NDArray[Any]:
        if num_samples != len(self.expected):
            raise ValueError(f"`labels` must be those of the {num_samples} samples. Received: {len(self.expected)}")
        # Systematic sampling: each sample covers its expected count on a line; points one apart fall on samples.
        order = rng.permutation(num_samples)
        ends = np.cumsum(self.expected[order])
        drawn = np.searchsorted(ends, np.arange(num_samples) + rng.random(), side="right")
        return rng.permutation(order[np.minimum(drawn, num_samples - 1)])


SAMPLERS: dict[str, Sampler] = {"without_replacement": without_replacement, "with_replacement": with_replacement}
