"""Thresholds in another precision."""

import numpy as np
import numpy.typing as npt


def round_up(thresholds: npt.NDArray[np.float64], dtype: npt.DTypeLike) -> npt.NDArray[np.floating]:
    """The thresholds in another precision that let exactly the same scores of that precision pass."""
    rounded = thresholds.astype(dtype)
    return np.where(rounded < thresholds, np.nextafter(rounded, np.array(np.inf, dtype)), rounded)
