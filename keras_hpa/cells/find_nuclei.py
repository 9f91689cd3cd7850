"""Finds nuclei in one channel."""

import cv2
import numpy as np
import numpy.typing as npt

from keras_hpa.cells.component_tree import Labels, Picture, Regions, best_regions, measure, renumbered, slope_of
from keras_hpa.cells.nearest_label import nearest_label
from keras_hpa.cells.part_regions import part_regions
from keras_hpa.cells.scikit_image import load

WORKING_DIAMETER = 32.0
"""Pixels across a nucleus of the picture in which nuclei are looked for."""

_LEVELS = 40
_SEARCH_SIDE = 512  # pixels: the diameter is estimated in a picture this large at most
_SMALLEST_SEARCHED, _FINE_ENOUGH = 5.0, 12.0  # diameters in pixels of that picture

# In diameters of a nucleus.
_BLUR = 0.045
_RIM = 0.1
_GROWTH = 0.2
_SMALLEST, _SMALLEST_AT_BORDER, _LARGEST = 0.5, 0.28, 1.7

# As shares of the median of the field.
_FAINTEST_EDGE, _FAINTEST, _BLUNTEST = 0.25, 0.2, 0.5
_AFTER_MEDIAN = 0.41
_NOISE = 8.0  # standard deviations by which a nucleus stands out; in pure noise the best reach 6


def estimate_diameter(picture: Picture) -> float | None:
    """The median diameter of the nuclei in a picture, in pixels; None if there is nothing to see."""
    shrink = min(1.0, _SEARCH_SIDE / max(picture.shape))
    diameter = _median_diameter(reduce(picture, shrink))
    if shrink < 1 and diameter is not None and diameter < _FINE_ENOUGH:
        top, left = ((size - min(size, _SEARCH_SIDE)) // 2 for size in picture.shape)
        shrink, diameter = 1.0, _median_diameter(picture[top : top + _SEARCH_SIDE, left : left + _SEARCH_SIDE])
    return None if diameter is None else diameter / shrink


def find_nuclei(picture: Picture, diameter: float, noise: float) -> Labels:
    """Finds nuclei.

    Args:
        picture: float32, without hot pixels.
        diameter: of a nucleus in its pixels.
        noise: the standard deviation of a pixel's noise, before hot pixels were removed.

    Returns:
        Labels from 1 in the picture scaled by `working_scale`.
    """
    scale = working_scale(diameter)
    width = diameter * scale
    blur = max(_BLUR * width, 0.5)
    smooth = cv2.GaussianBlur(reduce(picture, scale), (0, 0), blur)
    unit = np.pi / 4 * width**2
    found = best_regions(smooth, num_levels=_LEVELS, smallest=_SMALLEST_AT_BORDER**2 * unit, largest=_LARGEST**2 * unit)
    # What a Gaussian leaves of white noise, and at most what a median of nine pixels does.
    noise *= min(_AFTER_MEDIAN, scale / (2 * np.sqrt(np.pi) * blur))
    if not len(found.area):
        return found.labels
    inside, outside = _brightness(found.labels, smooth, width)
    labels = part_regions(renumbered(found.labels, inside - outside > _NOISE * noise), width)
    if not labels.any():
        return labels
    grown = measure(_grown(labels, smooth, width), slope_of(smooth))
    return renumbered(grown.labels, _are_nuclei(grown, smooth, noise, width))


def _grown(labels: Labels, smooth: Picture, width: float) -> Labels:
    """Regions up to where the brightness has fallen by half, which is further out than their own threshold if a
    neighbour made that too high."""
    distance, owner = nearest_label(labels)
    reach = np.where(distance <= _GROWTH * width, owner, 0)
    around = np.where((distance > 0) & (distance <= max(2.0, _GROWTH * width)), owner, 0)
    half = (_means(labels, smooth) + _lowest_around(labels, around, smooth)) / 2
    bright = (reach > 0) & (smooth > np.append(0, half)[reach])
    return np.asarray(load("skimage.segmentation").watershed(-smooth, labels, mask=bright | (labels > 0)), np.int32)


def _means(labels: Labels, smooth: Picture) -> npt.NDArray[np.float64]:
    pixels = np.bincount(labels.ravel())[1:]
    return np.bincount(labels.ravel(), smooth.ravel())[1:] / np.maximum(pixels, 1)


def _lowest_around(labels: Labels, around: Labels, smooth: Picture) -> npt.NDArray[np.float64]:
    """The darkest pixel near each region and outside all of them; the region's own where there is none outside."""
    lowest = np.full((2, int(labels.max()) + 1), np.inf)
    for darkest, where in zip(lowest, (around, labels), strict=True):
        there = where > 0
        np.minimum.at(darkest, where[there], smooth[there])
    return np.where(np.isfinite(lowest[0]), lowest[0], lowest[1])[1:]


def working_scale(diameter: float) -> float:
    """How much smaller the picture is in which nuclei of this diameter are looked for."""
    return min(1.0, WORKING_DIAMETER / diameter)


def noise_of(picture: Picture) -> float:
    """The standard deviation of a pixel's noise, from what changes faster than any structure.

    References:
        Immerkaer, Fast noise variance estimation, Computer Vision and Image Understanding 1996.
    """
    kernel = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32)
    change = cv2.filter2D(picture, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT)
    return float(1.4826 * np.median(np.abs(change)) / 6)


