"""Thresholds that predict each class as often as it occurs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.estimate_prevalence import check_new_scores
from keras_hpa.thresholds.prevalence_estimate import PrevalenceEstimate, estimate_shares
from keras_hpa.thresholds.rule import check_per_class, per_class


@dataclass(frozen=True)
class Prevalence:
    """`"prevalence"`: as many samples are predicted to have a class as have it; good with few positives.

    A class without positives is never predicted.

    `from_scores` is for another population, where classes are more or less frequent than in the fitting data: their
    shares are estimated as [`estimate_prevalence`](thresholds.md) does. The threshold lies half-way between that at
    which the new scores pass as often as the class occurs and that at which the fitting data do, their positives and
    negatives counted as often as in the new population. A class whose share the scores cannot tell gets the threshold
    of its labels and the flag "prevalence not told".

    Args:
        shares: the share of samples that have the class, one for all classes or one per class, where new data differ
            from the fitting data; by default that of the labels.
        from_scores: scores of new samples without labels, shape `(num_new_samples, num_classes)`, in place of `shares`.

    Raises:
        ValueError: if a share does not lie in 0 to 1, both are given, or the scores do not fit the classes.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [0], [0], [0]]
        >>> ThresholdCalibrator(Prevalence()).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 0, 0, 0]
        >>> ThresholdCalibrator(Prevalence(shares=0.75)).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 1, 1, 0]
    """

    shares: float | Sequence[float] | None = None
    from_scores: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.shares is not None:
            object.__setattr__(self, "shares", check_per_class("shares", self.shares, highest=1.0))
        if self.from_scores is None:
            return
        if self.shares is not None:
            raise ValueError(f"`from_scores` must not be given with `shares`. Received: shares={self.shares}")
        scores = np.asarray(self.from_scores)
        if scores.ndim != 2 or scores.dtype.kind not in "fiu" or not scores.size:
            raise ValueError(
                "`from_scores` must be numbers of shape (num_new_samples, num_classes). "
                f"Received: shape {scores.shape}, {scores.dtype}"
            )
        # Rules are compared and hashed.
        object.__setattr__(self, "from_scores", tuple(map(tuple, scores.astype(np.float64).tolist())))

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        if self.from_scores is not None:
            return self._thresholds_of_new(classes)
        shares = self.shares_of(classes)
        thresholds = np.full(len(classes), np.inf)
        for column, one in enumerate(classes):
            wanted = one.support if shares is None else shares[column] * one.total
            if one.num_positives and wanted > 0:
                thresholds[column] = one.threshold_at(one.cut_predicting(wanted))
        return thresholds

    def find_flags(self, classes: Sequence[ClassScores]) -> list[tuple[str, ...]]:
        """Returns, for each class, whether the new scores cannot tell its share."""
        if self.from_scores is None:
            return [()] * len(classes)
        return [() if told else ("prevalence not told",) for told in self._estimate(classes)[0].is_told]

    def shares_of(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64] | None:
        """The share of each class, or `None` where the labels say it."""
        return None if self.shares is None else per_class("shares", self.shares, len(classes))  # type: ignore[arg-type]

    def _estimate(self, classes: Sequence[ClassScores]) -> tuple[PrevalenceEstimate, npt.NDArray[np.floating]]:
        if any(one.is_weighted for one in classes):
            raise ValueError("`sample_weight` must not be given with `from_scores`. Received: weights that differ")
        scores = check_new_scores(self.from_scores, len(classes), from_logits=classes[0].from_logits)
        return estimate_shares(classes, scores), scores

    def _thresholds_of_new(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        estimate, scores = self._estimate(classes)
        thresholds = Prevalence().find_thresholds(classes)
        for column in np.flatnonzero(estimate.is_told).tolist():
            one, share = classes[column], estimate.shares[column]
            new = ClassScores(scores[:, column], np.zeros(len(scores), bool), from_logits=one.from_logits)
            cuts = [
                new.threshold_at(new.cut_predicting(max(share * new.total, 1))),
                _threshold_of_reweighted(one, share),
            ]
            thresholds[column] = np.mean(cuts)
        return thresholds


def _threshold_of_reweighted(one: ClassScores, share: float) -> float:
    """The threshold of samples whose positives and negatives count as often as in a population with that share."""
    cuts = np.unique(one.scores)
    true, predicted = one.true_positives(cuts), one.predicted(cuts)
    passing = share * true / one.support + (1 - share) * (predicted - true) / (one.total - one.support)
    return one.threshold_at(float(cuts[np.abs(passing - share).argmin()]))
