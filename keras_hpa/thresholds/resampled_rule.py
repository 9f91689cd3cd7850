"""Thresholds averaged over resampled data."""

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.binned_scores import BinnedScores, sum_above


def resampled_thresholds(
    binned: BinnedScores,
    *,
    criterion: str = "max_f1",
    beta: float = 1.0,
    num_resamples: int = 24,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """The mean, as log-odds, of the thresholds that a rule finds on bootstrap samples; infinity without positives.

    Each sample is drawn a Poisson number of times. The threshold of one data set jumps from one peak of its F-beta to
    another; the mean of many moves little. A resample that lost all positives of a class says nothing about it.

    Args:
        binned: the scores.
        criterion: `"max_f1"`, the best F-beta, or `"prevalence"`, as many predicted as there are.
        beta: the weight of recall against precision.
        num_resamples: how many samples are drawn.
        seed: of the draws.

    References:
        Oza & Russell, Online bagging and boosting, AISTATS 2001 (resampling by Poisson numbers).
    """
    rng = np.random.default_rng([seed])
    negatives = binned.samples - binned.positives
    total, num_heard = np.zeros(len(negatives)), np.zeros(len(negatives))
    for _ in range(num_resamples):
        positives = rng.poisson(binned.positives).astype(np.float64)
        hits, predicted = sum_above(positives), sum_above(rng.poisson(negatives) + positives)
        support = hits[:, :1]
        if criterion == "max_f1":
            quality = hits / np.maximum(predicted + beta**2 * support, 1.0)
        else:
            quality = -np.abs(predicted - support)
        heard = support[:, 0] > 0
        total += np.where(heard, binned.best_cuts(quality), 0.0)
        num_heard += heard
    return np.where(num_heard > 0, total / np.maximum(num_heard, 1), np.inf)
