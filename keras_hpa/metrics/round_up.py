"""Thresholds in another precision."""

import numpy as np
import numpy.typing as npt


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
