"""From the name of a rule to the thresholds that it finds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.auto_rule import auto_thresholds
from keras_hpa.thresholds.binned_scores import BinnedScores
from keras_hpa.thresholds.calibrated_rule import calibrated_thresholds
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.global_rule import global_threshold
from keras_hpa.thresholds.log_odds import log_odds, probability
from keras_hpa.thresholds.max_f1_rule import max_f1_thresholds
from keras_hpa.thresholds.prevalence_rule import prevalence_thresholds
from keras_hpa.thresholds.resampled_rule import resampled_thresholds

_POSITIVES_FOR_SHRINK = 10


def find_thresholds(
    classes: Sequence[ClassScores],
    method: str,
    *,
    prevalence: Sequence[float] | None = None,
    beta: float = 1.0,
    min_support: int = 1,
    absent_classes: str = "never",
    from_logits: bool = False,
    num_resamples: int = 24,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Applies one of the rules that look at labels, and what holds for all of them.

    Classes with fewer than `min_support` positives get the threshold of `"global"`. A class without positives gets
    infinity, or, with `absent_classes="highest_score"`, what lies just above the highest score that a sample has in it.
    """
    thresholds = np.full(len(classes), np.inf)
    present = np.array([one.num_positives > 0 for one in classes])
    known = [one for one in classes if one.num_positives]
    if known:
        shares = None if prevalence is None else np.broadcast_to(prevalence, len(classes))[present]
        thresholds[present] = _apply(known, method, shares, beta, from_logits, num_resamples, seed)
        rare = np.array([0 < one.num_positives < min_support for one in classes])
        if rare.any():
            thresholds[rare] = global_threshold(classes, beta=beta)
    if absent_classes == "highest_score":
        for column, one in enumerate(classes):
            if not one.num_positives and len(one.scores):
                thresholds[column] = np.nextafter(one.scores[-1], np.inf, dtype=np.float64)
    return thresholds


def _apply(
    classes: Sequence[ClassScores],
    method: str,
    prevalence: npt.NDArray[np.float64] | None,
    beta: float,
    from_logits: bool,
    num_resamples: int,
    seed: int,
) -> npt.NDArray[np.float64] | float:
    if method == "auto":
        return auto_thresholds(classes, beta=beta, from_logits=from_logits, num_resamples=num_resamples, seed=seed)
    if method == "max_f1":
        return max_f1_thresholds(classes, beta=beta)
    if method == "prevalence":
        return prevalence_thresholds(classes, prevalence=prevalence)
    if method == "global":
        return global_threshold(classes, beta=beta)
    if method == "shrink":
        return _shrunk_thresholds(classes, beta, from_logits)
    binned = BinnedScores.from_classes(classes, from_logits=from_logits)
    if method == "calibrated":
        logits = calibrated_thresholds(binned, beta=beta)
    else:
        criterion = method.removeprefix("resampled_")
        logits = resampled_thresholds(binned, criterion=criterion, beta=beta, num_resamples=num_resamples, seed=seed)
    return logits if from_logits else probability(logits)


def _shrunk_thresholds(classes: Sequence[ClassScores], beta: float, from_logits: bool) -> npt.NDArray[np.float64]:
    """In log-odds, n / (n + 10) of the best threshold of a class with n positives, the rest of the global one."""
    n = np.array([one.num_positives for one in classes])
    trust = n / (n + _POSITIVES_FOR_SHRINK)
    own, common = max_f1_thresholds(classes, beta=beta), global_threshold(classes, beta=beta)
    if from_logits:
        return trust * own + (1 - trust) * common
    return probability(trust * log_odds(own) + (1 - trust) * log_odds(common))
