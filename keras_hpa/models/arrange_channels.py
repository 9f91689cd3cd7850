"""Anybody's channels in the order in which pretrained weights know them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_hpa.atlas import CHANNEL_STAINS, CHANNELS
from keras_hpa.layers import ChannelMixer

_SHORT = {"protein": "green", "er": "yellow"}
_NAMES = {stain: channel for channel, stain in CHANNEL_STAINS.items()} | {name: name for name in CHANNELS} | _SHORT


def arrange_channels(x: Any, channels: Sequence[str | None] | Mapping[str, str] | None, weights: str | None) -> Any:
    """Gives the atlas's four channels, from images of any: stains that they lack are dark.

    Args:
        x: images as floats, `(batch, height, width, C)`.
        channels: the stain of each of the C channels in order, `None` for one that the weights do not know; a mapping
            has stains as keys. `None` stands for the atlas's four.
        weights: name of the weights, for errors; `None` for weights without a name, whose channels nobody knows.
    """
    if channels is None:
        if weights is not None and x.shape[-1] != len(CHANNELS):
            raise ValueError(
                f"`channels` must say which stain each channel shows, since weights={weights!r} know "
                f"{', '.join(CHANNEL_STAINS.values())}; for instance {_example(x.shape[-1])}. "
                f"Received: None, for images of {x.shape[-1]} channels"
            )
        return x
    if weights is None:
        raise ValueError(f"`channels` must be None where `weights` is no name. Received: {channels!r}")
    stains = list(channels)
    known = [None if stain is None else _NAMES.get(str(stain).casefold()) for stain in stains]
    wrong = [stain for stain, name in zip(stains, known, strict=True) if stain is not None and name is None]
    if isinstance(channels, str) or wrong or len(stains) != x.shape[-1]:
        raise ValueError(
            f"`channels` must name the stain of each of the {x.shape[-1]} channels in order, one of "
            f"{sorted(_NAMES)} or None. Received: {channels!r}"
        )
    found = [name for name in known if name is not None]
    if len(set(found)) < len(found) or not found:
        raise ValueError(f"`channels` must name each stain once, and at least one. Received: {channels!r}")
    if known == list(CHANNELS):
        return x
    matrix = np.zeros((len(known), len(CHANNELS)), "float32")
    for row, name in enumerate(known):
        if name is not None:
            matrix[row, CHANNELS.index(name)] = 1
    return ChannelMixer(matrix, name="channels")(x)


def _example(num_channels: int) -> str:
    stains = ["nucleus", "protein", "microtubules", "endoplasmic reticulum"]
    return repr([*stains[:num_channels], *[None] * (num_channels - len(stains))])
