"""What stands between the brackets of `samples[...]`."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def find_positions(key: Any, ids: Sequence[str]) -> npt.NDArray[np.intp]:
    """Gives the positions that a position, an id, a slice, a list of positions or ids, or one boolean per id means."""
    if isinstance(key, slice):
        ends = (key.start, key.stop, key.step)
        if key.step == 0 or not all(end is None or hasattr(end, "__index__") for end in ends):
            raise TypeError(f"`samples[...]` must have whole numbers in a slice. Received: {key!r}")
        return np.arange(len(ids))[key]
    if isinstance(key, str) or (hasattr(key, "__index__") and not np.ndim(key)):
        key = [key]
    if not hasattr(key, "__iter__"):
        raise TypeError(f"`samples[...]` must have a position, an id, a slice or a list of these. Received: {key!r}")
    keys = list(key)
    if keys and all(isinstance(one, (bool, np.bool_)) for one in keys):
        if len(keys) != len(ids):
            raise IndexError(f"`samples[...]` must have one boolean per sample, {len(ids)}. Received: {len(keys)}")
        return np.flatnonzero(keys)
    by_id = {sample_id: position for position, sample_id in enumerate(ids)}
    return np.array([_find(one, by_id) for one in keys], np.intp)


def _find(key: Any, by_id: dict[str, int]) -> int:
    if isinstance(key, str):
        if key not in by_id:
            raise KeyError(f"`samples[...]` must have ids of its {len(by_id)} samples. Received: {key!r}")
        return by_id[key]
    if isinstance(key, bool):
        raise TypeError(f"`samples[...]` must have positions or ids. Received: {key!r}")
    try:
        position = operator.index(key)
    except TypeError:
        raise TypeError(f"`samples[...]` must have positions or ids. Received: {key!r}") from None
    if not -len(by_id) <= position < len(by_id):
        raise IndexError(f"`samples[...]` must have positions in 0 to {len(by_id) - 1}. Received: {key}")
    return position % len(by_id)
