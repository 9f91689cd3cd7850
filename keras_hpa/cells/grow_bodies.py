"""Grows cells from their nuclei."""

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.cells.component_tree import Labels, Picture
from keras_hpa.cells.nearest_label import nearest_label
from keras_hpa.cells.scikit_image import load

# In diameters of a nucleus.
_BLUR = 0.06
_RING = 0.35
_REACH = 2.5
_REACH_WITHOUT_BODIES = 0.5

_EDGE = 0.25  # a body ends at this share of its brightness beside the nucleus
_BACKGROUND = 2.0  # per cent of the pixels
_DISTANCE_WEIGHT = 1.0


def grow_bodies(nuclei: Labels, bodies: Picture | None, diameter: float) -> Labels:
    """Gives each nucleus its cell, under the same number.

    Args:
        nuclei: labels from 1.
        bodies: what fills the cells, 0 to 1, or None: then a cell is what lies within half a diameter of its nucleus.
        diameter: of a nucleus, in pixels.
    """
    if not nuclei.any():
        return nuclei
    if bodies is None:
        return np.asarray(load("skimage.segmentation").expand_labels(nuclei, _REACH_WITHOUT_BODIES * diameter))
    smooth = cv2.GaussianBlur(bodies, (0, 0), max(_BLUR * diameter, 0.5))
    distance, owner = nearest_label(nuclei)
    ring = (distance > 0) & (distance <= max(2.0, _RING * diameter))
    count = int(nuclei.max())
    pixels = np.bincount(owner[ring], minlength=count + 1)
    beside = np.bincount(owner[ring], smooth[ring], count + 1) / np.maximum(pixels, 1)
    background = float(np.percentile(smooth, _BACKGROUND))
    filled = smooth > background + _EDGE * (beside[owner] - background)
    inside = (nuclei > 0) | (filled & (distance <= _REACH * diameter))
    height = _DISTANCE_WEIGHT * distance / diameter - smooth / max(float(np.median(beside[1:])), 1e-6)
    cells = load("skimage.segmentation").watershed(height.astype(np.float32), nuclei, mask=inside)
    return _without_holes(cells.astype(np.int32))


def _without_holes(cells: Labels) -> Labels:
    """Fills holes that lie within one cell."""
    filled = cells.copy()
    for number, box in enumerate(ndimage.find_objects(cells), start=1):
        if box is not None:
            hole = ndimage.binary_fill_holes(cells[box] == number) & (cells[box] == 0)
            filled[box][hole] = number
    return filled


def merge_stains(channels: npt.NDArray[np.float32]) -> Picture:
    """The mean of channels `(height, width, channels)`, each stretched to 0 to 1 between background and bright."""
    low, high = np.percentile(channels, (_BACKGROUND, 99), axis=(0, 1))
    return np.asarray(np.clip((channels - low) / np.maximum(high - low, 1e-9), 0, 1).mean(-1), np.float32)
