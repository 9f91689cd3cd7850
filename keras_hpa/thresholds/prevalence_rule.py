"""Thresholds that predict each class as often as it occurs."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores


def prevalence_thresholds(
    classes: Sequence[ClassScores], *, prevalence: Sequence[float] | npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """The threshold of each class at which as many samples are predicted as carry it, or the given share of them.

    A class without positives gets infinity.
    """
    thresholds = np.full(len(classes), np.inf)
    for column, scores in enumerate(classes):
        wanted = scores.support if prevalence is None else prevalence[column] * scores.total
        if scores.num_positives and wanted > 0:
            thresholds[column] = scores.threshold_at(scores.cut_predicting(wanted))
    return thresholds
