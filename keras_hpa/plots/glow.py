"""Where a class was seen, as pictures: a glow over the dimmed merge of the channels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa.plots.displayed import Displayed
from keras_hpa.plots.figure import load

_GRAY, _DIMMED, _OPAQUE = 0.6, 0.6, 0.9
_BRIGHTEST = 99.8  # per cent of the pixels lie within a map's scale
_FAINTEST = 0.25


class Glow(NamedTuple):
    """The activation maps of a sample as they are shown.

    `pictures` are RGB from 0 to 1, `(classes, height, width, 3)`; `highest` is the value of each map that glows
    brightest, `(classes,)`.
    """

    pictures: npt.NDArray[np.float64]
    highest: npt.NDArray[np.float64]


def glow(shown: Displayed, maps: npt.ArrayLike) -> Glow:
    """Lays what speaks for each class over a dimmed merge; what speaks against it is not drawn.

    Every map has a scale of its own. None ends below a quarter of the largest one, so that a class the network hardly
    saw stays dark.

    Args:
        shown: the sample, as `displayed` gives it.
        maps: its maps, of shape `(height, width, classes)`: one item of what `class_activation_maps` returns.

    Raises:
        ValueError: if the maps do not fit the sample.
        ImportError: if Matplotlib, whose colours these are, is not installed.

    Example:
        >>> from keras_hpa.plots import displayed
        >>> glow(displayed(np.ones((8, 8, 2)), ["DAPI", "GFP"]), np.ones((8, 8, 3))).pictures.shape
        (3, 8, 8, 3)
    """
    values = np.asarray(maps, np.float64)
    if values.ndim != 3 or values.shape[:2] != shown.bright.shape[:2] or not values.shape[2]:
        expected = (*shown.bright.shape[:2], "classes")
        raise ValueError(f"`maps` must have shape {expected}. Received: shape {values.shape}")
    positive = np.moveaxis(np.clip(values, 0, None), -1, 0)
    highest = np.percentile(positive, _BRIGHTEST, axis=(1, 2))
    highest = np.maximum(highest, _FAINTEST * highest.max())
    highest[highest == 0] = 1.0
    opacity = _OPAQUE * np.sqrt(np.clip(positive / highest[:, None, None], 0, 1))[..., None]
    backdrop = _DIMMED * (_GRAY * shown.merge.mean(axis=-1, keepdims=True) + (1 - _GRAY) * shown.merge)
    colours = np.stack([colour_scale(top).to_rgba(one)[..., :3] for one, top in zip(positive, highest, strict=True)])
    return Glow(backdrop * (1 - opacity) + colours * opacity, highest)


def colour_scale(highest: float) -> Any:
    """Matplotlib's colours from 0 to a map's highest value."""
    normalize = load("matplotlib.colors").Normalize(0, highest)
    return load("matplotlib.cm").ScalarMappable(normalize, "inferno")
