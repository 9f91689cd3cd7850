"""From scores and thresholds to labels, the same to the last one in NumPy and in a model."""

import numpy as np
import numpy.typing as npt

from keras_hpa.floats import round_up


def apply_thresholds(
    scores: npt.NDArray[np.floating],
    thresholds: npt.NDArray[np.float64],
    *,
    at_least_one: bool = False,
    from_logits: bool = False,
) -> npt.NDArray[np.uint8]:
    """Labels, 1 where `score >= threshold`; with `at_least_one` also the nearest class where nothing passes.

    Scores too small for a normal number (1e-38 in float32) are 0, as they are to backends that flush them.

    Example:
        >>> apply_thresholds(np.array([[0.1, 0.1]]), np.array([0.2, 0.5]), at_least_one=True)
        array([[1, 0]], dtype=uint8)
    """
    rounded = round_up(thresholds, scores.dtype)
    scores = np.where(np.abs(scores) < np.finfo(scores.dtype).tiny, 0, scores)
    labels = (scores >= rounded).astype(np.uint8)
    if at_least_one:
        factor, shift = nearness_terms(rounded, from_logits=from_logits)
        with np.errstate(over="ignore"):
            nearest = (scores * factor + shift).argmax(axis=-1)
        nothing = ~labels.any(axis=-1) & np.isfinite(rounded).any()
        labels[nothing, nearest[nothing]] = 1
    return labels


def nearness_terms(
    thresholds: npt.NDArray[np.floating], *, from_logits: bool
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Factor and shift such that `score * factor + shift` says how near a score comes to its threshold.

    That is the ratio of the two, or the difference of logits. There is only one rounding in it, which every backend
    does alike, fused or not. A threshold that cannot be passed is never the nearest.
    """
    largest = np.finfo(thresholds.dtype).max
    reachable = np.isfinite(thresholds)
    finite = np.where(reachable, thresholds, 0)
    if from_logits:
        return reachable.astype(thresholds.dtype), np.where(reachable, -finite, -largest)
    inverse = np.divide(1, finite, out=np.zeros_like(finite), where=finite > 1 / largest)
    return inverse, np.where(reachable, 0, -1).astype(thresholds.dtype)
