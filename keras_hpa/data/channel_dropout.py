"""Training images that lack stains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class ChannelDropout:
    """Darkens channels at random, so that a network learns to do without stains that somebody does not have.

    A channel is dark in a share of the images, independently of the others. The protein of interest says what the
    label is, so `keep` must be given: what stands there is never darkened. One channel at least always stays.

    Args:
        channels: the names of the images' channels, in order: `samples.channels`.
        keep: the names of channels that are never darkened, such as the protein's; `()` if any may be.
        rate: the share of images in which each other channel is dark.

    Raises:
        ValueError: if a name of `keep` is not in `channels`, or `rate` does not lie in 0 to 1; from a call, if an image
            has other channels.

    Example:
        >>> dropout = ChannelDropout(["tubulin", "protein", "dapi"], keep=["protein"], rate=0.5)
        >>> dropout(np.ones((1, 1, 3), "uint8"), np.random.default_rng(3)).tolist()
        [[[0, 1, 1]]]
    """

    channels: Sequence[str]
    keep: Sequence[str]
    rate: float = 0.35

    def __post_init__(self) -> None:
        for name, value in (("channels", self.channels), ("keep", self.keep)):
            if isinstance(value, str) or not all(isinstance(one, str) for one in value):
                raise ValueError(f"`{name}` must be a list of names. Received: {value!r}")
        if not self.channels or len(set(self.channels)) != len(self.channels):
            raise ValueError(f"`channels` must be different names, one or more. Received: {self.channels!r}")
        if not set(self.keep) <= set(self.channels):
            raise ValueError(f"`keep` must be names of {tuple(self.channels)}. Received: {self.keep!r}")
        if isinstance(self.rate, bool) or not 0 <= self.rate <= 1:
            raise ValueError(f"`rate` must lie in 0 to 1. Received: {self.rate!r}")

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        if image.shape[-1] != len(self.channels):
            raise ValueError(
                f"Images must have the channels {tuple(self.channels)}. Received: {image.shape[-1]} channels"
            )
        is_dark = rng.random(len(self.channels)) < self.rate
        spared = rng.integers(len(self.channels))
        is_dark &= [name not in self.keep for name in self.channels]
        if is_dark.all():
            is_dark[spared] = False
        darkened = image.copy()
        for channel in np.flatnonzero(is_dark):
            darkened[..., channel] = 0
        return darkened
