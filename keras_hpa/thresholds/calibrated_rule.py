"""Thresholds from a model of what a score means, shared by all classes as far as each has little to say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.f_beta import f_beta
from keras_hpa.thresholds.binned_scores import BinnedScores, sum_above
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import probability
from keras_hpa.thresholds.rule import check_positive, where_present

_SPREAD = (1.0, 0.4)  # of a class's offset and slope around those of all classes
_MEAN, _MEAN_PRECISION = np.array([0.0, 1.0]), 1 / np.square([5.0, 1.0])  # a calibrated network has offset 0, slope 1
_NUM_ROUNDS, _LARGEST_STEP = 12, 2.0


@dataclass(frozen=True)
class Calibrated:
    """`"calibrated"`: the best F-beta by a calibration that the classes share; good with few positives.

    The log-odds of being positive are a straight line in the logit of the score. The lines of all classes are drawn to
    a common one, which the data choose: a class with three positives is read like the others, one with a thousand by
    itself. Only the decision matters, so a sample counts the less, the further its score lies below those that a
    sensible threshold could let in, and the line ends as far above the highest positive as that lies above the mean: a
    broken image of which the network is absurdly sure must not bend it.

    Smoothing the positives leaves the threshold far less to chance than counting them does. What the line cannot
    bend to stays wrong however much data there are. A class without positives is never predicted.

    Args:
        beta: the weight of recall against precision.

    Raises:
        ValueError: if `beta` is not more than 0.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [1], [0], [0]]
        >>> ThresholdCalibrator(Calibrated()).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 1, 0, 0]

    References:
        Platt, Probabilistic outputs for support vector machines, 1999.
        Lipton, Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML 2014.
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        check_positive("beta", self.beta)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""

        def find(present: list[ClassScores]) -> npt.NDArray[np.float64]:
            binned = BinnedScores.from_classes(present)
            return binned.in_unit_of_scores(best_if_calibrated(binned, beta=self.beta))

        return where_present(classes, find)


def best_if_calibrated(binned: BinnedScores, *, beta: float = 1.0) -> npt.NDArray[np.float64]:
    """The threshold of each class at which the F-beta that its calibrated scores promise is largest, as log-odds."""
    predicted, support = sum_above(binned.samples), binned.positives.sum(axis=1, keepdims=True)
    reach = 2 * support + 10
    weights = np.minimum(1.0, reach / np.maximum(predicted, 1.0))
    logits = np.minimum(binned.middles, _end_of_line(binned))
    lines = fit_lines(logits, weights * binned.samples, weights * binned.positives)
    promised = sum_above(binned.samples * probability(lines[:, :1] + lines[:, 1:] * logits))
    quality = f_beta(np.minimum(promised, support), predicted, support, beta=beta, zero_division=0.0)
    return binned.best_cuts(quality)


def _end_of_line(binned: BinnedScores) -> npt.NDArray[np.float64]:
    mean = (binned.samples * binned.middles).sum(axis=1) / np.maximum(binned.samples.sum(axis=1), 1e-12)
    highest = np.where(binned.positives > 0, binned.middles, -np.inf).max(axis=1)
    end = np.where(np.isfinite(highest), np.maximum(highest, mean) + np.abs(highest - mean) + 1, np.inf)
    return end[:, None]


def fit_lines(
    logits: npt.NDArray[np.float64],
    samples: npt.NDArray[np.float64],
    positives: npt.NDArray[np.float64],
    *,
    spread: tuple[float, float] = _SPREAD,
) -> npt.NDArray[np.float64]:
    """Offset and slope of each class: logistic regressions by Newton's method, their mean fitted along."""
    precision = 1 / np.square(spread)
    features = np.stack([np.ones_like(logits), logits], axis=-1)
    lines, mean = np.tile(_MEAN, (len(logits), 1)), _MEAN
    for _ in range(_NUM_ROUNDS):
        expected = probability((features @ lines[:, :, None])[..., 0])
        gradient = ((positives - samples * expected)[:, None, :] @ features)[:, 0] - (lines - mean) * precision
        varying = (samples * expected * (1 - expected))[..., None] * features
        curvature = np.swapaxes(varying, 1, 2) @ features + np.diag(precision)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        lines = lines + step * np.minimum(1.0, _LARGEST_STEP / np.maximum(longest, 1e-12))
        mean = (lines.sum(axis=0) * precision + _MEAN * _MEAN_PRECISION) / (len(lines) * precision + _MEAN_PRECISION)
    return lines
