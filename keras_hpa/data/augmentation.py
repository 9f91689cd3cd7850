"""Changes to training images that leave their labels true."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.dihedral import SYMMETRIES, apply_symmetry
from keras_hpa.data.resizing import to_type

Augmentation = Callable[[npt.NDArray[Any], np.random.Generator], npt.NDArray[Any]]
"""Takes an image and a random generator, gives the changed image."""


def random_symmetry(image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Applies one of the eight symmetries of the square, each as likely; of the four that keep its shape if not square.

    Example:
        >>> random_symmetry(np.zeros((8, 6, 4)), np.random.default_rng(0)).shape
        (8, 6, 4)
    """
    symmetries = SYMMETRIES if image.shape[0] == image.shape[1] else SYMMETRIES[::2]
    return apply_symmetry(image, symmetries[rng.integers(len(symmetries))])


class ChannelGain:
    """Multiplies each channel by a gain of its own and adds an offset of its own.

    Stains bleach, and detectors are set, one channel at a time; so brightness varies from plate to plate independently
    in each channel, which augmentation of colour pictures does not do. Values of integer images are rounded and kept
    in the range of their type; float images are not clipped.

    Args:
        gain: the largest change of brightness: gains are drawn between `1 / (1 + gain)` and `1 + gain`, evenly in their
            logarithm.
        offset: the largest shift of the background, up or down, as a share of the full scale (the type's largest value
            for integers, 1.0 for floats).

    Raises:
        ValueError: if `gain` or `offset` is negative or not finite.

    Example:
        >>> image = np.full((1, 1, 2), 0.5, "float32")
        >>> ChannelGain(gain=1.0, offset=0.0)(image, np.random.default_rng(0)).round(1)
        array([[[0.6, 0.4]]], dtype=float32)
    """

    def __init__(self, gain: float = 0.2, *, offset: float = 0.02):
        if not (0 <= gain < np.inf and 0 <= offset < np.inf):
            raise ValueError(
                f"`gain` and `offset` must be finite and not negative. Received: gain={gain}, offset={offset}"
            )
        self.gain = gain
        self.offset = offset

    def __repr__(self) -> str:
        return f"ChannelGain(gain={self.gain}, offset={self.offset})"

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        num_channels = image.shape[-1]
        limit = float(np.log1p(self.gain))
        gains = np.exp(rng.uniform(-limit, limit, size=num_channels), dtype=np.float32)
        scale = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else 1.0
        offsets = np.multiply(rng.uniform(-self.offset, self.offset, size=num_channels), scale, dtype=np.float32)
        width = image.shape[1]
        rows = np.ascontiguousarray(image).reshape(len(image), -1)  # long rows are several times faster
        return to_type(rows * np.tile(gains, width) + np.tile(offsets, width), image.dtype).reshape(image.shape)


AUGMENTATIONS: dict[str, Augmentation] = {"dihedral": random_symmetry}


def resolve_augmentations(augment: str | Augmentation | Sequence[str | Augmentation] | None) -> list[Augmentation]:
    """Turns what `MultiChannelSequence` takes for `augment` into a list of callables."""
    if augment is None:
        return []
    steps = [augment] if isinstance(augment, str) or callable(augment) else list(augment)
    for step in steps:
        if not callable(step) and step not in AUGMENTATIONS:
            raise ValueError(
                f"`augment` must be one of {sorted(AUGMENTATIONS)}, a callable (image, rng) -> image, or a list of "
                f"these. Received: {step!r}"
            )
    return [AUGMENTATIONS[step] if isinstance(step, str) else step for step in steps]
