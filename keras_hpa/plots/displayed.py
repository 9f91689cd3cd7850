"""A sample as it is shown: each channel bright enough to be seen, in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_COLOURS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
}


class Displayed(NamedTuple):
    """A sample, brightened.

    `bright` holds the channels, 0 to 1, `(height, width, channels)`; `colours` the colour of each, `(channels, 3)`;
    `gains` by how much each was brightened.
    """

    bright: npt.NDArray[np.float64]
    colours: npt.NDArray[np.float64]
    gains: npt.NDArray[np.float64]

    @property
    def panels(self) -> npt.NDArray[np.float64]:
        """Each channel in its colour, `(channels, height, width, 3)`."""
        return np.moveaxis(self.bright, -1, 0)[..., None] * self.colours[:, None, None]

    @property
    def merge(self) -> npt.NDArray[np.float64]:
        """All channels in one picture, `(height, width, 3)`."""
        return np.clip(self.bright @ self.colours, 0, 1)


def displayed(image: npt.ArrayLike, channels: Sequence[str], saturated: float = 0.35) -> Displayed:
    """Brightens every channel by itself until `saturated` per cent of its pixels are white, as pixels to show.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        channels: the names of the channels. Names of colours choose their colours; any other name is drawn in gray.
        saturated: the share of pixels, in per cent, that are drawn at full brightness.

    Raises:
        ValueError: if the shape of `image` does not fit `channels`, or `saturated` does not lie in 0 to 100.

    Example:
        >>> shown = displayed(np.full((8, 8, 2), 51, "uint8"), ["DAPI", "green"])
        >>> shown.panels.shape, shown.gains.tolist()
        ((2, 8, 8, 3), [5.0, 5.0])
    """
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[-1] != len(channels):
        raise ValueError(f"`image` must have shape (height, width, {len(channels)}). Received: shape {pixels.shape}")
    if not 0 <= saturated < 100:
        raise ValueError(f"`saturated` must lie between 0 and 100 per cent. Received: {saturated}")
    full = float(np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else 1.0
    white = np.maximum(np.percentile(pixels, 100 - saturated, axis=(0, 1)), full / 255)
    colours = np.array([_COLOURS.get(name, (1, 1, 1)) for name in channels], np.float64)
    return Displayed(np.clip(pixels / white, 0, 1), colours, full / white)
