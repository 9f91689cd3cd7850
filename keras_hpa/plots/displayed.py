"""A sample as it is shown: each channel bright enough to be seen, in its colour."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas

_COLOURS: dict[str, tuple[float, ...]] = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
}
# Dyes by the light they give, near enough; red ones are magenta, which most colour-blind people tell from green.
_DYES = {
    "blue": ("dapi", "hoechst", "bfp", "405", "nucle", "dna"),
    "cyan": ("cfp", "cerulean", "435"),
    "green": ("gfp", "fitc", "488", "alexa488", "neongreen"),
    "yellow": ("yfp", "venus", "514", "cy5", "647", "640", "farred", "far-red", "far red"),
    "magenta": ("rfp", "cherry", "tomato", "cy3", "tritc", "texas", "rhodamine", "546", "555", "561", "568", "594"),
}
_OTHERS = ((0, 1, 1), (1, 0, 1), (1, 1, 0), (0.2, 0.5, 1), (1, 0.5, 0), (0.5, 1, 0.3), (1, 0.4, 0.6), (0.7, 0.6, 1))


class Displayed(NamedTuple):
    """A sample, brightened.

    `names` are the channels', or "channel1", "channel2", ...; `bright` holds the channels, 0 to 1, `(height, width,
    channels)`; `colours` the colour of each, `(channels, 3)`; `gains` by how much each was brightened.
    """

    names: list[str]
    bright: npt.NDArray[np.float64]
    colours: npt.NDArray[np.float64]
    gains: npt.NDArray[np.float64]

    @property
    def titles(self) -> list[str]:
        """What to write above each channel: its name, the stain where all names are the atlas's, and the gain."""
        stains = atlas.CHANNEL_STAINS if set(self.names) == set(atlas.CHANNELS) else {}
        stained = [f"{name}: {stains[name]}" if name in stains else name for name in self.names]
        return [f"{name}\n(× {gain:.1f})" for name, gain in zip(stained, self.gains, strict=True)]

    @property
    def panels(self) -> npt.NDArray[np.float64]:
        """Each channel in its colour, `(channels, height, width, 3)`."""
        return np.moveaxis(self.bright, -1, 0)[..., None] * self.colours[:, None, None]

    @property
    def merge(self) -> npt.NDArray[np.float64]:
        """All channels in one picture, `(height, width, 3)`."""
        return np.clip(self.bright @ self.colours, 0, 1)


def displayed(image: npt.ArrayLike, channels: Sequence[str] | None = None, saturated: float = 0.35) -> Displayed:
    """Brightens every channel by itself until `saturated` per cent of its pixels are white, as pixels to show.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        channels: the names of the channels, as for `plot_channels`.
        saturated: the share of pixels, in per cent, that are drawn at full brightness.

    Raises:
        ValueError: if the shape of `image` does not fit `channels`, or `saturated` does not lie in 0 to 100.

    Example:
        >>> shown = displayed(np.full((8, 8, 2), 51, "uint8"), ["DAPI", "green"])
        >>> shown.panels.shape, shown.gains.tolist()
        ((2, 8, 8, 3), [5.0, 5.0])
    """
    pixels = np.asarray(image)
    names = None if channels is None else list(channels)
    if pixels.ndim != 3 or (names is not None and pixels.shape[-1] != len(names)):
        expected = "channels" if names is None else len(names)
        raise ValueError(f"`image` must have shape (height, width, {expected}). Received: shape {pixels.shape}")
    if not 0 <= saturated < 100:
        raise ValueError(f"`saturated` must lie between 0 and 100 per cent. Received: {saturated}")
    names = [f"channel{number}" for number in range(1, pixels.shape[-1] + 1)] if names is None else names
    full = float(np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else 1.0
    white = np.maximum(np.percentile(pixels, 100 - saturated, axis=(0, 1)), full / 255)
    return Displayed(names, np.clip(pixels / white, 0, 1), np.array(_choose_colours(names), np.float64), full / white)


def _choose_colours(names: Sequence[str]) -> list[tuple[float, ...]]:
    """A name of a colour chooses it, then that of a dye; others get one that is not taken, or white if alone."""
    chosen = [_COLOURS.get(str(name).casefold()) for name in names]
    if len(names) == 1:
        return [chosen[0] or (1, 1, 1)]
    for number, name in enumerate(names):
        dye = _colour_of_dye(str(name).casefold())
        if chosen[number] is None and dye not in chosen:
            chosen[number] = dye
    others = cycle([colour for colour in _OTHERS if colour not in chosen])
    return [colour or next(others) for colour in chosen]


def _colour_of_dye(name: str) -> tuple[float, ...] | None:
    return next((_COLOURS[colour] for colour, dyes in _DYES.items() if any(dye in name for dye in dyes)), None)
