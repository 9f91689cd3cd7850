"""The threshold with the best F-beta on the fitting data."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores


def max_f1_thresholds(classes: Sequence[ClassScores], *, beta: float = 1.0) -> npt.NDArray[np.float64]:
    """The threshold of each class at which F-beta is largest among all thresholds there are.

    F-beta can only be largest where a positive is the last to be let in, so the positives are all that is looked at.
    Of equal cuts the highest is taken; the threshold lies half-way to the next lower score. A class without positives
    gets infinity.

    References:
        Lipton, Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML 2014.
    """
    return np.array([_best_threshold(scores, beta) for scores in classes])


def _best_threshold(scores: ClassScores, beta: float) -> float:
    if not scores.num_positives:
        return np.inf
    f_beta = scores.f_beta(scores.positive_scores, beta)
    last = len(f_beta) - 1 - int(f_beta[::-1].argmax())
    return scores.threshold_at(scores.positive_scores[last])
