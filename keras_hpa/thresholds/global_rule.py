"""One threshold for all classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.rule import check_positive, where_present

_NUM_CUTS = 1000


@dataclass(frozen=True)
class Global:
    """`"global"`: the one threshold with the best mean F-beta over the classes that have positives.

    Looks at the scores of all positives, or at 1,000 quantiles of them where there are more. Hard to over-fit, and
    blind to what tells the classes apart: for very few samples. A class without positives is never predicted.

    Args:
        beta: the weight of recall against precision.

    Raises:
        ValueError: if `beta` is not more than 0.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9, 0.1], [0.4, 0.7], [0.2, 0.3]], [[1, 0], [0, 1], [0, 0]]
        >>> ThresholdCalibrator(Global()).fit(scores, labels).thresholds_.tolist()
        [0.7, 0.7]
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        check_positive("beta", self.beta)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        return where_present(classes, self._best_cut)

    def _best_cut(self, present: Sequence[ClassScores]) -> float:
        cuts = np.unique(np.concatenate([one.positive_scores for one in present]))
        if len(cuts) > _NUM_CUTS:
            cuts = cuts[np.linspace(0, len(cuts) - 1, _NUM_CUTS).round().astype(int)]
        mean = np.mean([one.f_beta(cuts, self.beta) for one in present], axis=0)
        return float(cuts[len(cuts) - 1 - int(mean[::-1].argmax())])
