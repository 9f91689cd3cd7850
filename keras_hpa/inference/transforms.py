"""The ways in which a network sees an image."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import SYMMETRIES

Transform = int | Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
"""The number of a symmetry, or a callable on a batch of images."""


def resolve_transforms(transforms: Any) -> list[Transform]:
    """Gives the checked list of transforms for the argument of `predict_scores`."""
    if transforms is None:
        return [0]
    if isinstance(transforms, str) and transforms == "dihedral":
        return list(SYMMETRIES)
    chosen = list(transforms) if hasattr(transforms, "__iter__") and not isinstance(transforms, str) else []
    known = [callable(one) or (np.asarray(one).dtype.kind in "iu" and one in SYMMETRIES) for one in chosen]
    if not chosen or not all(known):
        raise ValueError(
            "`transforms` must be None, 'dihedral', or a list of numbers of symmetries, 0 to 7, and of callables. "
            f"Received: {transforms!r}"
        )
    return [one if callable(one) else int(one) for one in chosen]


def transform_name(transform: Transform) -> int | str:
    """Gives the name of a transform in messages and manifests."""
    return getattr(transform, "__qualname__", type(transform).__qualname__) if callable(transform) else transform
