"""The best threshold of a class, drawn to the one that is best for all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.global_rule import Global
from keras_hpa.thresholds.log_odds import log_odds, probability
from keras_hpa.thresholds.max_f1_rule import MaxF1
from keras_hpa.thresholds.rule import check_positive, where_present


@dataclass(frozen=True)
class Shrink:
    """`"shrink"`: `MaxF1` drawn to `Global`, the more the fewer positives a class has.

    In log-odds, a class with n positives gets n / (n + strength) of its own threshold and the rest of the common one.
    A class without positives is never predicted.

    Args:
        strength: the number of positives at which both count the same.
        beta: the weight of recall against precision.

    Raises:
        ValueError: if an option is not more than 0.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9, 0.1], [0.4, 0.7], [0.2, 0.3]], [[1, 0], [0, 1], [0, 0]]
        >>> ThresholdCalibrator(Shrink(strength=1)).fit(scores, labels).thresholds_.round(2).tolist()
        [0.68, 0.6]
    """

    strength: float = 10
    beta: float = 1.0

    def __post_init__(self) -> None:
        check_positive("strength", self.strength)
        check_positive("beta", self.beta)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        return where_present(classes, self._shrunk)

    def _shrunk(self, present: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        n = np.array([one.num_positives for one in present])
        trust = n / (n + self.strength)
        own, common = (rule.find_thresholds(present) for rule in (MaxF1(self.beta), Global(self.beta)))
        if present[0].from_logits:
            return trust * own + (1 - trust) * common
        return probability(trust * log_odds(own) + (1 - trust) * log_odds(common))
