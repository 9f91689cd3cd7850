"""Probabilities to logits and back, finite at 0 and 1."""

import numpy as np
import numpy.typing as npt

SMALLEST, LARGEST = 1e-9, 1 - 2.0**-24  # float32, as networks give it, ends there below 1


def log_odds(probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns log(p / (1 - p)) in float64, with 0 as -20.7 and 1 as 16.6; infinite thresholds stay infinite.

    Example:
        >>> log_odds([0.5, 0.0, np.inf]).round(1).tolist()
        [0.0, -20.7, inf]
    """
    p = np.asarray(probabilities, np.float64)
    clipped = np.clip(p, SMALLEST, LARGEST)
    return np.where(np.isposinf(p), np.inf, np.log(clipped) - np.log1p(-clipped))


def probability(logits: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Returns 1 / (1 + exp(-logit)) in float64; infinity, the threshold that nothing passes, stays infinite.

    Example:
        >>> probability([0.0, -1000.0, np.inf]).tolist()
        [0.5, 0.0, inf]
    """
    z = np.asarray(logits, np.float64)
    small = np.exp(-np.abs(z))
    return np.where(np.isposinf(z), np.inf, np.where(z < 0, small, 1.0) / (1 + small))
