"""Floats: read from whatever an argument holds, and rounded so that the same scores pass."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def as_floats(values: Any) -> npt.NDArray[np.float64]:
    """Numbers as an array of float64; of what holds anything else, one NaN."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.full(1, math.nan)


def round_up(thresholds: npt.NDArray[np.float64], dtype: npt.DTypeLike) -> npt.NDArray[np.floating]:
    """The thresholds in another precision that let exactly the same scores of that precision pass.

    Those too small for a normal number become the smallest that is one, or 0: TensorFlow takes them for 0, and a
    threshold just above 0 would let all scores of 0 pass.
    """
    with np.errstate(over="ignore"):
        rounded = thresholds.astype(dtype)
    rounded = np.where(rounded < thresholds, np.nextafter(rounded, np.array(np.inf, dtype)), rounded)
    tiny = np.finfo(dtype).tiny
    return np.where(np.abs(rounded) < tiny, np.where(rounded > 0, tiny, 0).astype(dtype), rounded)
