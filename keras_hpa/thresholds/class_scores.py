"""The scores of one class in ascending order: what every rule looks at."""

import numpy as np
import numpy.typing as npt


class ClassScores:
    """Counts the samples of one class at or above any cut, after sorting its scores once.

    Without weights only the values are sorted, never their order: NumPy does that several times faster, and two
    searches give every count that F-beta needs.

    Args:
        scores: the scores whose labels are known, shape `(num_samples,)`.
        positive: whether each sample carries the class, bool of the same shape.
        weights: what each sample counts, more than 0, or `None` for 1 each.
    """

    def __init__(
        self,
        scores: npt.NDArray[np.floating],
        positive: npt.NDArray[np.bool_],
        weights: npt.NDArray[np.float64] | None = None,
    ) -> None:
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

    def hits(self, cuts: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """What the positives with `score >= cut` count together."""
        return _count(self.positive_scores, self._positive_above, cuts)

    def f_beta(self, cuts: npt.ArrayLike, beta: float = 1.0) -> npt.NDArray[np.float64]:
        """F-beta of `score >= cut` for each cut; 0 where there is nothing to find and nothing is predicted."""
        denominator = beta**2 * self.support + self.predicted(cuts)
        return np.divide(
            (1 + beta**2) * self.hits(cuts), denominator, out=np.zeros_like(denominator), where=denominator > 0
        )

    def counts_at(self, threshold: float) -> npt.NDArray[np.float64]:
        """Hits, false alarms, misses and true rejections at a threshold."""
        hits, predicted = float(self.hits(threshold)), float(self.predicted(threshold))
        return np.array([hits, predicted - hits, self.support - hits, self.total - self.support - predicted + hits])

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
        halfway = (float(self.scores[below]) + float(cut)) / 2
        return halfway if halfway > self.scores[below] else float(cut)


def split_classes(
    scores: npt.NDArray[np.floating], labels: npt.NDArray[np.int8], weights: npt.NDArray[np.float64] | None = None
) -> list[ClassScores]:
    """One `ClassScores` for each column, of the samples whose label is known (not -1) and whose weight is not 0."""
    scores, labels = np.ascontiguousarray(scores.T), np.ascontiguousarray(labels.T)
    counted = labels != -1
    if weights is not None:
        counted &= weights > 0
    if counted.all():
        return [ClassScores(column, one == 1, weights) for column, one in zip(scores, labels, strict=True)]
    return [
        ClassScores(column[rows], one[rows] == 1, None if weights is None else weights[rows])
        for column, one, rows in zip(scores, labels, counted, strict=True)
    ]


def _sum_from(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.append(np.cumsum(weights[::-1])[::-1], 0.0)


def _count(
    ascending: npt.NDArray[np.floating], sum_from: npt.NDArray[np.float64] | None, cuts: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    first = np.searchsorted(ascending, cuts)
    return (len(ascending) - first).astype(np.float64) if sum_from is None else sum_from[first]
