"""What is drawn anew by another experiment: groups where they are given, otherwise rows."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.data import number_groups


@dataclass(frozen=True)
class Units:
    """The unit of each row, numbered from 0.

    Attributes:
        codes: the unit of each row.
        count: how many units there are.
        are_rows: whether each row is a unit of its own.
    """

    codes: npt.NDArray[np.intp]
    count: int
    are_rows: bool

    @classmethod
    def of(cls, groups: Sequence[Hashable] | None, num_samples: int) -> "Units":
        """Numbers the groups in the order in which they come; without groups each row is one."""
        codes = number_groups(groups, num_samples)
        if codes is None:
            return cls(np.arange(num_samples), num_samples, True)
        count = int(codes.max()) + 1
        return cls(codes, count, count == num_samples)

    def sums(self, values: npt.ArrayLike, rows: npt.NDArray[np.intp] | None = None) -> npt.NDArray[np.float64]:
        """What the values of each unit's rows add up to, column by column; `rows` says whose values they are."""
        codes = self.codes if rows is None else self.codes[rows]
        matrix = np.asarray(values, np.float64)
        if matrix.ndim == 1:
            return np.bincount(codes, matrix, minlength=self.count).astype(np.float64)
        return np.stack([np.bincount(codes, column, minlength=self.count) for column in matrix.T], axis=1)

    def draws(self, num_draws: int, seed: int) -> npt.NDArray[np.float32]:
        """How often each draw, with replacement, takes each unit: shape `(num_draws, count)`."""
        rng = np.random.default_rng([seed, 17])
        taken = rng.integers(self.count, size=(num_draws, self.count))
        taken += self.count * np.arange(num_draws)[:, None]
        return np.bincount(taken.ravel(), minlength=num_draws * self.count).reshape(num_draws, -1).astype(np.float32)
