"""The rule for new data: what holds on samples that the thresholds were not fitted on."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.binned_scores import BinnedScores, sum_above
from keras_hpa.thresholds.calibrated_rule import calibrated_thresholds
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds, probability
from keras_hpa.thresholds.prevalence_rule import prevalence_thresholds
from keras_hpa.thresholds.resampled_rule import resampled_thresholds

# Chosen on simulated networks, `benchmarks/simulated_scores.py`; from 4 to 8 and from 60 to 250 little changes.
_POSITIVES_FOR_CALIBRATION, _POSITIVES_FOR_MAX_F1 = 4, 100
_NUM_FOLDS, _STANDARD_ERRORS = 5, 2.0


def auto_thresholds(
    classes: Sequence[ClassScores],
    *,
    beta: float = 1.0,
    from_logits: bool = False,
    num_resamples: int = 24,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """The mean of three thresholds, in log-odds, each with the weight that the number of positives n earns it.

    | threshold | wrong by | weight |
    | --- | --- | --- |
    | matches the prevalence | bias for a poor network; chance in one count | 4 / (n + 4) of the first two |
    | best for calibrated scores | bias where calibration is no line; chance in two numbers | n / (n + 4) of these |
    | best F-beta, resampled | chance alone, which takes many positives to fade | n / (n + 100) of all |

    Their errors differ, so that the mean has less of each. The first two rest on assumptions, and those are tested:
    where five-fold cross-validation on the fitting data finds the third alone better over all classes, by more than
    two standard errors, it is taken alone. Each class must have a positive.
    """
    binned = BinnedScores.from_classes(classes, from_logits=from_logits)
    matched = prevalence_thresholds(classes)
    matched = matched if from_logits else log_odds(matched)
    drawn, best = _drawn_and_best(binned, matched, beta, num_resamples, seed)
    if _best_alone_holds(binned, beta, seed):
        drawn = best
    return drawn if from_logits else probability(drawn)


def _drawn_and_best(
    binned: BinnedScores, matched: npt.NDArray[np.float64], beta: float, num_resamples: int, seed: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    calibrated = calibrated_thresholds(binned, beta=beta)
    if beta != 1:  # predicting each class as often as it occurs is right for F1; calibration says how far to go
        matched = matched + calibrated - calibrated_thresholds(binned)
    best = resampled_thresholds(binned, beta=beta, num_resamples=num_resamples, seed=seed)
    best = np.where(np.isfinite(best), best, calibrated)
    n = binned.num_positives
    smooth = matched + n / (n + _POSITIVES_FOR_CALIBRATION) * (calibrated - matched)
    return smooth + n / (n + _POSITIVES_FOR_MAX_F1) * (best - smooth), best


def _best_alone_holds(binned: BinnedScores, beta: float, seed: int) -> bool:
    """Whether the resampled best thresholds win against the drawn ones on samples that neither was fitted on."""
    counts = np.zeros((2, 2, len(binned.cuts)))  # hits and predicted, for drawn and best
    support = np.zeros(len(binned.cuts))
    for rest, own in binned.split(_NUM_FOLDS, np.random.default_rng([seed, 1])):
        known = rest.num_positives > 0
        matched = rest.best_cuts(-np.abs(sum_above(rest.samples) - rest.num_positives[:, None]))
        for row, thresholds in enumerate(_drawn_and_best(rest, matched, beta, num_resamples=8, seed=seed)):
            passed = (own.middles >= thresholds[:, None]) & known[:, None]
            counts[row] += (own.positives * passed).sum(axis=1), (own.samples * passed).sum(axis=1)
        support += own.num_positives
    hits, predicted = counts[:, 0], counts[:, 1]
    f_beta = (1 + beta**2) * hits / np.maximum(beta**2 * support + predicted, 1)
    lead = f_beta[1] - f_beta[0]
    return bool(len(lead) > 1 and lead.mean() > _STANDARD_ERRORS * lead.std(ddof=1) / np.sqrt(len(lead)))
