"""The rule of the report: a grid of a thousand thresholds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds


@dataclass(frozen=True)
class ReportGrid:
    """`"report"`: the first of 0, 0.001, ..., 0.999 at which F1 of `score > threshold` is largest, plus `intercept`.

    A class without positives has the same F1, 0, everywhere, so that it gets the first threshold and is predicted for
    nearly every sample; `fit` warns of it. That is how the published notebooks had it.

    Args:
        intercept: what is added to the best threshold.

    Raises:
        ValueError: if `intercept` is not finite.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [1], [0], [0]]
        >>> ThresholdCalibrator(ReportGrid()).fit(scores, labels).thresholds_.tolist()
        [0.3001]
    """

    intercept: float = 1e-4

    def __post_init__(self) -> None:
        if not (isinstance(self.intercept, Real) and math.isfinite(self.intercept)):
            raise ValueError(f"`intercept` must be finite. Received: {self.intercept!r}")

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        from_logits = classes[0].from_logits
        grid = np.arange(0, 1, 0.001)
        cuts = np.nextafter(log_odds(grid) if from_logits else grid, np.inf)
        best = np.array([one.f_beta(cuts, zero_division=0.0).argmax() for one in classes])
        thresholds = grid[best] + self.intercept
        return log_odds(thresholds) if from_logits else thresholds
