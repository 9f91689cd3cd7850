"""How far scores are from the share of positives among samples with such scores."""

import numpy as np
import numpy.typing as npt

from keras_hpa.evaluation.intervals import Interval
from keras_hpa.evaluation.units import Units

NUM_BINS = 10


def calibration_errors(
    scores: npt.NDArray[np.floating], labels: npt.NDArray[np.int8], units: Units, draws: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The expected calibration error of each class and of all scores in one: in all, and of each draw of units.

    The mean over the samples of the distance, in their tenth of the scale, between mean score and share of positives
    (Naeini, Cooper & Hauskrecht, AAAI 2015).

    Returns:
        One number per class and one for all, and the same for each draw; NaN where no label is known.
    """
    num_classes = scores.shape[1]
    counted = labels >= 0
    # Of each bin only the sum of score - label is needed.
    gaps = np.zeros((units.count, num_classes, NUM_BINS), np.float32)
    bins = np.minimum((scores * NUM_BINS).astype(np.intp), NUM_BINS - 1)
    gap = np.where(counted, scores - (labels == 1), 0).astype(np.float32)
    np.add.at(gaps, (units.codes[:, None], np.arange(num_classes), bins), gap)
    known = units.sums(counted).astype(np.float32)
    everyone = np.ones((1, units.count), np.float32)
    (value,), drawn = (_errors(weights, gaps, known) for weights in (everyone, draws))
    return value, drawn


def _errors(
    weights: npt.NDArray[np.float32], gaps: npt.NDArray[np.float32], known: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    count, num_classes, _ = gaps.shape
    summed = (weights @ gaps.reshape(count, -1)).reshape(len(weights), num_classes, NUM_BINS)
    in_all = summed.sum(axis=1, keepdims=True)
    distances = np.abs(np.concatenate([summed, in_all], axis=1), dtype=np.float64).sum(axis=2)
    samples = (weights @ known).astype(np.float64)
    samples = np.concatenate([samples, samples.sum(axis=1, keepdims=True)], axis=1)
    return np.divide(distances, samples, out=np.full_like(distances, np.nan), where=samples > 0)


def drawn_interval(drawn: npt.NDArray[np.float64], confidence: float) -> Interval:
    """The middle share of the draws that are defined."""
    defined = drawn[~np.isnan(drawn)]
    if not len(defined):
        return Interval(np.nan, np.nan, "not defined")
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high), "draws, no promise")
