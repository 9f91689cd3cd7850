"""What stands between the brackets of `samples[...]`."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def find_positions(key: Any, ids: Sequence[str]) -> npt.NDArray[np.intp]:
    """Gives the positions that a position, an id, a slice, a list of positions or ids, or one boolean per id means."""
    if isinstance(key, slice):
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
    by_id = {sample_id: position for position, sample_id in enumerate(ids)} if len(keys) > 1 else None
    return np.array([_find(one, ids, by_id) for one in keys], np.intp)


def _find(key: Any, ids: Sequence[str], by_id: dict[str, int] | None) -> int:
    if isinstance(key, str):
        if key not in (ids if by_id is None else by_id):
            raise KeyError(f"`samples[...]` must have ids of its {len(ids)} samples. Received: {key!r}")
        return ids.index(key) if by_id is None else by_id[key]
    try:
        position = operator.index(key)
    except TypeError:
        raise TypeError(f"`samples[...]` must have positions or ids. Received: {key!r}") from None
    if not -len(ids) <= position < len(ids):
        raise IndexError(f"`samples[...]` must have positions in 0 to {len(ids) - 1}. Received: {position}")
    return position % len(ids)
