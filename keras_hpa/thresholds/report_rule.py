"""The rule of the report: a grid of a thousand thresholds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds


def report_thresholds(
    classes: Sequence[ClassScores], *, intercept: float = 1e-4, beta: float = 1.0, from_logits: bool = False
) -> npt.NDArray[np.float64]:
    """The first of 0, 0.001, ..., 0.999 at which F-beta of `score > threshold` is largest, plus `intercept`.

    A class without positives has the same F-beta, 0, everywhere, so that it gets the first threshold and is predicted
    for nearly every sample. That is how the published notebooks had it.
    """
    grid = np.arange(0, 1, 0.001)
    cuts = np.nextafter(log_odds(grid) if from_logits else grid, np.inf)
    best = np.array([scores.f_beta(cuts, beta).argmax() for scores in classes])
    thresholds = grid[best] + intercept
    return log_odds(thresholds) if from_logits else thresholds
