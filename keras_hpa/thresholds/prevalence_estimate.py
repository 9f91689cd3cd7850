"""How often classes occur among samples without labels, by their scores."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from scipy.stats import chi2

from keras_hpa.thresholds.calibration_maps import POSITIVES_FOR_ISOTONIC, fit_isotonic
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds

# Chosen on simulated networks, in log-odds: how far populations differ, and the most that one sample may say for a
# class: a broken image with a score of 1 says no more. Scores that say less than the first does cannot tell.
_SPREAD, _MOST_SAID = 1.0, 5.0
_LOWEST, _HIGHEST, _NUM_STEPS = -14.0, 8.0, 24


class PrevalenceEstimate(NamedTuple):
    """How often each class occurs in a population without labels; [`estimate_prevalence`](thresholds.md) gives it.

    Attributes:
        shares: of the samples, of each class; where the scores cannot tell, that of the labels.
        low: the lower end of the interval of each share.
        high: the upper end.
        is_told: whether the scores can tell the share of a class.
    """

    shares: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    is_told: npt.NDArray[np.bool_]


def estimate_shares(
    classes: Sequence[ClassScores], scores: npt.NDArray[np.floating], confidence: float = 0.95
) -> PrevalenceEstimate:
    """Estimates the share of each class among samples with these scores.

    Args:
        classes: the samples with labels.
        scores: those without, shape `(num_samples, num_classes)`, in the same unit.
        confidence: of the intervals.
    """
    from_logits = classes[0].from_logits
    new = scores.astype(np.float64) if from_logits else log_odds(scores)
    logits, positive, known = _rows(classes)
    with_positives = np.array([one.num_positives > 0 for one in classes])
    totals = np.array([len(one.scores) for one in classes])
    labelled = np.array([one.num_positives / max(len(one.scores), 1) for one in classes])
    maps = fit_isotonic(logits, positive, known, fewest=POSITIVES_FOR_ISOTONIC)
    fitted = np.where(known > 0, maps(logits), 0.0).sum(axis=0) / np.maximum(totals, 1)
    before = log_odds(np.clip(fitted, 1e-6, 1 - 1e-6))
    said = np.minimum(log_odds(maps(new)) - before, np.maximum(_MOST_SAID - before, 1.0))
    # The map was fitted on as many samples: its error does not fall as those without labels grow.
    weight = 1 / (1 + len(new) / np.maximum(totals, 1))

    def slope(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return weight * (expit(at + said) - expit(at)).sum(axis=0) - (at - before) / _SPREAD**2

    def height(at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        likelihood = (np.logaddexp(0, at + said) - np.logaddexp(0, at)).sum(axis=0)
        return weight * likelihood - np.square(at - before) / (2 * _SPREAD**2)

    lowest, highest = (np.full(len(classes), end) for end in (_LOWEST, _HIGHEST))
    best = _bisect(lambda at: slope(at) > 0, lowest, highest)
    least = height(best) - chi2.ppf(confidence, 1) / 2
    low = _bisect(lambda at: height(at) < least, lowest, best)
    high = _bisect(lambda at: height(at) >= least, best, highest)
    share, spread = expit(best), expit(best + said)
    information = weight * (len(new) * share * (1 - share) - (spread * (1 - spread)).sum(axis=0))
    is_told = (information >= 1 / _SPREAD**2) & with_positives & (labelled < 1)
    return PrevalenceEstimate(np.where(is_told, share, labelled), expit(low), expit(high), is_told)


def _bisect(is_below, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:  # type: ignore[no-untyped-def]
    """Where, for each class, `is_below` ceases to hold."""
    for _ in range(_NUM_STEPS):
        middle = (low + high) / 2
        below = is_below(middle)
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (low + high) / 2


def _rows(
    classes: Sequence[ClassScores],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Logits, whether positive, and whether known: a column per class, each in an order of its own."""
    longest = max(len(one.scores) for one in classes)
    shape = (longest, len(classes))
    logits, positive, known = np.zeros(shape), np.zeros(shape, bool), np.zeros(shape)
    for column, one in enumerate(classes):
        count = len(one.scores)
        logits[:count, column] = one.scores if one.from_logits else log_odds(one.scores)
        known[:count, column] = 1
        # Equal scores are filled from the first on.
        first = np.searchsorted(one.scores, one.positive_scores)
        among = np.arange(len(first)) - np.searchsorted(one.positive_scores, one.positive_scores)
        positive[first + among, column] = True
    return np.clip(logits, -50, 50), positive, known
