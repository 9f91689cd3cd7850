"""Measures of texture, as programs described images before networks learned what to look at."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.layers.image_standardization import ImageStandardization

_PERIODS = np.geomspace(80, 2, 13)  # pixels
_LEVELS = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)  # standard deviations
_RINGS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 2.0)  # parts of half an image
_BLURS = (1.0, 2.0, 4.0, 8.0)  # pixels
_RADII = (1, 2, 4)  # pixels
_NEIGHBORS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_NUM_FEATURES = 77
_SMALLEST = 2 * max(_RADII) + 1


@keras.saving.register_keras_serializable("keras_hpa")
class TextureFeatures(keras.layers.Layer):
    """Measures the texture of every channel in 77 numbers. It learns nothing.

    From few images a network learns slowly what is plain in one stain: whether it is grainy or smooth, and how coarse
    its grains are. This layer measures it. Each channel of each image is standardized first, so that exposure and
    background do not matter; then there are, per channel:

    - 12 for the power of structures by their size, from 80 pixels down to 2: the logarithm of a windowed spectrum;
    - 7 for the share of pixels above a level, -1 to 3 standard deviations;
    - 12 for the mean and the deviation in six rings around the middle of the image;
    - 16 for the moments of what is lost from one blur to the next, of 1, 2, 4 and 8 pixels;
    - 30 for local binary patterns at distances of 1, 2 and 4 pixels.

    They are in pixels: bring images to one scale first. The rings are for images with one cell in the middle.
    `GapNet(texture=[1])` has them beside what it learns.

    Args:
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, height, width, channels)`, in any unit; at least 9 pixels high and wide.

    Output shape:
        `(batch, 77 * channels)`, one channel after the other. A channel without any contrast has the same numbers
        whatever its brightness.

    Raises:
        ValueError: if images are too small.

    Example:
        >>> TextureFeatures().compute_output_shape((None, 80, 80, 3))
        (None, 231)

    References:
        - Haralick, Statistical and structural approaches to texture, Proceedings of the IEEE 67, 1979.
        - Ojala, Pietikäinen and Mäenpää, Multiresolution gray-scale and rotation invariant texture classification with
          local binary patterns, IEEE Transactions on Pattern Analysis and Machine Intelligence 24, 2002.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._standardize = ImageStandardization(dtype="float32")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._standardize.build(input_shape)

    def call(self, inputs: Any) -> Any:
        _check_size(inputs.shape)
        _, height, width, channels = ops.shape(inputs)
        x = ops.reshape(ops.transpose(self._standardize(inputs), (0, 3, 1, 2)), (-1, height, width))
        groups = [
            _powers(x),
            ops.stack([_mean(ops.sigmoid((x - level) / 0.15)) for level in _LEVELS], -1),
            _rings(x),
            _moments(x),
            *(_binary_patterns(x, radius) for radius in _RADII),
        ]
        features = ops.reshape(ops.concatenate(groups, axis=-1), (-1, _NUM_FEATURES * channels))
        return ops.cast(features, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        _check_size(input_shape)
        return (input_shape[0], None if input_shape[3] is None else _NUM_FEATURES * input_shape[3])


def _check_size(shape: Sequence[int | None]) -> None:
    """Of smaller images no pixel has all its neighbors, and the shares of patterns would be NaN."""
    if any(size is not None and size < _SMALLEST for size in shape[1:3]):
        raise ValueError(f"Images must be at least {_SMALLEST} pixels high and wide. Received shape: {tuple(shape)}")


def _mean(x: Any) -> Any:
    return ops.mean(x, axis=(1, 2))


def _steps(size: Any) -> Any:
    return ops.cast(ops.arange(size), "float32")


def _mean_between(x: Any, values: Any, edges: Any) -> Any:
    """Means of the pixels whose value lies from one edge to the next, `(batch, intervals)`; 0 where there is none."""
    values = ops.reshape(values, (-1, 1))
    edges = ops.convert_to_tensor(edges, "float32")
    inside = ops.cast((values >= edges[:-1]) & (values < edges[1:]), "float32")
    flat = ops.reshape(x, (-1, ops.shape(inside)[0]))
    return ops.matmul(flat, inside) / ops.maximum(ops.sum(inside, axis=0), 1.0)


def _powers(x: Any) -> Any:
    """Products of matrices take the place of a fast Fourier transform, which exported models may not contain."""
    height, width = ops.shape(x)[1:]
    window = _hann(height)[:, None] * _hann(width)[None, :]
    cosines, sines, rows = _waves(height)
    cosines_of_columns, sines_of_columns, columns = _waves(width)
    even, odd = ops.matmul(cosines, x * window), ops.matmul(sines, x * window)
    real = ops.matmul(even, cosines_of_columns) - ops.matmul(odd, sines_of_columns)
    imaginary = ops.matmul(even, sines_of_columns) + ops.matmul(odd, cosines_of_columns)
    power = (real * real + imaginary * imaginary) / ops.sum(window * window)
    frequency = ops.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)
    return ops.log(_mean_between(power, frequency, 1 / _PERIODS) + 1e-6)


def _hann(size: Any) -> Any:
    return 0.5 - 0.5 * ops.cos(2 * np.pi * _steps(size) / ops.cast(size - 1, "float32"))


def _waves(size: Any) -> tuple[Any, Any, Any]:
    """Cosines and sines of all frequencies, one a row, and the frequencies in cycles per pixel."""
    steps = ops.cast(ops.arange(size), "int32")
    # In whole numbers, since single precision has no digits left for the angle of a large product.
    turns = ops.cast(ops.mod(steps[:, None] * steps[None, :], size), "float32") / ops.cast(size, "float32")
    frequencies = ops.cast(ops.minimum(steps, size - steps), "float32") / ops.cast(size, "float32")
    return ops.cos(2 * np.pi * turns), ops.sin(2 * np.pi * turns), frequencies


def _rings(x: Any) -> Any:
    rows, columns = (2 * _steps(size) / ops.cast(size - 1, "float32") - 1 for size in ops.shape(x)[1:])
    distance = ops.sqrt(rows[:, None] ** 2 + columns[None, :] ** 2)
    mean = _mean_between(x, distance, _RINGS)
    variance = _mean_between(x * x, distance, _RINGS) - mean * mean
    return ops.concatenate([mean, ops.sqrt(ops.maximum(variance, 0.0) + 1e-4)], axis=-1)


def _blur(x: Any, sigma: float) -> Any:
    """A Gaussian with zeros beyond the border, as two products of matrices: far faster than convolving one channel."""
    reach = int(3 * sigma)
    total = float(np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).sum())
    blurs = []
    for size in ops.shape(x)[1:]:
        distance = ops.abs(_steps(size)[:, None] - _steps(size)[None, :])
        near = ops.cast(distance <= reach, "float32")
        blurs.append(near * ops.exp(-(distance * distance) / (2 * sigma**2)) / total)
    return ops.matmul(ops.matmul(blurs[0], x), blurs[1])


def _moments(x: Any) -> Any:
    features, before = [], x
    for sigma in _BLURS:
        blurred = _blur(x, sigma)
        lost, before = before - blurred, blurred
        square = lost * lost
        variance = _mean(square) + 1e-4
        features += [
            ops.log(variance) / 2,
            ops.clip(_mean(square * lost) / (variance * ops.sqrt(variance)), -5.0, 5.0),
            ops.log(_mean(square * square) / (variance * variance) + 0.1),
            ops.log(_mean(ops.abs(lost)) + 1e-3),
        ]
    return ops.stack(features, axis=-1)


def _binary_patterns(x: Any, radius: int) -> Any:
    """Shares of pixels by how many of eight neighbors are brighter, if those stand together; the last: all others."""
    blurred = _blur(x, 0.7 * radius)

    def moved(down: int, right: int) -> Any:
        top, left = radius * (1 + down), radius * (1 + right)
        return blurred[:, top : top - 2 * radius or None, left : left - 2 * radius or None]

    middle = moved(0, 0) + 0.02
    brighter = [ops.cast(moved(*step) > middle, "float32") for step in _NEIGHBORS]
    number = sum(brighter)
    changes = sum(ops.abs(one - other) for one, other in zip(brighter, brighter[1:] + brighter[:1], strict=True))
    pattern = ops.where(changes <= 2, number, 9.0)
    return ops.stack([_mean(ops.cast(ops.equal(pattern, kind), "float32")) for kind in range(10)], axis=-1)
