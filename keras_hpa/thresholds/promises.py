"""Rules that promise: a precision, or a recall, on new data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.binomial import at_least_by_chance, effective_size
from keras_hpa.thresholds.class_scores import ClassScores

# Chosen on simulated networks: where to start, in positives and in the fewest samples that can be enough, and from one
# cut to the next.
_START, _LATEST, _GROWTH = 0.4, 4, 1.1


@dataclass(frozen=True)
class _Promise:
    at_least: float = 0.9
    confidence: float = 0.95

    def __post_init__(self) -> None:
        _check_between("at_least", self.at_least)
        _check_between("confidence", self.confidence)


@dataclass(frozen=True)
class Precision(_Promise):
    """Promises a precision per class on new data of the same source: at least so much, with this confidence.

    Cuts are tested from a strict one on, each with 10 % more samples than the last, by an exact binomial test that the
    precision is below `at_least`; the last before the first that fails is taken. As the order is fixed, many tests are
    no more often wrong than one (fixed sequence testing, as Learn then Test has it). The cuts lie at ranks, and the
    first depends on the number of positives: that promises hold all the same was found by simulation, not proved. Where
    `fit` is given `groups`, a test counts as many samples as the groups are worth.

    With .9 and .95 it takes 29 samples, all of them right, for a test to succeed. A class with fewer positives
    has the flag "promise impossible", one whose tests fail "promise out of reach"; neither is ever predicted, its
    threshold is infinite. Each class has a promise of its own: of 20 promises at .95, one may be broken.

    Args:
        at_least: the precision.
        confidence: the probability that a promise holds, over data sets to fit on.

    Raises:
        ValueError: if an option does not lie between 0 and 1.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> labels = np.tile([[1, 0]], (60, 1)).reshape(-1, 1)
        >>> scores = np.linspace(0.1, 0.4, 120).reshape(-1, 1) + 0.5 * labels
        >>> calibrator = ThresholdCalibrator(Precision(at_least=0.9, confidence=0.95)).fit(scores, labels)
        >>> calibrator.thresholds_.round(2).tolist(), calibrator.flags_
        ([0.39], [()])

    References:
        Angelopoulos, Bates, Candès, Jordan & Lei, Learn then Test: calibrating predictive algorithms to achieve risk
        control, 2021 (arXiv:2110.01052).
    """

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores; infinity where nothing can be promised."""
        return np.array([self._threshold(one) for one in classes])

    def find_flags(self, classes: Sequence[ClassScores]) -> list[tuple[str, ...]]:
        """Returns, for each class, why nothing can be promised, or nothing."""
        return [_flags(self, one, self._threshold(one) == np.inf) for one in classes]

    def _threshold(self, scores: ClassScores) -> float:
        _refuse_weights(scores)
        kept = np.inf
        for cut in self._cuts(scores):
            groups = scores.part(cut)
            if groups is not None and effective_size(groups[1], groups[1], self.confidence) < _fewest(self):
                continue  # the samples of so few groups cannot be enough, whatever their labels
            found, predicted = scores.true_positives(cut), scores.predicted(cut)
            if _p_value(self, found, predicted, groups) > 1 - self.confidence:
                break
            kept = scores.threshold_at(cut)
        return kept

    def _cuts(self, scores: ClassScores) -> Iterator[float]:
        # A few wrong ones at the very top must not decide it: a class with more positives starts further down.
        fewest, last = _fewest(self), np.inf
        count = int(np.clip(_START * scores.num_positives, fewest, _LATEST * fewest))
        while count <= len(scores.scores):
            cut = float(scores.scores[-count])
            if cut < last:
                yield cut
            last = cut
            count = max(count + 1, int(count * _GROWTH))


@dataclass(frozen=True)
class Recall(_Promise):
    """Promises a recall per class on new data of the same source: at least so much, with this confidence.

    The threshold is the highest at which an exact binomial test on the positives says so; recall only falls as the
    threshold rises, so that one may look at all of them. Where `fit` is given `groups`, the test counts as many
    positives as the groups are worth.

    With .9 and .95 it takes 29 positives. A class with fewer has the flag "promise impossible", and where groups say
    too little "promise out of reach". Its threshold is the lowest there is: predicted everywhere, it misses nothing.

    Args:
        at_least: the recall.
        confidence: the probability that a promise holds, over data sets to fit on.

    Raises:
        ValueError: if an option does not lie between 0 and 1.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> labels = np.tile([[1, 0]], (60, 1)).reshape(-1, 1)
        >>> scores = np.linspace(0.1, 0.4, 120).reshape(-1, 1) + 0.5 * labels
        >>> calibrator = ThresholdCalibrator(Recall(at_least=0.9)).fit(scores, labels)
        >>> calibrator.thresholds_.round(3).tolist(), int(calibrator.predict(scores).sum())
        ([0.603], 59)

    References:
        Wilks, Determination of sample sizes for setting tolerance limits, Annals of Mathematical Statistics 1941.
    """

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.NDArray[np.float64]:
        """Returns one threshold per class, in the unit of the scores."""
        return np.array([self._threshold(one)[0] for one in classes])

    def find_flags(self, classes: Sequence[ClassScores]) -> list[tuple[str, ...]]:
        """Returns, for each class, why nothing can be promised, or nothing."""
        return [_flags(self, one, not self._threshold(one)[1]) for one in classes]

    def _threshold(self, scores: ClassScores) -> tuple[float, bool]:
        _refuse_weights(scores)
        kept, found = np.finfo(np.float64).min if scores.from_logits else 0.0, False
        for cut in np.unique(scores.positive_scores).tolist():
            groups = scores.part(cut, of_positives=True)
            p_value = _p_value(self, scores.true_positives(cut), scores.support, groups)
            if p_value > 1 - self.confidence:
                break
            kept, found = scores.threshold_at(cut), True
        return kept, found


def _p_value(
    rule: _Promise,
    part: Any,
    whole: Any,
    groups: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None,
) -> float:
    """How likely so many right ones are where the share of right ones is that of the promise, and no better."""
    part, whole = float(part), float(whole)
    size = whole if groups is None else effective_size(*groups, rule.confidence)
    return at_least_by_chance(part / whole * size, size, rule.at_least) if whole else 1.0


def _fewest(rule: _Promise) -> int:
    """How many must be right, none being wrong, for the test to succeed."""
    return int(np.ceil(np.log(1 - rule.confidence) / np.log(rule.at_least) - 1e-9))


def _flags(rule: _Promise, scores: ClassScores, failed: bool) -> tuple[str, ...]:
    if not failed:
        return ()
    return ("promise impossible",) if scores.num_positives < _fewest(rule) else ("promise out of reach",)


def _refuse_weights(scores: ClassScores) -> None:
    if scores.is_weighted:
        raise ValueError("`sample_weight` must not be given where a rule promises. Received: weights that differ")


def _check_between(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < 1:  # type: ignore[operator]
        raise ValueError(f"`{name}` must lie between 0 and 1. Received: {value!r}")
