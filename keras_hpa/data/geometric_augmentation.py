"""Changes to training images that move pixels: crops, small turns and changes of size, channels that lie apart."""

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.resizing import by_opencv, check_image_size


@dataclass(frozen=True)
class RandomCrop:
    """Cuts out a part of each image, anywhere in it with the same likelihood; pixels keep their values and scale.

    Args:
        size: height and width of the part, or one number for both.

    Raises:
        ValueError: if `size` is none; from a call, if an image is smaller.

    Example:
        >>> RandomCrop(4)(np.zeros((8, 6, 3), "uint16"), np.random.default_rng(0)).shape
        (4, 4, 3)
    """

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        check_image_size(self.size, name="size")

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        height, width = check_image_size(self.size)
        if image.shape[0] < height or image.shape[1] < width:
            raise ValueError(f"Images must be as large as `size`, {(height, width)}. Received: {image.shape[:2]}")
        top, left = (int(rng.integers(free + 1)) for free in (image.shape[0] - height, image.shape[1] - width))
        return image[top : top + height, left : left + width]


@dataclass(frozen=True)
class RandomAffine:
    """Turns each image by a small angle and changes its size a little, about its middle.

    Cells lie at every angle and differ in size; the eight symmetries of the square (`"dihedral"`) are exact and cost
    less, so use these for the angle alone. Pixels are interpolated linearly, which smooths noise a little; beyond the
    edge the image is mirrored.

    Args:
        rotation: the largest angle, in degrees, either way.
        scale: the largest change of size: factors are drawn between `1 / (1 + scale)` and `1 + scale`, evenly in their
            logarithm.

    Raises:
        ValueError: if an argument is negative or not finite.

    Example:
        >>> image = np.full((8, 8, 5), 7, "uint8")
        >>> np.array_equal(RandomAffine()(image, np.random.default_rng(0)), image)
        True
    """

    rotation: float = 10.0
    scale: float = 0.1

    def __post_init__(self) -> None:
        not_negative(rotation=self.rotation, scale=self.scale)

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        angle = radians(rng.uniform(-self.rotation, self.rotation))
        limit = float(np.log1p(self.scale))
        factor = float(np.exp(rng.uniform(-limit, limit)))
        height, width = image.shape[:2]
        turn = factor * np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        return _warp(image, np.column_stack([turn, middle - turn @ middle]))


@dataclass(frozen=True)
class ChannelShift:
    """Shifts each channel by a little of its own, as lenses and filters do that bring colours to different places.

    Args:
        pixels: the largest shift, up or down and left or right, drawn evenly; parts of pixels are interpolated.

    Raises:
        ValueError: if `pixels` is negative or not finite.

    Example:
        >>> image = np.zeros((9, 9, 2), "float32")
        >>> image[4, 4] = 1
        >>> shifted = ChannelShift(2)(image, np.random.default_rng(0))
        >>> [np.unravel_index(shifted[..., channel].argmax(), (9, 9)) for channel in range(2)]
        [(np.int64(3), np.int64(5)), (np.int64(2), np.int64(2))]
    """

    pixels: float = 1.0

    def __post_init__(self) -> None:
        not_negative(pixels=self.pixels)

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        shifts = rng.uniform(-self.pixels, self.pixels, size=(image.shape[2], 2))
        shifted = [
            _warp(image[..., channel : channel + 1], np.column_stack([np.eye(2), shift]))
            for channel, shift in enumerate(shifts)
        ]
        return np.concatenate(shifted, axis=-1)


def not_negative(**arguments: float) -> None:
    """Refuses what is no number of 0 or more."""
    for name, value in arguments.items():
        is_number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        if not is_number or not 0 <= value < np.inf:
            raise ValueError(f"`{name}` must be finite and not negative. Received: {value!r}")


def _warp(image: npt.NDArray[Any], matrix: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import cv2

    def warp(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        size = part.shape[1], part.shape[0]
        return cv2.warpAffine(part, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)

    return by_opencv(image, warp)
