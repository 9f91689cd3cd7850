"""Bright regions of a picture at every threshold, and the best set of them that do not overlap."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_ROUNDNESS_POWER = 8.0
_EDGE_POWER = 2.0
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class Regions(NamedTuple):
    """A label image with what is known of its regions: area in pixels, roundness 0 to 1, slope of the edge."""

    labels: Labels
    area: npt.NDArray[np.float64]
    roundness: npt.NDArray[np.float64]
    edge: npt.NDArray[np.float64]

    @property
    def score(self) -> npt.NDArray[np.float64]:
        return score(self.area, self.roundness, self.edge)


def score(
    area: npt.NDArray[np.float64], roundness: npt.NDArray[np.float64], edge: npt.NDArray[np.float64] | float = 1.0
) -> npt.NDArray[np.float64]:
    """How much a region looks like one nucleus: large, like an ellipse, its outline on a steep slope.

    The score is proportional to the area, so that one region and the parts that it could be divided into are compared
    by sums.
    """
    return np.asarray(area * edge**_EDGE_POWER * roundness**_ROUNDNESS_POWER)


def best_regions(picture: Picture, *, num_levels: int, smallest: float, largest: float) -> Regions:
    """Chooses among the connected regions above every threshold those that look most like nuclei.

    Regions above a higher threshold lie inside those above a lower one. Going down, each region is kept in place of
    the chosen regions inside it if its score is at least the sum of theirs. So every nucleus gets a threshold of its
    own, and neither an uneven background nor a bright neighbour decides about it.

    Args:
        picture: float32, smoothed.
        num_levels: about how many thresholds are tried.
        smallest, largest: areas of regions that are considered, in pixels.
    """
    slope = slope_of(picture)
    labels = np.zeros(picture.shape, np.int32)
    before, best_before = labels, np.zeros(1)
    chosen = 0
    for level in _levels(picture, num_levels)[::-1]:
        regions, area = _regions_above(picture, level)
        parent = np.zeros(len(best_before), np.int64)
        inside = before > 0
        parent[before[inside]] = regions[inside]
        best = np.bincount(parent[1:], best_before[1:], len(area)).astype(np.float64)
        fits = (area >= smallest) & (area <= largest)
        fits[0] = False
        if fits.any():
            number = np.cumsum(fits) * fits
            numbered = number[regions].astype(np.int32)
            found = measure(numbered, slope)
            own = np.zeros(len(area))
            own[fits] = found.score
            wins = fits & (own >= best) & (own > 0)
            names = np.where(wins, chosen + np.cumsum(wins), 0).astype(np.int32)[regions]
            chosen += int(wins.sum())
            labels = np.where(names > 0, names, labels)
            best = np.where(wins, own, best)
        before, best_before = regions, best
    return measure(renumbered(labels), slope)


def measure(labels: Labels, slope: Picture) -> Regions:
    """Measures the regions of a label image, numbered from 1 without gaps, on a picture of slopes."""
    count = int(labels.max(initial=0))
    places = np.flatnonzero(labels)
    region = labels.ravel()[places] - 1
    y, x = np.divmod(places, labels.shape[1])
    area = np.bincount(region, minlength=count).astype(np.float64)
    if not count:
        return Regions(labels, area, area, area)
    y = y - (np.bincount(region, y, count) / area)[region]
    x = x - (np.bincount(region, x, count) / area)[region]
    # An ellipse of semi-axes a and b has variances a²/4 and b²/4. A pixel has a width: 1/12.
    yy, xx, xy = (np.bincount(region, product, count) / area for product in (y * y, x * x, x * y))
    ellipse = 4 * np.pi * np.sqrt(np.maximum((yy + 1 / 12) * (xx + 1 / 12) - xy**2, 1e-9))
    rim = rim_of(labels)
    of_rim = labels[rim] - 1
    edge = np.bincount(of_rim, slope[rim], count) / np.maximum(np.bincount(of_rim, minlength=count), 1)
    return Regions(labels, area, np.minimum(area / ellipse, 1), edge)


def rim_of(labels: Labels) -> npt.NDArray[np.bool_]:
    """The pixels of regions that have a neighbour outside; the border of the image is no outside."""
    inside = (labels > 0).astype(np.uint8)
    return np.asarray((inside > 0) & (cv2.erode(inside, _CROSS) == 0))


def slope_of(picture: Picture) -> Picture:
    """By how much a picture changes per pixel, at its steepest."""
    return cv2.magnitude(*(cv2.Sobel(picture, cv2.CV_32F, dx, 1 - dx, scale=1 / 8) for dx in (0, 1)))


def renumbered(labels: npt.NDArray[np.int32], keep: npt.NDArray[np.bool_] | None = None) -> Labels:
    """The same regions, or those of `keep` (one value per label from 1), numbered from 1 without gaps."""
    there = np.bincount(labels.ravel()) > 0
    there[0] = False
    if keep is not None:
        there[1:] &= keep
    return (np.cumsum(there) * there).astype(np.int32)[labels]


def _levels(picture: Picture, count: int) -> npt.NDArray[np.float32]:
    """Thresholds: half of them where the pixels are, half over the range, closer where it is dark."""
    shares = np.quantile(picture, np.linspace(0.02, 0.998, count // 2))
    low, high = float(picture.min()), float(shares[-1])
    spread = low + (high - low) * np.linspace(0, 1, count // 2 + 2)[1:-1] ** 1.5
    return np.unique(np.concatenate([shares, spread]).astype(np.float32))


def _regions_above(picture: Picture, level: np.float32) -> tuple[Labels, npt.NDArray[np.int64]]:
    """The connected regions above a threshold, their holes filled: labels, and areas by label."""
    outside = (picture <= level).astype(np.uint8)
    count, dark = cv2.connectedComponents(outside, connectivity=4)
    at_edge = np.zeros(count, bool)
    for edge in (dark[0], dark[-1], dark[:, 0], dark[:, -1]):
        at_edge[edge] = True
    at_edge &= np.arange(count) > 0
    filled = (~at_edge[dark]).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(filled, connectivity=4)
    return labels, stats[:, cv2.CC_STAT_AREA].astype(np.int64)
