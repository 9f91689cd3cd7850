"""Checks of what `MultiChannelSequence` is given."""

from contextlib import suppress

import numpy as np
import numpy.typing as npt


def check_integers(smallest: int, **arguments: int) -> list[int]:
    for name, value in arguments.items():
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < smallest:
            raise ValueError(f"`{name}` must be an integer, {smallest} or more. Received: {value!r}")
    return [int(value) for value in arguments.values()]  # NumPy's would overflow


def check_labels(labels: npt.ArrayLike, num_samples: int) -> npt.NDArray[np.float32]:
    if np.ma.is_masked(labels):
        raise ValueError("`labels` must be -1 where unknown, as `labels.filled(-1)` gives. Received: a masked array")
    array = np.asarray(labels)
    if array.dtype == object:  # a table of several types
        with suppress(TypeError, ValueError):
            array = array.astype(np.float64)
    if array.ndim < 1 or len(array) != num_samples or array.dtype.kind not in "biuf":
        raise ValueError(
            f"`labels` must be numbers with one row per sample, {num_samples}. "
            f"Received: {array.dtype} of shape {array.shape}"
        )
    is_wrong = ~np.isfinite(array)
    if array.ndim == 2:  # of one axis they are numbers of classes, or whatever a loss of one's own takes
        is_wrong |= ~((array >= 0) & (array <= 1) | (array == -1))
    for place in np.argwhere(is_wrong)[:1]:
        raise ValueError(
            "`labels` must be 1, 0 or between, -1 where unknown; of one axis they may be any finite numbers. "
            f"Received: {array[tuple(place)]} in row {place[0]}"
        )
    return array.astype(np.float32)
