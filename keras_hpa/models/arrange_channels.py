"""Anybody's channels in the order in which pretrained weights know them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_hpa.atlas import CHANNEL_STAINS, CHANNELS
from keras_hpa.layers import ChannelMixer

_SHORT = {"protein": "green", "er": "yellow"}
_NAMES = {stain: channel for channel, stain in CHANNEL_STAINS.items()} | {name: name for name in CHANNELS} | _SHORT


def arrange_channels(
    x: Any,
    channels: Sequence[str | None] | Mapping[str, str],
    known: Sequence[str] = CHANNELS,
    *,
    argument: str = "channels",
    absent_is_dark: bool = True,
) -> Any:
    """Gives the channels that a network knows, from images of any.

    Args:
        x: images as floats, `(batch, height, width, C)`.
        channels: the stain of each of the C channels in order, `None` for one to leave out; a mapping has stains as
            keys. Stains of the atlas that the network does not know are left out.
        known: the atlas's colours that the network knows, in its order.
        argument: name of the argument, for errors.
        absent_is_dark: whether a stain that the images lack is dark; else it is refused.
    """
    stains = list(channels)
    found = [None if stain is None else _NAMES.get(str(stain).casefold()) for stain in stains]
    wrong = any(stain is not None and name is None for stain, name in zip(stains, found, strict=True))
    if isinstance(channels, str) or wrong or len(stains) != x.shape[-1]:
        raise ValueError(
            f"`{argument}` must name the stain of each of the {x.shape[-1]} channels in order, one of "
            f"{sorted(_NAMES)} or None. Received: {channels!r}"
        )
    named = [name for name in found if name is not None]
    if len(set(named)) < len(named) or not named:
        raise ValueError(f"`{argument}` must name each stain once, and at least one. Received: {channels!r}")
    absent = [CHANNEL_STAINS[name] for name in known if name not in named]
    if absent and not absent_is_dark:
        raise ValueError(
            f"`{argument}` must name all stains that the network knows, also {', '.join(absent)}. "
            f"Received: {channels!r}"
        )
    if found == list(known):
        return x
    matrix = np.zeros((len(found), len(known)), "float32")
    for row, name in enumerate(found):
        if name in known:
            matrix[row, known.index(name)] = 1
    return ChannelMixer(matrix, name="channels")(x)
