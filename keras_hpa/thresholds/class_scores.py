"""The scores of one class in ascending order: what every rule looks at."""

import math

import numpy as np
import numpy.typing as npt

from keras_hpa.f_beta import f_beta


class ClassScores:
    """The scores of one class, sorted once: what a threshold rule is given, and the counts at any cut.

    Without weights only the values are sorted, never their order: NumPy does that several times faster, and two
    searches give every count that F-beta needs.

    Args:
        scores: the scores whose labels are known, shape `(num_samples,)`.
        positive: whether each sample has the class, bool of the same shape.
        weights: what each sample counts, more than 0, or `None` for 1 each.
        groups: the number of each sample's group, from 0 on, or `None`.
        from_logits: whether the scores are logits rather than probabilities.

    Attributes:
        scores: the scores in ascending order.
        positive_scores: those of the positives, in ascending order.
        num_positives: how many positives there are.
        support: what the positives count together: their number without weights.
        total: what all samples count together.
        is_weighted: whether samples count differently.
        from_logits: as given.

    Example:
        >>> one = ClassScores(np.array([0.9, 0.2, 0.6]), np.array([True, False, False]))
        >>> one.predicted([0.1, 0.5]), one.true_positives([0.1, 0.5]), one.f_beta([0.1, 0.5]).round(2)
        (array([3., 2.]), array([1., 1.]), array([0.5 , 0.67]))
    """

    def __init__(
        self,
        scores: npt.NDArray[np.floating],
        positive: npt.NDArray[np.bool_],
        weights: npt.NDArray[np.float64] | None = None,
        *,
        groups: npt.NDArray[np.intp] | None = None,
        from_logits: bool = False,
    ) -> None:
        self.from_logits = from_logits
        self.is_weighted = weights is not None and len(weights) > 0 and bool((weights != weights[0]).any())
        self._members = None if groups is None else (scores, positive, groups)
        self.num_positives = int(np.count_nonzero(positive))
        self._total_above = self._positive_above = None
        if weights is None:
            self.scores = np.sort(scores)
            self.positive_scores = np.sort(scores[positive])
            self.total, self.support = float(len(scores)), float(self.num_positives)
        else:
            order = np.argsort(scores)
            self.scores, of_positives = scores[order], order[positive[order]]
            self.positive_scores = scores[of_positives]
            self._total_above, self._positive_above = _sum_from(weights[order]), _sum_from(weights[of_positives])
            self.total, self.support = float(self._total_above[0]), float(self._positive_above[0])

    def predicted(self, cuts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """What the samples with `score >= cut` count together."""
        return _count(self.scores, self._total_above, cuts)

    def true_positives(self, cuts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """What the positives with `score >= cut` count together."""
        return _count(self.positive_scores, self._positive_above, cuts)

    def f_beta(
        self, cuts: npt.ArrayLike, beta: float = 1.0, *, zero_division: float = math.nan
    ) -> npt.NDArray[np.float64]:
        """F-beta of `score >= cut` for each cut."""
        counts = self.true_positives(cuts), self.predicted(cuts), self.support
        return np.asarray(f_beta(*counts, beta=beta, zero_division=zero_division))

    def counts_at(self, threshold: float) -> npt.NDArray[np.float64]:
        """True positives, false positives, false negatives and true negatives at a threshold."""
        found, predicted = float(self.true_positives(threshold)), float(self.predicted(threshold))
        counts = [found, predicted - found, self.support - found, self.total - self.support - predicted + found]
        return np.maximum(counts, 0.0)  # differences of weighted sums are rounded

    def part(
        self, cut: float, *, of_positives: bool = False
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
        """How many positives with `score >= cut` each group has, and of how many samples; `None` without groups.

        The samples are those with `score >= cut` or, with `of_positives`, the positives.
        """
        if self._members is None:
            return None
        scores, positive, groups = self._members
        above = scores >= cut
        both = np.bincount(groups[above & positive], minlength=groups.max() + 1)
        return both.astype(np.float64), np.bincount(
            groups[positive if of_positives else above], minlength=len(both)
        ).astype(np.float64)

    def cut_predicting(self, count: float) -> float:
        """The score at or above which the samples count nearest to `count`, and at least one of them."""
        counts = np.arange(len(self.scores), 0, -1) if self._total_above is None else self._total_above[:-1]
        first = len(counts) - max(int(np.searchsorted(counts[::-1], count, side="right")), 1)
        after = int(np.searchsorted(self.scores, self.scores[first], side="right"))
        around = self.scores[[max(first - 1, 0), first, min(after, len(self.scores) - 1)]]
        return float(around[np.abs(self.predicted(around) - count).argmin()])

    def threshold_at(self, cut: float) -> float:
        """The threshold that lets in `cut`, a score, and nothing below: half-way to the next or, without one, `cut`."""
        below = int(np.searchsorted(self.scores, cut)) - 1
        if below < 0:
            return float(cut)
        halfway = float(self.scores[below]) / 2 + float(cut) / 2
        return halfway if halfway > self.scores[below] else float(cut)


def split_classes(
    scores: npt.NDArray[np.floating],
    labels: npt.NDArray[np.int8],
    weights: npt.NDArray[np.float64] | None = None,
    *,
    groups: npt.NDArray[np.intp] | None = None,
    from_logits: bool = False,
) -> list[ClassScores]:
    """One `ClassScores` for each column, of the samples whose label is known (not -1) and whose weight is not 0."""
    scores, labels = np.ascontiguousarray(scores.T), np.ascontiguousarray(labels.T)
    counted = labels != -1
    if weights is not None:
        counted &= weights > 0
    if counted.all():
        columns = [(column, one == 1, weights, groups) for column, one in zip(scores, labels, strict=True)]
    else:
        columns = [
            (column[rows], one[rows] == 1, *(None if part is None else part[rows] for part in (weights, groups)))
            for column, one, rows in zip(scores, labels, counted, strict=True)
        ]
    return [
        ClassScores(column, positive, weight, groups=group, from_logits=from_logits)
        for column, positive, weight, group in columns
    ]


def _sum_from(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.append(np.cumsum(weights[::-1])[::-1], 0.0)


def _count(
    ascending: npt.NDArray[np.floating], sum_from: npt.NDArray[np.float64] | None, cuts: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    first = np.searchsorted(ascending, cuts)
    return (len(ascending) - first).astype(np.float64) if sum_from is None else sum_from[first]
