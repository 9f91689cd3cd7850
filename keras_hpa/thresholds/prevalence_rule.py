"""Thresholds that predict each class as often as it occurs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.rule import check_per_class, per_class


@dataclass(frozen=True)
class Prevalence:
    """`"prevalence"`: as many samples are predicted to have a class as have it; good with few positives.

    A class without positives is never predicted.

    Args:
        shares: the share of samples that have the class, one for all classes or one per class, where new data differ
            from the fitting data; by default that of the labels.

    Raises:
        ValueError: if a share does not lie in 0 to 1.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [0], [0], [0]]
        >>> ThresholdCalibrator(Prevalence()).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 0, 0, 0]
        >>> ThresholdCalibrator(Prevalence(shares=0.75)).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 1, 1, 0]
    """

    shares: float | Sequence[float] | None = None

    def __post_init__(self) -> None:
        if self.shares is not None:
            object.__setattr__(self, "shares", check_per_class("shares", self.shares, highest=1.0))

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        shares = self.shares_of(classes)
        thresholds = np.full(len(classes), np.inf)
        for column, one in enumerate(classes):
            wanted = one.support if shares is None else shares[column] * one.total
            if one.num_positives and wanted > 0:
                thresholds[column] = one.threshold_at(one.cut_predicting(wanted))
        return thresholds

    def shares_of(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64] | None:
        """The share of each class, or `None` where the labels say it."""
        return None if self.shares is None else per_class("shares", self.shares, len(classes))  # type: ignore[arg-type]
