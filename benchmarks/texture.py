"""The texture of one stain in 87 numbers, as programs measured images before networks learnt what to look at."""

import itertools
from typing import Any

import keras
import numpy as np
from keras import ops

NUM_MEASURES = 87
_LEVELS = (-1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0)  # in standard deviations
_BLURS = (1.0, 2.0, 4.0, 8.0)  # in pixels
_GRAINS = (3, 5, 9, 13, 19)
_RADII = (1, 2, 4)
_NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))


class Texture(keras.layers.Layer):
    """Standardized square images of one channel, `(batch, size, size)`, to `(batch, 87)`; it learns nothing.

    Power in bands of frequency, brightness in steps and by the distance from the middle, moments of differences of
    blurs, what openings and closings of growing size take away, and local binary patterns.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self.size = size
        rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
        distance = np.hypot(rows, columns) / (size / 2)
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(size) * size, np.fft.fftfreq(size) * size))
        self.rings = _shares(distance, [*np.linspace(0, 1, 6), np.inf])
        self.bands = _shares(frequency, np.geomspace(1, size / 2, 13))
        self.window = np.outer(np.hanning(size), np.hanning(size)).astype(np.float32)

    def call(self, images: Any) -> Any:
        real, imaginary = ops.fft2((images * self.window, ops.zeros_like(images)))
        flat = ops.reshape(images, (-1, self.size**2))
        in_rings = ops.matmul(flat, self.rings)
        parts = [
            ops.log(ops.matmul(ops.reshape(real**2 + imaginary**2, (-1, self.size**2)), self.bands) + 1e-3),
            *(_mean(ops.sigmoid((images - level) / 0.15)) for level in _LEVELS),
            in_rings,
            ops.sqrt(ops.matmul(flat**2, self.rings) - in_rings**2 + 1e-4),
            *_moments(images),
            *_grains(images),
            *_grains(-images),
            *(part for radius in _RADII for part in _binary_patterns(images, radius)),
        ]
        return ops.concatenate(parts, axis=1)


def _shares(values: np.ndarray, edges: Any) -> np.ndarray:
    """For each interval between two edges a column that averages the pixels whose value lies in it."""
    inside = np.stack([(values >= low) & (values < high) for low, high in itertools.pairwise(edges)], -1)
    flat = inside.reshape(-1, inside.shape[-1])
    return (flat / flat.sum(axis=0)).astype(np.float32)


def _mean(images: Any) -> Any:
    return ops.mean(ops.reshape(images, (ops.shape(images)[0], -1)), axis=1, keepdims=True)


def _blur(images: Any, sigma: float) -> Any:
    """A Gaussian blur with zeros beyond the border, as two products of matrices: far faster than a convolution."""
    size = images.shape[1]
    distance = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    reach = int(3 * sigma)
    total = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2)).sum()
    matrix = (np.where(distance <= reach, np.exp(-(distance**2) / (2 * sigma**2)), 0) / total).astype(np.float32)
    return ops.matmul(ops.matmul(matrix, images), matrix)


def _moments(images: Any) -> list[Any]:
    parts, before = [], images
    for sigma in _BLURS:
        blurred = _blur(images, sigma)
        difference, before = before - blurred, blurred
        variance = _mean(difference**2) + 1e-4
        parts += [
            ops.log(variance) / 2,
            ops.clip(_mean(difference**3) / variance**1.5, -5, 5),
            ops.log(_mean(difference**4) / variance**2 + 0.1),
            ops.log(_mean(ops.abs(difference)) + 1e-3),
        ]
    return parts


def _grains(images: Any) -> list[Any]:
    parts, before = [], images
    for size in _GRAINS:
        opened = _dilate(-_dilate(-before, size), size)
        parts.append(_mean(ops.abs(opened - before)))
        before = opened
    return parts


def _dilate(images: Any, size: int) -> Any:
    """The largest value in a square around each pixel, from maxima of pairs: far faster than pooling."""
    for axis in (1, 2):
        margin = [(0, 0)] * 3
        margin[axis] = (size // 2, size // 2)
        images = ops.pad(images, margin, constant_values=-np.inf)
        width = 1
        while width < size:
            step = min(width, size - width)
            images = ops.maximum(_without(images, axis, 0, step), _without(images, axis, step, 0))
            width += step
    return images


def _without(images: Any, axis: int, first: int, last: int) -> Any:
    kept = [slice(None)] * 3
    kept[axis] = slice(first, images.shape[axis] - last)
    return images[tuple(kept)]


def _binary_patterns(images: Any, radius: int) -> list[Any]:
    """How many neighbours are brighter, of those whose bright neighbours stand together; the rest is one more."""
    blurred = _blur(images, radius * 0.7)
    inner = blurred.shape[1] - 2 * radius

    def moved(down: int, right: int) -> Any:
        top, left = radius * (1 + down), radius * (1 + right)
        return blurred[:, top : top + inner, left : left + inner]

    brighter = [ops.cast(moved(*step) > moved(0, 0) + 0.02, "float32") for step in _NEIGHBOURS]
    changes = sum(ops.abs(one - other) for one, other in zip(brighter, brighter[1:] + brighter[:1], strict=True))
    number = sum(brighter)
    pattern = ops.where(changes <= 2, number, ops.full_like(number, 9))
    return [_mean(ops.cast(ops.equal(pattern, kind), "float32")) for kind in range(10)]
