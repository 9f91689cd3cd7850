"""Thresholds that are known beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.rule import check_per_class, per_class


@dataclass(frozen=True)
class Fixed:
    """`"fixed"`: the thresholds given, whatever the labels are.

    Args:
        thresholds: probabilities, one for all classes or one per class, infinity for a class that is never predicted.
            They are probabilities where scores are logits too.

    Raises:
        ValueError: if a threshold is negative or no number.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.3, 0.3], [0.1, 0.6]], [[1, 0], [0, 1]]
        >>> ThresholdCalibrator(Fixed([0.2, 0.5])).fit(scores, labels).predict(scores).tolist()
        [[1, 0], [0, 1]]
    """

    thresholds: float | Sequence[float] = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", check_per_class("thresholds", self.thresholds, highest=np.inf))

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        fixed = per_class("thresholds", self.thresholds, len(classes))  # type: ignore[arg-type]
        return log_odds(fixed) if classes[0].from_logits else fixed
