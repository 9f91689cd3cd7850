"""From the logit of a score to that of a probability: a line per class, and what the line cannot bend to."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression

from keras_hpa.thresholds.calibrated_rule import fit_lines
from keras_hpa.thresholds.log_odds import probability

# Chosen on simulated networks: `benchmarks/calibration.py`. How far classes differ in offset and slope, and how far a
# block of scores from the line, in log-odds; how many positives, or negatives if those are fewer, bend it.
SPREAD, _BLOCK_SPREAD, POSITIVES_FOR_ISOTONIC, _MOST_KNOTS = (1.0, 0.25), 0.5, 40, 24


@dataclass(frozen=True)
class CalibrationMaps:
    """One map per class: `offset + slope * logit`, and a correction that runs straight from knot to knot.

    Attributes:
        offsets, slopes: of the lines, shape `(num_classes,)`.
        knots: logits of scores at which a correction is known, ascending; shape `(num_classes, num_knots)`, the last
            repeated in a class with fewer.
        corrections: what is added there; below the first and above the last knot theirs.
    """

    offsets: npt.NDArray[np.float64]
    slopes: npt.NDArray[np.float64]
    knots: npt.NDArray[np.float64]
    corrections: npt.NDArray[np.float64]

    @classmethod
    def of_lines(cls, lines: npt.NDArray[np.float64]) -> Self:
        """Maps without corrections."""
        return cls(lines[:, 0], lines[:, 1], np.zeros((len(lines), 1)), np.zeros((len(lines), 1)))

    def __call__(self, logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Probabilities for logits of shape `(num_samples, num_classes)`."""
        added = [np.interp(*one) for one in zip(logits.T, self.knots, self.corrections, strict=True)]
        return probability(self.offsets + self.slopes * logits + np.stack(added, axis=1))


def fit_temperature(
    logits: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_], weights: npt.NDArray[np.float64]
) -> CalibrationMaps:
    """One number by which all logits are divided (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        scaled = logits * np.exp(-log_temperature)
        return float((weights * (np.logaddexp(0, scaled) - positive * scaled)).sum())

    slope = np.exp(-minimize_scalar(loss, bounds=(-4, 4), method="bounded").x)
    return CalibrationMaps.of_lines(np.tile([0.0, slope], (logits.shape[1], 1)))


def fit_platt(
    logits: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    *,
    spread: tuple[float, float] = SPREAD,
) -> CalibrationMaps:
    """A line per class, drawn to one that all share, the more so the less a class has to say."""
    return CalibrationMaps.of_lines(fit_lines(logits.T, weights.T, (weights * positive).T, spread=spread))


def fit_isotonic(
    logits: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    *,
    fewest: int = 2,
    block_spread: float = _BLOCK_SPREAD,
    spread: tuple[float, float] = SPREAD,
) -> CalibrationMaps:
    """The same lines, bent: isotonic regression finds blocks of scores, each drawn to the line by what it has to say.

    Classes with fewer positives, or negatives, than `fewest` keep their line.
    """
    lines = fit_platt(logits, positive, weights, spread=spread)
    knots = [np.zeros(1)] * logits.shape[1]
    corrections = [np.zeros(1)] * logits.shape[1]
    for column in range(logits.shape[1]):
        rows = np.flatnonzero(weights[:, column] > 0)
        labels = positive[rows, column]
        if min(labels.sum(), (~labels).sum()) >= fewest:
            line = lines.offsets[column] + lines.slopes[column] * logits[rows, column]
            found = _bend(logits[rows, column], labels, weights[rows, column], line, block_spread)
            knots[column], corrections[column] = found
    longest = max(map(len, knots))
    padded = [np.stack([np.pad(one, (0, longest - len(one)), "edge") for one in part]) for part in (knots, corrections)]
    return CalibrationMaps(lines.offsets, lines.slopes, *padded)


def _bend(
    logits: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    line: npt.NDArray[np.float64],
    block_spread: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    order = np.argsort(logits, kind="stable")
    logits, positive, weights, line = logits[order], positive[order], weights[order], line[order]
    shares = IsotonicRegression().fit(logits, positive, weights).predict(logits)
    _, block = np.unique(shares, return_inverse=True)
    if block[-1] >= _MOST_KNOTS:  # blocks of as many positives each
        rank = np.cumsum(weights * positive) / (weights * positive).sum()
        _, block = np.unique(np.minimum((rank * _MOST_KNOTS).astype(int), _MOST_KNOTS - 1), return_inverse=True)
    added = np.zeros(block[-1] + 1)
    found = np.bincount(block, weights * positive)
    for _ in range(8):  # Newton's method
        expected = probability(line + added[block])
        gradient = found - np.bincount(block, weights * expected) - added / block_spread**2
        added += np.clip(gradient / (np.bincount(block, weights * expected * (1 - expected)) + block_spread**-2), -1, 1)
    spread = weights * np.maximum(probability(line) * (1 - probability(line)), 1e-12)
    middles = np.bincount(block, spread * logits) / np.bincount(block, spread)
    slope = 0.0 if logits[-1] == logits[0] else (line[-1] - line[0]) / (logits[-1] - logits[0])
    heights = np.maximum.accumulate(added + slope * middles) - slope * middles  # the map stays ascending
    return middles, heights
