"""Two models on the same samples: what they score in all, in draws of units, and with units exchanged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa.evaluation.ranking import average_precision, roc_auc
from keras_hpa.evaluation.units import Units
from keras_hpa.f_beta import f_beta

COUNTED, RANKED = ("f1", "precision", "recall"), ("average_precision", "roc_auc")


class Paired(NamedTuple):
    """Values of each class; NaN where not defined. Draws and exchanges are of the difference, b less a.

    Attributes:
        a: of each run of the first model, shape `(num_runs, num_classes)`.
        b: of each run of the second.
        drawn: the difference in each draw, shape `(num_draws, num_classes)`.
        exchanged: the difference where each unit's scores are given to the other model with probability one half.
    """

    a: npt.NDArray[np.float64]
    b: npt.NDArray[np.float64]
    drawn: npt.NDArray[np.float64]
    exchanged: npt.NDArray[np.float64]


def paired_counts(
    a: Sequence[npt.NDArray[np.bool_]],
    b: Sequence[npt.NDArray[np.bool_]],
    labels: npt.NDArray[np.int8],
    metric: str,
    units: Units,
    draws: npt.NDArray[np.float32],
    signs: npt.NDArray[np.float32],
) -> Paired:
    """Of metrics that are ratios of counts: exactly, from the counts of each unit."""
    counts = [[_unit_counts(one, labels, units) for one in runs] for runs in (a, b)]
    everyone = np.ones((1, units.count), np.float32)
    values = [np.concatenate([_ratios(everyone @ one, metric) for one in runs]) for runs in counts]
    first, second = (_mean_ratios(draws, runs, metric) for runs in counts)
    mean_a, mean_b = (np.mean(runs, axis=0, dtype=np.float32) for runs in counts)
    total = everyone @ ((mean_a + mean_b) / 2)
    moved = signs @ ((mean_b - mean_a) / 2)
    exchanged = _ratios(total + moved, metric) - _ratios(total - moved, metric)
    return Paired(values[0], values[1], second - first, exchanged)


def paired_ranks(
    a: Sequence[npt.NDArray[np.floating]],
    b: Sequence[npt.NDArray[np.floating]],
    labels: npt.NDArray[np.int8],
    metric: str,
    units: Units,
    draws: npt.NDArray[np.float32],
    signs: npt.NDArray[np.float32],
) -> Paired:
    """Of metrics of ranks: from the influence of each unit."""
    values, moved = zip(*(_ranks(runs, labels, metric, units) for runs in (a, b)), strict=True)
    difference = values[1].mean(axis=0) - values[0].mean(axis=0)
    change = (moved[1] - moved[0]).astype(np.float32)
    drawn = difference + draws @ change
    # Influence is what a unit adds less the mean that its positives have: given back, it can change its sign.
    present = units.sums(labels == 1)
    share = np.divide(present, present.sum(axis=0), out=np.zeros_like(present), where=present.any(axis=0))
    exchanged = signs @ (change + np.nan_to_num(difference) * share).astype(np.float32)
    return Paired(values[0], values[1], drawn.astype(np.float64), exchanged.astype(np.float64))


def _unit_counts(
    predicted: npt.NDArray[np.bool_], labels: npt.NDArray[np.int8], units: Units
) -> npt.NDArray[np.float32]:
    """True positives, predicted and present of each class side by side, one row per unit."""
    present, called = labels == 1, predicted & (labels >= 0)
    return units.sums(np.concatenate([present & called, called, present], axis=1)).astype(np.float32)


def _ratios(totals: npt.NDArray[np.floating], metric: str) -> npt.NDArray[np.float64]:
    tp, called, present = np.split(totals.astype(np.float64), 3, axis=1)
    if metric == "f1":
        return np.asarray(f_beta(tp, called, present))
    whole = called if metric == "precision" else present
    return np.divide(tp, whole, out=np.full_like(tp, np.nan), where=whole > 0)


def _mean_ratios(
    draws: npt.NDArray[np.float32], runs: Sequence[npt.NDArray[np.float32]], metric: str
) -> npt.NDArray[np.float64]:
    return np.mean([_ratios(draws @ one, metric) for one in runs], axis=0)


def _ranks(
    runs: Sequence[npt.NDArray[np.floating]], labels: npt.NDArray[np.int8], metric: str, units: Units
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    rank = average_precision if metric == "average_precision" else roc_auc
    values = np.full((len(runs), labels.shape[1]), np.nan)
    moved = np.zeros((units.count, labels.shape[1]))
    for number, scores in enumerate(runs):
        for column in range(labels.shape[1]):
            rows = np.flatnonzero(labels[:, column] >= 0)
            if len(rows):
                ranked = rank(scores[rows, column], labels[rows, column] == 1)
                values[number, column] = ranked.value
                moved[:, column] += units.sums(ranked.influence, rows) / len(runs)
    return values, moved
