"""What the scores of one class, or of all of them in one, are worth: each metric with its interval."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa.evaluation.intervals import NOT_ENOUGH, Interval, exact_interval, mid_interval
from keras_hpa.evaluation.ranking import Ranked, average_precision, roc_auc
from keras_hpa.evaluation.units import Units
from keras_hpa.thresholds import effective_size, student_factor

METRICS = (
    "prevalence",
    "average_precision",
    "roc_auc",
    "f1",
    "precision",
    "recall",
    "brier",
    "calibration_error",
)
_FEW, _FEWEST = 20, 5  # positives, and groups that have one
_PRIOR_POSITIVES = 1.0  # as many groups' worth of evidence says that the variance is what a model of it expects
_PRIOR_UNITS = {"f1": 1.5}


class Estimate(NamedTuple):
    """A metric, its interval, how far each unit moves it, its variance, and by how much it is too high on average."""

    value: float
    interval: Interval
    moved: npt.NDArray[np.float64]
    variance: float
    bias: float = 0.0


class Column(NamedTuple):
    """Scores whose labels are known: of one class or of all."""

    scores: npt.NDArray[np.floating]
    positive: npt.NDArray[np.bool_]
    predicted: npt.NDArray[np.bool_]
    rows: npt.NDArray[np.intp]


def estimate(column: Column, units: Units, *, grouped: bool, confidence: float) -> dict[str, Estimate]:
    """Every metric but calibration error, whose interval is drawn.

    Args:
        column: the scores.
        units: what another experiment would draw anew.
        grouped: whether a unit may have several scores in the column.
        confidence: of the intervals.
    """
    scores, positive, predicted, rows = column
    both = positive & predicted
    known, present, found = (units.sums(one, rows) for one in (np.ones(len(rows)), positive, both))
    called = units.sums(predicted, rows)
    shares = {
        "prevalence": (present, known),
        "f1": (found, present + called - found),
        "precision": (found, called),
        "recall": (found, present),
    }
    exact = {"precision", "recall", "prevalence"} | ({"f1"} if np.count_nonzero(present) < _FEW else set())
    estimates = {
        name: _share(
            *parts, grouped=grouped, exact=name in exact, confidence=confidence, prior=_PRIOR_UNITS.get(name, 3.0)
        )
        for name, parts in shares.items()
    }
    estimates["f1"] = _f1_of_jaccard(estimates["f1"])
    negatives = known - present
    for name, ranked in (
        ("average_precision", average_precision(scores, positive)),
        ("roc_auc", roc_auc(scores, positive)),
    ):
        fewest = [present] if name == "average_precision" else [present, negatives]
        estimates[name] = _ranked(ranked, units.sums(ranked.influence, rows), fewest, confidence)
    estimates["brier"] = _mean((scores.astype(np.float64) - positive) ** 2, known, units, rows, confidence)
    return estimates


def from_variance(
    value: float, variance: float, units: float, confidence: float, method: str, *, exact: bool = False
) -> Interval:
    """The interval of a share of which the variance is known: that of as many rows as have this variance."""
    size = value * (1 - value) / variance if variance > 0 else units
    size *= student_factor(units - 1, (1 + confidence) / 2)
    ends = (exact_interval if exact else mid_interval)(value * size, size, confidence)
    return ends._replace(method=method)


def _share(
    parts: npt.NDArray[np.float64],
    wholes: npt.NDArray[np.float64],
    *,
    grouped: bool,
    exact: bool,
    confidence: float,
    prior: float,
) -> Estimate:
    part, whole = parts.sum(), wholes.sum()
    if not whole:
        return Estimate(np.nan, Interval(np.nan, np.nan, "not defined"), np.zeros(len(parts)), 0.0)
    share = part / whole
    size = effective_size(parts, wholes, (1 + confidence) / 2, prior=prior) if grouped else whole
    interval = (exact_interval if exact else mid_interval)(share * size, size, confidence)
    if grouped:
        interval = interval._replace(method=f"{interval.method}, effective size over groups")
    smooth = (share * size + 1) / (size + 2)  # no certainty from a single row
    return Estimate(share, interval, (parts - share * wholes) / whole, smooth * (1 - smooth) / (size + 2))


def _f1_of_jaccard(jaccard: Estimate) -> Estimate:
    """F1 is 2 J / (1 + J) of the share J of the samples that are present or predicted of which both is true."""
    value, (low, high, method), moved, variance, _ = jaccard
    slope = 2 / (1 + value) ** 2 if value == value else 0.0
    ends = Interval(2 * low / (1 + low), 2 * high / (1 + high), method)
    return Estimate(2 * value / (1 + value), ends, slope * moved, slope**2 * variance)


def _ranked(
    ranked: Ranked, moved: npt.NDArray[np.float64], limiting: list[npt.NDArray[np.float64]], confidence: float
) -> Estimate:
    fewest = min(int(np.count_nonzero(one)) for one in limiting)
    if ranked.value != ranked.value:
        return Estimate(np.nan, Interval(np.nan, np.nan, "not defined"), moved, 0.0)
    # As many groups of equal size; with one row each they are the rows.
    sizes = [float(one.sum() ** 2 / (one**2).sum()) for one in limiting]
    smooth = (ranked.centre * min(sizes) + 0.5) / (min(sizes) + 1)
    expected = _expected_variance(smooth, sizes)
    scale = fewest / max(fewest - 1, 1)
    variance = (fewest * scale * (moved**2).sum() + _PRIOR_POSITIVES * expected) / (fewest + _PRIOR_POSITIVES)
    bias = ranked.value - ranked.centre
    if fewest < _FEWEST:
        return Estimate(ranked.value, Interval(np.nan, np.nan, NOT_ENOUGH), moved, expected, bias)
    few = bool(fewest < _FEW)
    widest = max(variance, expected) if few else variance
    low, high, _ = from_variance(ranked.centre, widest, fewest, confidence, "", exact=few)
    ends = Interval(min(low, ranked.value), max(high, ranked.value), "influence function" + ", widened" * few)
    return Estimate(ranked.value, ends, moved, variance, bias)


def _expected_variance(value: float, sizes: list[float]) -> float:
    """Of average precision as of hits among the positives; of AUC after Hanley & McNeil (1982)."""
    if len(sizes) == 1:
        return value * (1 - value) / sizes[0]
    positives, negatives = sizes
    of_positives, of_negatives = value / (2 - value) - value**2, 2 * value**2 / (1 + value) - value**2
    among = value * (1 - value) + (positives - 1) * of_positives + (negatives - 1) * of_negatives
    return among / (positives * negatives)


def _mean(
    values: npt.NDArray[np.float64],
    known: npt.NDArray[np.float64],
    units: Units,
    rows: npt.NDArray[np.intp],
    confidence: float,
) -> Estimate:
    value = float(values.mean())
    moved = units.sums((values - value) / len(values), rows)
    count = int(np.count_nonzero(known))
    variance = count / max(count - 1, 1) * float((moved**2).sum())
    if count < 2:
        return Estimate(value, Interval(np.nan, np.nan, NOT_ENOUGH), moved, value * (1 - value))
    interval = from_variance(value, variance, count, confidence, "influence function, no promise")
    return Estimate(value, interval, moved, variance)
