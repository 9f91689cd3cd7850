"""Bright regions of a picture at every threshold, and the best set of them that do not overlap."""

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]

_ROUNDNESS_POWER = 8.0
_EDGE_POWER = 2.0
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class Regions(NamedTuple):
    """A label image with what is known of its regions: area in pixels, roundness 0 to 1, slope of the edge."""

    labels: Labels
    area: Numbers
    roundness: Numbers
    edge: Numbers

    @property
    def score(self) -> Numbers:
        return score(self.area, self.roundness, self.edge)


def score(area: Numbers, roundness: Numbers, edge: Numbers | float = 1.0) -> Numbers:
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
    # With a dark frame, all that lies outside is one region, and no run of pixels goes on in the next row.
    framed = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-np.inf)
    labels = np.zeros(framed.shape, np.int32)
    chosen, best, pixel_in = 0, np.zeros(0), np.zeros(0, np.int64)
    for level in _levels(picture, num_levels)[::-1]:
        bright = _bright_and_filled(framed, level)
        count, regions = cv2.connectedComponents(bright, connectivity=4)
        runs = _runs_of(regions, bright)
        area = np.bincount(runs.label, runs.length, count)
        best = np.bincount(regions.ravel()[pixel_in], best, count)[1:].astype(np.float64)
        fits = (area[1:] >= smallest) & (area[1:] <= largest)
        if fits.any():
            own = _measure(runs, regions[1:-1, 1:-1], bright[1:-1, 1:-1], slope, fits).score
            wins = fits & (own >= best) & (own > 0)
            names = (chosen + np.cumsum(wins)) * wins
            _paint(labels, runs, names)
            chosen += int(wins.sum())
            best = np.where(wins, own, best)
        pixel_in = np.zeros(count - 1, np.int64)
        pixel_in[runs.label - 1] = runs.start
    return measure(renumbered(labels[1:-1, 1:-1]), slope)


def measure(labels: Labels, slope: Picture) -> Regions:
    """Measures the regions of a label image, numbered from 1 without gaps, on a picture of slopes."""
    inside = (labels > 0).astype(np.uint8)
    framed = cv2.copyMakeBorder(labels, 0, 0, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return _measure(_runs_of(framed, framed), labels, inside, slope, np.ones(int(labels.max(initial=0)), bool))


class _Runs(NamedTuple):
    """Pixels of one label side by side in a row: the label, the place of the first, and how many there are."""

    label: Labels
    start: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    width: int


def _runs_of(labels: Labels, changing: npt.NDArray[np.integer]) -> _Runs:
    """The runs of a label image whose first and last column are 0; `changing` changes where the labels do."""
    flat = changing.ravel()
    start = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    label = labels.ravel()[start]
    runs = label > 0
    length = np.diff(start, append=flat.size)
    return _Runs(label[runs], start[runs], length[runs], labels.shape[1])


def _paint(labels: Labels, runs: _Runs, names: npt.NDArray[np.integer]) -> None:
    """Gives the regions that have a name, one value per label from 1 and 0 for none, this name in `labels`."""
    name = names[runs.label - 1]
    start, length, name = (values[name > 0] for values in (runs.start, runs.length, name))
    shift = start - np.cumsum(length) + length
    labels.ravel()[np.repeat(shift, length) + np.arange(length.sum())] = np.repeat(name, length)


def _measure(
    runs: _Runs, labels: Labels, inside: npt.NDArray[np.uint8], slope: Picture, wanted: npt.NDArray[np.bool_]
) -> Regions:
    """Measures the regions that are wanted, one flag per label from 1; all else is 0."""
    count = len(wanted)
    own = wanted[runs.label - 1]
    region, start, length = runs.label[own] - 1, runs.start[own], runs.length[own].astype(np.float64)
    area = np.bincount(region, length, count).astype(np.float64)
    pixels = np.maximum(area, 1)
    y, x = np.divmod(start, runs.width)
    middle = x + (length - 1) / 2
    y = y - (np.bincount(region, y * length, count) / pixels)[region]
    middle -= (np.bincount(region, middle * length, count) / pixels)[region]
    yy, xy = (np.bincount(region, length * y * other, count) / pixels for other in (y, middle))
    xx = np.bincount(region, length * (middle**2 + (length**2 - 1) / 12), count) / pixels
    rim = np.flatnonzero(inside != cv2.erode(inside, _CROSS))
    of_rim = labels[np.divmod(rim, labels.shape[1])] - 1
    edge = np.bincount(of_rim, slope.ravel()[rim], count) / np.maximum(np.bincount(of_rim, minlength=count), 1)
    return Regions(labels, area, roundness_of(area, yy, xx, xy), edge)


def roundness_of(area: Numbers, yy: Numbers, xx: Numbers, xy: Numbers) -> Numbers:
    """The area of regions over that of the ellipses with the same moments; `yy`, `xx` and `xy` are of pixel centres."""
    # An ellipse of semi-axes a and b has variances a²/4 and b²/4. A pixel has a width: 1/12.
    ellipse = 4 * np.pi * np.sqrt(np.maximum((yy + 1 / 12) * (xx + 1 / 12) - xy**2, 1e-9))
    return np.minimum(area / ellipse, 1)


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


def _bright_and_filled(framed: Picture, level: np.float32) -> npt.NDArray[np.uint8]:
    """1 for the pixels above a threshold, and for those that they enclose; the frame of the picture is dark."""
    outside = cv2.compare(framed, float(level), cv2.CMP_LE)
    cv2.floodFill(outside, None, (0, 0), 1)
    return np.asarray(cv2.compare(outside, 1, cv2.CMP_NE))
