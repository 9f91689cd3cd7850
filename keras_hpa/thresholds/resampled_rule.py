"""Thresholds averaged over resampled data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from keras_hpa.f_beta import f_beta
from keras_hpa.thresholds.binned_scores import BinnedScores, sum_above
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.max_f1_rule import MaxF1
from keras_hpa.thresholds.prevalence_rule import Prevalence
from keras_hpa.thresholds.rule import check_whole, where_present

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """The mean, in log-odds, of the thresholds that a rule finds on bootstrap samples; steadier than without.

    `"resampled_max_f1"` is `Resampled(MaxF1())`, `"resampled_prevalence"` is `Resampled(Prevalence())`. Each sample is
    drawn a Poisson number of times. The threshold of one data set jumps from one peak of its F-beta to another; the
    mean of many moves little. A resample that lost all positives of a class says nothing about it. A class without
    positives is never predicted.

    Args:
        rule: `MaxF1` or `Prevalence`.
        num_resamples: how many bootstrap samples to draw.
        seed: of the draws.

    Raises:
        ValueError: if `num_resamples` is below 1, `seed` is negative, or `rule` has a `min_support` or `from_scores`.
        TypeError: if `rule` is another.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9], [0.6], [0.3], [0.1]], [[1], [1], [0], [0]]
        >>> ThresholdCalibrator(Resampled(MaxF1())).fit(scores, labels).predict(scores).ravel().tolist()
        [1, 1, 0, 0]

    References:
        Oza & Russell, Online bagging and boosting, AISTATS 2001 (resampling by Poisson numbers).
    """

    rule: MaxF1 | Prevalence
    num_resamples: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.rule, MaxF1 | Prevalence):
            raise TypeError(f"`rule` must be a MaxF1 or a Prevalence. Received: {self.rule!r}")
        if isinstance(self.rule, Prevalence) and self.rule.from_scores is not None:
            raise ValueError("`rule` must not estimate shares of new data. Received: a Prevalence with `from_scores`")
        if getattr(self.rule, "min_support", 1) != 1:
            raise ValueError(f"`rule` must have no `min_support` where it is resampled. Received: {self.rule!r}")
        check_whole("num_resamples", self.num_resamples, lowest=1)
        check_whole("seed", self.seed, lowest=0)

    @property
    def beta(self) -> float:
        """That of the rule."""
        return getattr(self.rule, "beta", 1.0)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        shares = self.rule.shares_of(classes) if isinstance(self.rule, Prevalence) else None
        if shares is not None:
            shares = shares[[one.num_positives > 0 for one in classes]]

        def as_many(positives: Counts, predicted: Counts) -> Counts:
            return -np.abs(predicted - (positives[:, :1] if shares is None else shares[:, None] * predicted[:, :1]))

        quality = as_many if isinstance(self.rule, Prevalence) else best_f_beta(self.beta)

        def find(present: list[ClassScores]) -> Counts:
            binned = BinnedScores.from_classes(present)
            return binned.in_unit_of_scores(mean_of_best_cuts(binned, quality, self.num_resamples, self.seed))

        return where_present(classes, find)


def best_f_beta(beta: float) -> Callable[[Counts, Counts], Counts]:
    """The quality of cuts by which the one with the best F-beta is the best."""

    def quality(true_positives: Counts, predicted: Counts) -> Counts:
        return f_beta(true_positives, predicted, true_positives[:, :1], beta=beta, zero_division=0.0)

    return quality


def mean_of_best_cuts(
    binned: BinnedScores, quality: Callable[[Counts, Counts], Counts], num_resamples: int, seed: int
) -> Counts:
    """The mean over resamples of each class's best cut, as log-odds; infinity without positives.

    `quality` is given, for each class and cut, what the positives and what all samples at or above it count.
    """
    rng = np.random.default_rng([seed])
    total, num_heard = np.zeros(len(binned.cuts)), np.zeros(len(binned.cuts))
    for _ in range(num_resamples):
        drawn = rng.poisson(binned.positives).astype(np.float64)
        positives, predicted = sum_above(drawn), sum_above(rng.poisson(binned.negatives) + drawn)
        heard = positives[:, 0] > 0
        total += np.where(heard, binned.best_cuts(quality(positives, predicted)), 0.0)
        num_heard += heard
    return np.where(num_heard > 0, total / np.maximum(num_heard, 1), np.inf)
