"""Parts regions in which several nuclei touch."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.cells.component_tree import Labels, Numbers, Picture, measure, roundness_of, score
from keras_hpa.cells.scikit_image import load

# In diameters of a nucleus.
_SMOOTHING = 0.05
_BETWEEN_CENTERS = 0.18
_SHALLOWEST = 0.08
_ROUND_ENOUGH = 0.96


def part_regions(labels: Labels, diameter: float) -> Labels:
    """Cuts regions at their waists where the parts look more like ellipses than the whole.

    Args:
        labels: the regions, numbered from 1 without gaps.
        diameter: of a nucleus, in pixels.

    Returns:
        The parts, numbered from 1 without gaps.
    """
    parted = np.zeros_like(labels)
    chosen = 0
    roundness = measure(labels, np.zeros(labels.shape, np.float32)).roundness
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        region = labels[box] == number
        parts = region.astype(np.int32) if roundness[number - 1] > _ROUND_ENOUGH else _parts(region, diameter)
        parted[box] = np.where(region, parts + chosen, parted[box])
        chosen += int(parts.max())
    return parted


def _parts(region: npt.NDArray[np.bool_], diameter: float) -> Labels:
    """Cuts wherever there may be a waist, then joins neighbours as long as that makes better ellipses."""
    framed = cv2.copyMakeBorder(region.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = cv2.GaussianBlur(depth, (0, 0), max(_SMOOTHING * diameter, 0.3))
    centers = _peaks(depth, region, max(1, round(_BETWEEN_CENTERS * diameter)), _SHALLOWEST * diameter)
    if len(centers) < 2:
        return region.astype(np.int32)
    markers = np.zeros(region.shape, np.int32)
    markers[tuple(np.transpose(centers))] = np.arange(1, len(centers) + 1)
    parts = load("skimage.segmentation").watershed(-depth, markers, mask=region).astype(np.int32)
    sums, pairs = _sums(parts), _neighbours(parts)
    name = np.arange(len(centers) + 1)
    while pairs:
        ones, others = np.transpose(list(pairs))
        gains = _score(sums[ones] + sums[others]) - _score(sums[ones]) - _score(sums[others])
        gain, one, other = max(zip(gains.tolist(), ones.tolist(), others.tolist(), strict=True))
        if gain < 0:
            break
        sums[one] += sums[other]
        name[name == other] = one
        renamed = (tuple(sorted(one if part == other else part for part in pair)) for pair in pairs)
        pairs = {(low, high) for low, high in renamed if low != high}
    return np.unique(name, return_inverse=True)[1].astype(np.int32)[parts]


def _peaks(depth: Picture, region: npt.NDArray[np.bool_], apart: int, shallowest: float) -> list[tuple[int, ...]]:
    """The pixels that are deepest within a square of 2 * `apart` + 1 pixels, the deepest first; of equal ones nearer to
    one another than `apart` the first."""
    inside = np.where(region, depth, np.float32(-1))
    is_peak = inside == cv2.dilate(inside, np.ones((2 * apart + 1, 2 * apart + 1), np.uint8))
    if is_peak[region].all():
        return []
    places = np.argwhere(is_peak & (inside > shallowest))
    peaks: list[tuple[int, ...]] = []
    for place in places[np.argsort(-inside[tuple(places.T)], kind="stable")].tolist():
        if all(max(abs(place[0] - y), abs(place[1] - x)) >= apart for y, x in peaks):
            peaks.append(tuple(place))
    return peaks


def _sums(parts: Labels) -> Numbers:
    """For each label the number of its pixels, and the sums of y, x, y², x² and xy over them."""
    y, x = np.nonzero(parts)
    values = np.stack([np.ones(len(y)), y, x, y * y, x * x, y * x])
    label, count = parts[y, x], int(parts.max()) + 1
    return np.stack([np.bincount(label, value, count) for value in values], -1)


def _score(sums: Numbers) -> Numbers:
    area = sums[:, 0]
    y, x, yy, xx, xy = sums[:, 1:].T / np.maximum(area, 1)
    return score(area, roundness_of(area, yy - y * y, xx - x * x, xy - y * x))


def _neighbours(parts: Labels) -> set[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for one, other in ((parts[1:], parts[:-1]), (parts[:, 1:], parts[:, :-1])):
        meet = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one[meet], other[meet]), np.maximum(one[meet], other[meet])
        pairs |= set(zip(low.tolist(), high.tolist(), strict=True))
    return pairs
