"""The rule for new data: what holds on samples that the thresholds were not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from keras_hpa.f_beta import f_beta
from keras_hpa.thresholds.binned_scores import BinnedScores, sum_above
from keras_hpa.thresholds.calibrated_rule import best_if_calibrated
from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.prevalence_rule import Prevalence
from keras_hpa.thresholds.resampled_rule import best_f_beta, mean_of_best_cuts
from keras_hpa.thresholds.rule import check_positive, check_whole, where_present

# Chosen on simulated networks, `benchmarks/simulated_scores.py`; from 4 to 8 and from 60 to 250 little changes.
_POSITIVES_FOR_CALIBRATION, _POSITIVES_FOR_MAX_F1 = 4, 100
_NUM_FOLDS, _STANDARD_ERRORS, _NUM_RESAMPLES_PER_FOLD = 5, 2.0, 8

_AbsentClasses = Literal["highest_score", "never"]


@dataclass(frozen=True)
class Auto:
    """`"auto"`: the best we know for new data, with few positives and with many.

    The mean of three thresholds, in log-odds, each with the weight that the number of positives n earns it; see
    [what "auto" does](../explanation/thresholds.md#what-auto-does).

    | threshold | wrong by | weight |
    | --- | --- | --- |
    | matches the prevalence | bias for a poor network; chance in one count | 4 / (n + 4) of the first two |
    | best for calibrated scores | bias where calibration is no line; chance in two numbers | n / (n + 4) of these |
    | best F-beta, resampled | chance alone, which takes many positives to fade | n / (n + 100) of all |

    Their errors differ, so that the mean has less of each. The first two rest on assumptions, and those are tested:
    where five-fold cross-validation on the fitting data finds the third alone better over all classes, by more than
    two standard errors, it is taken alone.

    Args:
        absent_classes: what becomes of a class without positives: `"highest_score"` predicts it above the highest
            score of the fitting data, which finds some of the rarest classes after a small validation set, and
            guesses; `"never"` never predicts it.
        beta: the weight of recall against precision.
        num_resamples: how many bootstrap samples to draw.
        seed: of the draws.

    Raises:
        ValueError: if an option is out of range.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> scores, labels = [[0.9, 0.1], [0.6, 0.2], [0.3, 0.3], [0.1, 0.1]], [[1, 0], [1, 0], [0, 0], [0, 0]]
        >>> calibrator = ThresholdCalibrator(Auto(absent_classes="never")).fit(scores, labels)
        >>> calibrator.predict(scores).tolist(), float(calibrator.thresholds_[1])
        ([[1, 0], [1, 0], [0, 0], [0, 0]], inf)
    """

    absent_classes: _AbsentClasses = "highest_score"
    beta: float = 1.0
    num_resamples: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.absent_classes, str) or self.absent_classes not in get_args(_AbsentClasses):
            raise ValueError(
                f"`absent_classes` must be one of {get_args(_AbsentClasses)}. Received: {self.absent_classes!r}"
            )
        check_positive("beta", self.beta)
        check_whole("num_resamples", self.num_resamples, lowest=1)
        check_whole("seed", self.seed, lowest=0)

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        thresholds = where_present(classes, self._of_present)
        if self.absent_classes == "highest_score":
            for column, one in enumerate(classes):
                if not one.num_positives and len(one.scores):
                    thresholds[column] = np.nextafter(one.scores[-1], np.inf, dtype=np.float64)
        return thresholds

    def _of_present(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        binned = BinnedScores.from_classes(classes)
        matched = Prevalence().find_thresholds(classes)
        matched = matched if classes[0].from_logits else log_odds(matched)
        matched = np.clip(matched, binned.cuts[:, 0], binned.highest)  # half-way to an outlier may be far away
        mean, best = self._mean_and_best(binned, matched, self.num_resamples)
        return binned.in_unit_of_scores(best if self._best_alone_holds(binned) else mean)

    def _mean_and_best(
        self, binned: BinnedScores, matched: npt.NDArray[np.float64], num_resamples: int
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        calibrated = best_if_calibrated(binned, beta=self.beta)
        if (
            self.beta != 1
        ):  # predicting each class as often as it occurs is right for F1; calibration says how far to go
            matched = matched + calibrated - best_if_calibrated(binned)
        best = mean_of_best_cuts(binned, best_f_beta(self.beta), num_resamples, self.seed)
        best = np.where(np.isfinite(best), best, calibrated)
        n = binned.num_positives
        smooth = matched + n / (n + _POSITIVES_FOR_CALIBRATION) * (calibrated - matched)
        return smooth + n / (n + _POSITIVES_FOR_MAX_F1) * (best - smooth), best

    def _best_alone_holds(self, binned: BinnedScores) -> bool:
        """Whether the resampled best thresholds win against the mean on samples that neither was fitted on."""
        counts = np.zeros((2, 2, len(binned.cuts)))  # true positives and predicted, for mean and best
        support = np.zeros(len(binned.cuts))
        for rest, own in binned.split(_NUM_FOLDS, np.random.default_rng([self.seed, 1])):
            known = rest.num_positives > 0
            matched = rest.best_cuts(-np.abs(sum_above(rest.samples) - rest.num_positives[:, None]))
            for row, thresholds in enumerate(self._mean_and_best(rest, matched, _NUM_RESAMPLES_PER_FOLD)):
                passed = (own.middles >= thresholds[:, None]) & known[:, None]
                counts[row] += (own.positives * passed).sum(axis=1), (own.samples * passed).sum(axis=1)
            support += own.num_positives
        mean, best = f_beta(counts[:, 0], counts[:, 1], support, beta=self.beta, zero_division=0.0)
        lead = best - mean
        return bool(len(lead) > 1 and lead.mean() > _STANDARD_ERRORS * lead.std(ddof=1) / np.sqrt(len(lead)))
