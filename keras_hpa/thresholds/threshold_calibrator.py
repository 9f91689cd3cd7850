"""Thresholds per class, fitted on scores of samples whose labels are known."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_hpa.data import number_groups
from keras_hpa.f_beta import check_zero_division, f_beta, mean_f_beta
from keras_hpa.thresholds.apply_thresholds import apply_thresholds
from keras_hpa.thresholds.calibration_file import read_calibration, write_calibration
from keras_hpa.thresholds.class_flags import find_flags, find_lower_thresholds
from keras_hpa.thresholds.class_scores import ClassScores, split_classes
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.report_grid_rule import ReportGrid
from keras_hpa.thresholds.rule import Rule
from keras_hpa.thresholds.rule_names import as_rule
from keras_hpa.thresholds.score_checks import as_numbers, check_labels, check_scores, check_weights
from keras_hpa.thresholds.threshold_report import ThresholdReport

if TYPE_CHECKING:
    from keras_hpa.thresholds.threshold_layer import ThresholdLayer


class ThresholdCalibrator(TransformerMixin, BaseEstimator):
    """Finds one threshold per class on a validation set, so that scores become labels with a high macro-F1.

    A sample is given a class where `score >= threshold`, with the thresholds exactly as they stand in `thresholds_`.
    Macro-F1 gives a class with ten positives the weight of one with ten thousand. For the rare ones the threshold
    decides it, and the one that is best on a validation set is mostly chance: it does not hold on new data.

    The estimator follows scikit-learn: scores take the place of X and labels that of y.

    Args:
        rule: how thresholds are found: a name, a rule with its options such as `MaxF1(beta=2)`, or a rule of your own;
            see [keras_hpa.thresholds](thresholds.md). `"auto"` is the best we know for new data.
        at_least_one: whether a sample that passes no threshold gets the class whose score comes nearest to its
            threshold, by their ratio (logits: difference). Every sample of the atlas has a label.
        class_names: the names of the classes, for messages and reports.
        from_logits: whether scores are logits. `thresholds_` are then logits too.

    Attributes:
        thresholds_: one threshold per class, in the unit of the scores; infinite where never predicted.
        support_: how many samples have each class.
        f_beta_: F-beta of each class on the fitting data, with the `beta` of the rule; NaN for a class that is neither
            present nor predicted.
        counts_: true positives, false positives, false negatives and true negatives of each class on the fitting data,
            weighted.
        flags_: what is unusual about each class, a tuple of texts: "no known labels", "no positives",
            "few positives" (under ten), "no negatives", "constant scores", "global threshold", and those of rules that
            promise, "promise impossible" and "promise out of reach".
        lower_thresholds_: under the rule `Promises` the score below which each class is denied; `None` under others.
        n_features_in_: the number of classes.
        feature_names_in_: the columns of a data frame of scores, where `fit` was given one; later ones must have them
            in the same order.

    Shapes:
        Scores and labels have shape `(num_samples, num_classes)`. A label is 1, 0, or -1 where it is unknown; that
        score then counts for nothing.

    Raises:
        ValueError: if an argument is out of range, scores are NaN or outside [0, 1], labels are not 0, 1 or -1, or the
            two have different shapes or look swapped; the message names class and row.
        TypeError: if scores or labels are not numbers, or `rule` is no rule.
        NotFittedError: (of scikit-learn) if asked for predictions before `fit`.

    Example:
        >>> scores = np.array([[0.9, 0.2], [0.6, 0.1], [0.3, 0.3], [0.1, 0.4]])
        >>> labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> calibrator = ThresholdCalibrator("max_f1").fit(scores, labels)
        >>> calibrator.thresholds_.round(3).tolist()
        [0.45, 0.25]
        >>> calibrator.predict([[0.5, 0.2]])
        array([[1, 0]], dtype=uint8)

    References:
        Lipton, Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML 2014.
    """

    def __init__(
        self,
        rule: str | Rule = "auto",
        *,
        at_least_one: bool = False,
        class_names: Sequence[str] | None = None,
        from_logits: bool = False,
    ) -> None:
        as_rule(rule)
        if isinstance(class_names, str):
            raise ValueError(f"`class_names` must hold one name per class. Received: {class_names!r}")
        self.rule = rule
        self.at_least_one = at_least_one
        # A pandas Series is read by its index, not in its order. scikit-learn wants its own lists back as they are.
        self.class_names = class_names if isinstance(class_names, list | tuple | None) else list(class_names)
        self.from_logits = from_logits

    def fit(
        self,
        y_score: npt.ArrayLike,
        y_true: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        groups: Sequence[Hashable] | None = None,
    ) -> Self:
        """Finds the thresholds.

        Args:
            y_score: the scores, shape `(num_samples, num_classes)`.
            y_true: the labels, of the same shape: 1, 0, or -1 for unknown.
            sample_weight: what each sample counts against the others, shape `(num_samples,)`.
            groups: one hashable per sample: samples of one antibody or plate are alike. Rules that promise,
                `Precision` and `Recall`, count them as what they are worth; other rules do not look at them.

        Returns:
            The calibrator itself.
        """
        classes = self._split_classes(y_score, y_true, sample_weight, groups)
        validate_data(self, y_score, reset=True, skip_check_array=True)
        rule = as_rule(self.rule)
        self.support_ = np.array([one.num_positives for one in classes])
        self.flags_ = find_flags(rule, classes)
        if isinstance(rule, ReportGrid):
            self._warn_of_absent_classes()
        self.thresholds_ = _find_thresholds(rule, classes)
        self.lower_thresholds_ = find_lower_thresholds(rule, classes)
        self.counts_ = np.array([one.counts_at(t) for one, t in zip(classes, self.thresholds_, strict=True)])
        self.f_beta_ = self._f_beta(self.counts_)
        return self

    def predict(self, y_score: npt.ArrayLike, *, abstain: bool = False) -> npt.NDArray[np.uint8] | npt.NDArray[np.int8]:
        """Returns labels, 1 where `score >= threshold` and 0 elsewhere, of the shape of the scores.

        With `abstain` and the rule [`Promises`](thresholds.md), -1 where the scores can answer for neither.
        """
        scores, options = self._checked_scores(y_score), {"from_logits": self.from_logits}
        labels = apply_thresholds(scores, self.thresholds_, at_least_one=self.at_least_one, **options)
        if not abstain:
            return labels
        if self.lower_thresholds_ is None or self.at_least_one:
            raise ValueError(
                "`abstain` needs the rule `Promises`, and `at_least_one` must be False. "
                f"Received: rule {self.rule!r}, at_least_one={self.at_least_one}"
            )
        may_be = apply_thresholds(scores, self.lower_thresholds_, **options)
        return np.where((labels == 0) & (may_be == 1), -1, labels).astype(np.int8)

    def transform(self, y_score: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Returns margins: how far each score lies above its threshold, in log-odds; at least 0 where it passes."""
        scores = self._checked_scores(y_score)
        logits = scores.astype(np.float64) if self.from_logits else log_odds(scores)
        with np.errstate(over="ignore"):
            margins = logits - (self.thresholds_ if self.from_logits else log_odds(self.thresholds_))
        passed = apply_thresholds(scores, self.thresholds_) == 1
        return np.where(passed, np.maximum(margins, 0.0), np.minimum(margins, -np.finfo(np.float64).tiny))

    def score(
        self,
        y_score: npt.ArrayLike,
        y_true: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        zero_division: float = float("nan"),
    ) -> float:
        """Returns the mean F-beta over classes, each judged by its threshold alone, without `at_least_one`.

        `zero_division` says what a class scores that is neither present nor predicted, as in
        [`MacroF1`](MacroF1.md): by default it counts for nothing.
        """
        counts = self._counts(y_score, y_true, sample_weight)
        return mean_f_beta(self._f_beta(counts, check_zero_division(zero_division)))

    def report(
        self,
        y_score: npt.ArrayLike | None = None,
        y_true: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        *,
        confidence: float = 0.95,
        num_resamples: int = 1000,
        seed: int = 0,
    ) -> ThresholdReport:
        """Returns a table per class: support, threshold, precision, recall, F-beta with its interval, flags.

        It describes the samples given or, without any, the fitting data, on which it is too favourable.
        Precision, recall and F-beta judge each class by its threshold alone, without `at_least_one`.
        """
        check_is_fitted(self)
        if (y_score is None) != (y_true is None):
            raise ValueError("`y_score` and `y_true` must be given together. Received: only one of them")
        counts = self.counts_ if y_score is None or y_true is None else self._counts(y_score, y_true, sample_weight)
        return ThresholdReport(
            counts,
            self.thresholds_,
            class_names=range(len(counts)) if self.class_names is None else self.class_names,
            flags=self.flags_,
            beta=self.beta_,
            confidence=confidence,
            num_resamples=num_resamples,
            seed=seed,
        )

    def as_layer(self, **kwargs: Any) -> ThresholdLayer:
        """Returns a Keras layer that gives the labels of `predict`; `kwargs` are those of every layer, as `name`."""
        from keras_hpa.thresholds.threshold_layer import ThresholdLayer

        check_is_fitted(self)
        return ThresholdLayer(
            self.thresholds_.tolist(), at_least_one=self.at_least_one, from_logits=self.from_logits, **kwargs
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes parameters and thresholds as JSON, under a temporary name first; infinity is written as null."""
        check_is_fitted(self)
        fitted = {
            name: getattr(self, f"{name}_") for name in ("thresholds", "lower_thresholds", "support", "counts", "flags")
        }
        write_calibration(path, self.get_params(deep=False), fitted)

    @classmethod
    def load(cls, path: str | os.PathLike[str], rule: str | Rule | None = None) -> Self:
        """Reads a calibrator that `save` wrote; its `rule` must be given again if it is a class of your own.

        Raises:
            ValueError: if the file is not one of ours, or of a version that is not known.
        """
        parameters, content = read_calibration(path, rule)
        calibrator = cls(**parameters)
        calibrator.thresholds_ = np.array(content["thresholds"], np.float64)
        lower = content.get("lower_thresholds")
        calibrator.lower_thresholds_ = None if lower is None else np.array(lower, np.float64)
        calibrator.support_ = np.array(content["support"])
        calibrator.counts_ = np.array(content["counts"], np.float64)
        calibrator.f_beta_ = calibrator._f_beta(calibrator.counts_)
        calibrator.flags_ = [tuple(flags) for flags in content["flags"]]
        calibrator.n_features_in_ = len(calibrator.thresholds_)
        return calibrator

    @property
    def beta_(self) -> float:
        """The weight of recall against precision: that of the rule, 1 where it has none."""
        return getattr(as_rule(self.rule), "beta", 1.0)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags

    def _f_beta(self, counts: npt.NDArray[np.float64], zero_division: float = np.nan) -> npt.NDArray[np.float64]:
        tp, fp, fn = counts.T[:3]
        return np.asarray(f_beta(tp, tp + fp, tp + fn, beta=self.beta_, zero_division=zero_division))

    def _counts(
        self, y_score: npt.ArrayLike, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> npt.NDArray[np.float64]:
        self._checked_scores(y_score)
        classes = self._split_classes(y_score, y_true, sample_weight)
        return np.array([one.counts_at(t) for one, t in zip(classes, self.thresholds_, strict=True)])

    def _split_classes(
        self,
        y_score: npt.ArrayLike,
        y_true: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None,
        groups: Sequence[Hashable] | None = None,
    ) -> list[ClassScores]:
        labels = check_labels(y_true, as_numbers("y_score", y_score), class_names=self.class_names)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        weights = check_weights(sample_weight, len(scores))
        codes = number_groups(groups, len(scores))
        return split_classes(scores, labels, weights, groups=codes, from_logits=self.from_logits)

    def _checked_scores(self, y_score: npt.ArrayLike) -> npt.NDArray[np.floating]:
        check_is_fitted(self)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        validate_data(self, y_score, reset=False, skip_check_array=True)
        return scores

    def _warn_of_absent_classes(self) -> None:
        absent = [
            str(column) if self.class_names is None else f"{column} ({self.class_names[column]})"
            for column in np.flatnonzero(self.support_ == 0).tolist()
        ]
        if absent:
            warnings.warn(
                'Under `rule="report"` a class without positives is predicted for nearly every sample. '
                f"Received: no positives of class {', '.join(absent)}",
                UserWarning,
                stacklevel=3,
            )


def _find_thresholds(rule: Rule, classes: list[ClassScores]) -> npt.NDArray[np.float64]:
    found = rule.find_thresholds(classes)
    thresholds = np.array(found, np.float64)
    lowest = np.finfo(np.float64).min if classes[0].from_logits else 0.0
    if thresholds.shape != (len(classes),) or not (thresholds >= lowest).all():
        raise ValueError(
            f"`rule` must find one score for each of {len(classes)} classes, or infinity. "
            f"Received: {found!r} from {rule!r}"
        )
    return thresholds
