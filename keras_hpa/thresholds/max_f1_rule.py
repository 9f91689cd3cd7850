"""The threshold with the best F-beta on the fitting data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.global_rule import Global
from keras_hpa.thresholds.rule import check_positive, check_whole


@dataclass(frozen=True)
class MaxF1:
    """`"max_f1"`: the best F-beta on the fitting data, exactly; good with hundreds of positives in each class.

    F-beta can only be largest where a positive is the last to be let in, so the positives are all that is looked at.
    Of equal cuts the highest is taken; the threshold lies half-way to the next lower score. A class without positives
    is never predicted.

    Args:
        beta: the weight of recall against precision.
        min_support: a class with fewer positives, but some, gets the threshold of `Global`.

    Raises:
        ValueError: if `beta` is not more than 0, or `min_support` is below 1.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [1], [0], [0]]
        >>> ThresholdCalibrator(MaxF1(beta=2)).fit(scores, labels).thresholds_.round(2).tolist()
        [0.45]

    References:
        Lipton, Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML 2014.
    """

    beta: float = 1.0
    min_support: int = 1

    def __post_init__(self) -> None:
        check_positive("beta", self.beta)
        check_whole("min_support", self.min_support, lowest=1)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        thresholds = np.array([self._best_threshold(one) for one in classes])
        rare = np.array([0 < one.num_positives < self.min_support for one in classes])
        return np.where(rare, Global(self.beta).find_thresholds(classes), thresholds) if rare.any() else thresholds

    def _best_threshold(self, scores: ClassScores) -> float:
        if not scores.num_positives:
            return np.inf
        f_beta = scores.f_beta(scores.positive_scores, self.beta)
        last = len(f_beta) - 1 - int(f_beta[::-1].argmax())
        return scores.threshold_at(scores.positive_scores[last])
