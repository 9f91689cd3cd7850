"""Changes to training images that move no pixel: defocus, and noise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.geometric_augmentation import not_negative
from keras_hpa.data.resizing import by_opencv, to_type


@dataclass(frozen=True)
class RandomBlur:
    """Blurs each image by a Gaussian, as a field does that is a little out of focus.

    Args:
        sigma: the largest standard deviation, in pixels; drawn evenly from 0 on.
        per_channel: whether every channel has its own, as where colours have their focus at different depths.

    Raises:
        ValueError: if `sigma` is negative or not finite.

    Example:
        >>> image = np.full((8, 8, 5), 7, "uint16")
        >>> np.array_equal(RandomBlur(2.0)(image, np.random.default_rng(0)), image)
        True
    """

    sigma: float = 1.0
    per_channel: bool = False

    def __post_init__(self) -> None:
        not_negative(sigma=self.sigma)

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        if not self.per_channel:
            return _blur(image, rng.uniform(0, self.sigma))
        sigmas = list(rng.uniform(0, self.sigma, size=(image.shape[2],)))
        return np.concatenate(
            [_blur(image[..., channel : channel + 1], sigma) for channel, sigma in enumerate(sigmas)], axis=-1
        )


@dataclass(frozen=True)
class RandomNoise:
    """Adds noise as a camera does: as strong everywhere, and stronger where there is more light.

    How strong it is, is drawn evenly from 0 to what the arguments say, for each channel. Values of integer images are
    rounded and kept in the range of their type; float images are not clipped. A channel that is zero everywhere, as
    `ChannelDropout` leaves one, shows no stain and stays as it is. Drawing the noise takes longer than all other pieces
    of augmentation together, and than decoding a PNG.

    Args:
        read: the standard deviation in the dark, as a share of the full scale (the type's largest value for integers,
            1.0 for floats).
        shot: the standard deviation at the full scale that light itself has; it falls with the root of intensity.

    Raises:
        ValueError: if an argument is negative or not finite.

    Example:
        >>> image = np.full((64, 64, 2), 0.25, "float32")
        >>> noisy = RandomNoise(read=0.0, shot=0.1)(image, np.random.default_rng(4))
        >>> noisy.std(axis=(0, 1)).round(3)  # at most a half of .1
        array([0.045, 0.026], dtype=float32)
    """

    read: float = 0.01
    shot: float = 0.02

    def __post_init__(self) -> None:
        not_negative(read=self.read, shot=self.shot)

    def __call__(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        scale = np.float32(np.iinfo(image.dtype).max if image.dtype.kind in "iu" else 1.0)
        read, shot = np.array([self.read, self.shot], np.float32)[:, None] * rng.random(
            (2, image.shape[2]), dtype=np.float32
        )
        read *= image.any(axis=(0, 1))
        noise = rng.standard_normal(image.shape, dtype=np.float32).reshape(len(image), -1)
        rows = np.ascontiguousarray(image).reshape(noise.shape)  # long rows are several times faster
        read, shot = (np.tile(one, image.shape[1]) for one in (read, shot))
        if self.shot:
            light = np.maximum(rows, 0, dtype=np.float32)
            noise *= np.sqrt(light * (shot**2 * scale) + (read * scale) ** 2)
        else:
            noise *= read * scale
        return to_type(rows + noise, image.dtype).reshape(image.shape)


def _blur(image: npt.NDArray[Any], sigma: float) -> npt.NDArray[Any]:
    import cv2

    if sigma < 0.1:  # less than OpenCV can tell from nothing
        return image
    return by_opencv(image, lambda part: cv2.GaussianBlur(part, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101))
