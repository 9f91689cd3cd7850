"""The rule that promises on both sides, and abstains between."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.promises import Precision, Recall


@dataclass(frozen=True)
class Promises:
    """Two promises per class: what is called positive keeps a precision, what is called negative loses few positives.

    `thresholds_` are those of `Precision(precision, confidence)`. Below `lower_thresholds_`, those of
    `Recall(recall, confidence)`, a class is denied: of its positives at most `1 - recall` lie there. Between the two
    the scores can answer for neither, and `predict(..., abstain=True)` gives -1: such samples are for a person to look
    at. Where the scores keep both promises at one threshold nothing is left between.

    A promise that cannot be made has a flag, "precision promise impossible" or "recall promise out of reach" say. Then
    a class is never called positive, or never negative.

    Args:
        precision: of those called positive, at least so many are.
        recall: of the positives, at least so many are not called negative.
        confidence: the probability that each promise of each class holds, over data sets to fit on.

    Raises:
        ValueError: if an option does not lie between 0 and 1.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> rng = np.random.default_rng(0)
        >>> labels = (rng.uniform(size=(1000, 1)) < 0.4).astype(int)
        >>> scores = 1 / (1 + np.exp(-rng.normal(size=labels.shape) - 2 * labels + 1))
        >>> calibrator = ThresholdCalibrator(Promises()).fit(scores, labels)
        >>> calibrator.predict([[0.9], [0.6], [0.1]], abstain=True).ravel().tolist()
        [1, -1, 0]
    """

    precision: float = 0.9
    recall: float = 0.9
    confidence: float = 0.95

    def __post_init__(self) -> None:
        for name in ("precision", "recall"):
            try:
                Precision(getattr(self, name), self.confidence)
            except ValueError as error:
                raise ValueError(str(error).replace("`at_least`", f"`{name}`")) from None

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores; infinity where no precision can be promised."""
        return Precision(self.precision, self.confidence).find_thresholds(classes)

    def find_lower_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns the score of each class below which it is denied."""
        return Recall(self.recall, self.confidence).find_thresholds(classes)

    def find_flags(self, classes: Sequence[ClassScores]) -> list[tuple[str, ...]]:
        """Returns, for each class, which promise cannot be made and why."""
        found = {
            "precision": Precision(self.precision, self.confidence).find_flags(classes),
            "recall": Recall(self.recall, self.confidence).find_flags(classes),
        }
        return [
            tuple(f"{name} {flag}" for name, flags in found.items() for flag in flags[column])
            for column in range(len(classes))
        ]