def _are_nuclei(found: Regions, smooth: Picture, noise: float, width: float) -> npt.NDArray[np.bool_]:
    """Which regions are large, bright and sharp enough, compared with the others of the field."""
    inside, outside = _brightness(found.labels, smooth, width)
    contrast = inside - outside
    sharpness = found.edge / np.maximum(contrast, 1e-9)
    across = np.sqrt(found.area * 4 / np.pi) / width
    at_border = np.zeros(len(across) + 1, bool)
    for edge in (found.labels[0], found.labels[-1], found.labels[:, 0], found.labels[:, -1]):
        at_border[edge] = True
    large = across >= np.where(at_border[1:], _SMALLEST_AT_BORDER, _SMALLEST)
    typical = large & (contrast > _NOISE * noise)
    if not typical.any():
        return typical
    return np.asarray(
        typical
        & (contrast >= _FAINTEST * np.median(contrast[typical]))
        & (found.edge >= _FAINTEST_EDGE * np.median(found.edge[typical]))
        & (sharpness >= _BLUNTEST * np.median(sharpness[typical]))
    )


def _brightness(labels: Labels, smooth: Picture, width: float) -> tuple[npt.NDArray[np.float64], ...]:
    """The mean brightness of each region, and of the background in a ring around it."""
    count = int(labels.max())
    reach = max(2, round(_RIM * width))
    ring = load("skimage.segmentation").expand_labels(labels, reach + 1)
    ring[cv2.dilate((labels > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0] = 0
    inside = np.bincount(labels.ravel(), smooth.ravel(), count + 1)[1:] / np.bincount(labels.ravel())[1:]
    pixels = np.bincount(ring.ravel(), minlength=count + 1)[1:]
    outside = np.bincount(ring.ravel(), smooth.ravel(), count + 1)[1:] / np.maximum(pixels, 1)
    # One that is enclosed by others has no ring of its own.
    return inside, np.where(pixels > 0, outside, np.median(outside[pixels > 0]) if pixels.any() else smooth.min())


def _median_diameter(picture: Picture) -> float | None:
    found = best_regions(
        cv2.GaussianBlur(picture, (0, 0), 1.0),
        num_levels=_LEVELS,
        smallest=_SMALLEST_SEARCHED**2 * np.pi / 4,
        largest=picture.size / 4,
    )
    weight = found.score
    if not weight.sum() > 0:
        return None
    order = np.argsort(found.area)
    reached = np.cumsum(weight[order])
    middle = found.area[order][np.searchsorted(reached, reached[-1] / 2)]
    return float(np.sqrt(middle * 4 / np.pi))


def reduce(picture: Picture, scale: float) -> Picture:
    """A picture made smaller by averaging."""
    if scale == 1:
        return picture
    size = tuple(max(1, round(side * scale)) for side in picture.shape[::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
