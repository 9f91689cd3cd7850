"""Parts regions in which several nuclei touch."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.cells.component_tree import Labels, measure, score
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
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    depth = cv2.GaussianBlur(depth, (0, 0), max(_SMOOTHING * diameter, 0.3))
    centers = load("skimage.feature").peak_local_max(
        depth,
        min_distance=max(1, round(_BETWEEN_CENTERS * diameter)),
        threshold_abs=_SHALLOWEST * diameter,
        labels=region.astype(np.int32),
        exclude_border=False,
    )
    if len(centers) < 2:
        return region.astype(np.int32)
    markers = np.zeros(region.shape, np.int32)
    markers[tuple(centers.T)] = np.arange(1, len(centers) + 1)
    parts = load("skimage.segmentation").watershed(-depth, markers, mask=region).astype(np.int32)
    values = {number: _score(parts == number) for number in range(1, len(centers) + 1)}
    while True:
        joined = [(_score((parts == one) | (parts == other)), one, other) for one, other in _neighbours(parts)]
        gains = [(whole - values[one] - values[other], whole, one, other) for whole, one, other in joined]
        if not gains or max(gains)[0] < 0:
            break
        _, whole, one, other = max(gains)
        parts[parts == other] = one
        values[one] = whole
        del values[other]
    order = np.zeros(len(centers) + 1, np.int32)
    order[sorted(values)] = np.arange(1, len(values) + 1)
    return order[parts]


def _score(region: npt.NDArray[np.bool_]) -> float:
    found = measure(region.astype(np.int32), np.zeros(region.shape, np.float32))
    return float(score(found.area, found.roundness)[0])


def _neighbours(parts: Labels) -> list[tuple[int, int]]:
    pairs: set[tuple[int, int]] = set()
    for one, other in ((parts[1:], parts[:-1]), (parts[:, 1:], parts[:, :-1])):
        meet = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one[meet], other[meet]), np.maximum(one[meet], other[meet])
        pairs |= set(zip(low.tolist(), high.tolist(), strict=True))
    return sorted(pairs)
