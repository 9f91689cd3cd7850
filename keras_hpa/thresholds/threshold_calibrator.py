"""Thresholds per class, fitted on scores of samples whose labels are known."""

import os
import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from keras_hpa.thresholds.apply_thresholds import apply_thresholds
from keras_hpa.thresholds.calibration_file import read_calibration, write_calibration
from keras_hpa.thresholds.class_scores import ClassScores, split_classes
from keras_hpa.thresholds.find_thresholds import find_thresholds
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.report_rule import report_thresholds
from keras_hpa.thresholds.score_checks import check_labels, check_parameters, check_scores, check_weights
from keras_hpa.thresholds.threshold_layer import ThresholdLayer
from keras_hpa.thresholds.threshold_report import ThresholdReport

_FEW_POSITIVES = 10


class ThresholdCalibrator(BaseEstimator):
    """Finds one threshold per class on a validation set, so that scores become labels with a high macro-F1.

    A sample is given a class where `score >= threshold`, with the thresholds exactly as they stand in `thresholds_`.
    Macro-F1 gives a class with ten positives the weight of one with ten thousand. For the rare ones the threshold
    decides it, and the one that is best on a validation set is mostly chance: it does not hold on new data.

    The estimator follows scikit-learn: scores take the place of X and labels that of y.

    Args:
        method: the rule.
            `"auto"`: the best we know for new data, with few positives and with many; see
                [what "auto" does](../explanation/thresholds.md#what-auto-does).
            `"max_f1"`: the best F-beta on the fitting data, exactly; good with hundreds of positives in each class.
            `"prevalence"`: predicts each class as often as it occurs; good with few positives.
            `"calibrated"`: the best F-beta by a calibration that the classes share; good with few positives, limited
            by how straight the network's calibration is.
            `"global"`: one threshold for all, the best macro F-beta; for very few samples.
            `"shrink"`: `"max_f1"` drawn to `"global"`, with the weight n / (n + 10) for n positives.
            `"resampled_max_f1"`, `"resampled_prevalence"`: the mean over bootstrap samples; steadier than without.
            `"fixed"`: `thresholds` as they are.
            `"report"`: as the published notebooks had it: the first of 0, 0.001, ..., 0.999 with the best F1 of
            `score > threshold`, plus `intercept`. It predicts a class without positives practically everywhere.
        intercept: what `"report"` adds to its thresholds. The others put them between two scores and need none.
        thresholds: the thresholds of `"fixed"`, as probabilities, one for all classes or one per class.
        prevalence: the share of samples that carry each class, where `"prevalence"` shall not take it from the labels.
        beta: the weight of recall against precision in F-beta.
        min_support: a class with fewer positives, but some, gets the threshold of `"global"`.
        absent_classes: what becomes of a class without positives: `"never"` predicted, its threshold infinite, or
            predicted above the `"highest_score"` of the fitting data, which finds some of the rarest classes after a
            small validation set, and guesses. `None` is `"highest_score"` under `"auto"`, since that is better on new
            data, and `"never"` under the others; `"report"` and `"fixed"` have no choice. The class is flagged.
        at_least_one: whether a sample that passes no threshold gets the class whose score comes nearest to its
            threshold, by their ratio (logits: difference). Every sample of the atlas has a label.
        class_names: the names of the classes, for messages and reports.
        from_logits: whether scores are logits. `thresholds_` are then logits too.
        num_resamples: how many bootstrap samples to draw.
        seed: of the bootstrap.

    Attributes:
        thresholds_: one threshold per class, in the unit of the scores; infinite where never predicted.
        support_: how many samples carry each class.
        scores_: F-beta of each class on the fitting data.
        counts_: hits, false alarms, misses and true rejections of each class on the fitting data, weighted.
        flags_: what is unusual about each class, a tuple of texts: "no known labels", "no positives",
            "few positives" (under ten), "no negatives", "constant scores", "global threshold".
        n_features_in_: the number of classes.

    Shapes:
        Scores and labels have shape `(num_samples, num_classes)`. A label is 1, 0, or -1 where it is unknown; that
        score then counts for nothing.

    Raises:
        ValueError: if an argument is out of range, scores are NaN or outside [0, 1], labels are not 0, 1 or -1, or the
            two have different shapes or look swapped; the message names class and row.
        TypeError: if scores or labels are not numbers.
        NotFittedError: (of scikit-learn) if asked for predictions before `fit`.

    Example:
        >>> scores = np.array([[0.9, 0.2], [0.6, 0.1], [0.3, 0.3], [0.1, 0.4]])
        >>> labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
        >>> calibrator = ThresholdCalibrator(method="max_f1").fit(scores, labels)
        >>> calibrator.thresholds_.round(3).tolist()
        [0.45, 0.25]
        >>> calibrator.predict([[0.5, 0.2]])
        array([[1, 0]], dtype=uint8)

    References:
        Lipton, Elkan & Naryanaswamy, Optimal thresholding of classifiers to maximize F1 measure, ECML 2014.
    """

    def __init__(
        self,
        method: str = "auto",
        intercept: float = 1e-4,
        *,
        thresholds: float | Sequence[float] = 0.5,
        prevalence: Sequence[float] | None = None,
        beta: float = 1.0,
        min_support: int = 1,
        absent_classes: str | None = None,
        at_least_one: bool = False,
        class_names: Sequence[str] | None = None,
        from_logits: bool = False,
        num_resamples: int = 24,
        seed: int = 0,
    ) -> None:
        self.method = method
        self.intercept = intercept
        self.thresholds = thresholds
        self.prevalence = prevalence
        self.beta = beta
        self.min_support = min_support
        self.absent_classes = absent_classes
        self.at_least_one = at_least_one
        self.class_names = class_names
        self.from_logits = from_logits
        self.num_resamples = num_resamples
        self.seed = seed
        check_parameters(self.get_params())

    def fit(self, y_score: npt.ArrayLike, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Finds the thresholds.

        Args:
            y_score: the scores, shape `(num_samples, num_classes)`.
            y_true: the labels, of the same shape: 1, 0, or -1 for unknown.
            sample_weight: what each sample counts against the others, shape `(num_samples,)`.

        Returns:
            The calibrator itself.
        """
        classes = self._split_classes(y_score, y_true, sample_weight)
        check_parameters(self.get_params(), num_classes=len(classes))
        self.n_features_in_ = len(classes)
        self.support_ = np.array([one.num_positives for one in classes])
        self.flags_ = [_find_flags(one, self.min_support, self.method) for one in classes]
        self.thresholds_ = self._find_thresholds(classes)
        self.counts_ = np.array([one.counts_at(t) for one, t in zip(classes, self.thresholds_, strict=True)])
        self.scores_ = self._f_beta(classes)
        return self

    def predict(self, y_score: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Returns labels, 1 where `score >= threshold` and 0 elsewhere, of the shape of the scores."""
        return apply_thresholds(
            self._checked_scores(y_score),
            self.thresholds_,
            at_least_one=self.at_least_one,
            from_logits=self.from_logits,
        )

    def transform(self, y_score: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Returns margins: how far each score lies above its threshold, in log-odds; at least 0 where it passes."""
        scores = self._checked_scores(y_score)
        logits = scores.astype(np.float64) if self.from_logits else log_odds(scores)
        margins = logits - (self.thresholds_ if self.from_logits else log_odds(self.thresholds_))
        passed = scores >= self.thresholds_
        return np.where(passed, np.maximum(margins, 0.0), np.minimum(margins, -np.finfo(np.float64).tiny))

    def score(self, y_score: npt.ArrayLike, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Returns the mean F-beta over the classes that have positives among `y_true`; NaN where none has."""
        self._checked_scores(y_score)
        classes = self._split_classes(y_score, y_true, sample_weight)
        present = [bool(one.num_positives) for one in classes]
        return float(self._f_beta(classes)[present].mean()) if any(present) else float("nan")

    def report(
        self,
        y_score: npt.ArrayLike | None = None,
        y_true: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
        *,
        confidence: float = 0.95,
        num_resamples: int = 1000,
    ) -> ThresholdReport:
        """Returns a table per class: support, threshold, precision, recall, F-beta with its interval, flags.

        It tells of the samples given, or of the fitting data without any, on which it is too favourable.
        Precision, recall and F-beta judge each class by its threshold alone, without `at_least_one`.
        """
        check_is_fitted(self)
        counts = self.counts_
        if (y_score is None) != (y_true is None):
            raise ValueError("`y_score` and `y_true` must be given together. Received: only one of them")
        if y_score is not None and y_true is not None:
            self._checked_scores(y_score)
            classes = self._split_classes(y_score, y_true, sample_weight)
            counts = np.array([one.counts_at(t) for one, t in zip(classes, self.thresholds_, strict=True)])
        return ThresholdReport(
            counts,
            self.thresholds_,
            class_names=[str(column) for column in range(len(counts))]
            if self.class_names is None
            else self.class_names,
            flags=self.flags_,
            beta=self.beta,
            confidence=confidence,
            num_resamples=num_resamples,
            seed=self.seed,
        )

    def as_layer(self, **kwargs: Any) -> ThresholdLayer:
        """Returns a Keras layer that gives the labels of `predict`; `kwargs` are those of every layer, as `name`."""
        check_is_fitted(self)
        return ThresholdLayer(
            self.thresholds_.tolist(), at_least_one=self.at_least_one, from_logits=self.from_logits, **kwargs
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes parameters and thresholds as JSON, under a temporary name first; infinity is written as null."""
        check_is_fitted(self)
        write_calibration(
            path,
            {
                "parameters": self.get_params(),
                "thresholds": self.thresholds_,
                "support": self.support_,
                "scores": self.scores_,
                "counts": self.counts_,
                "flags": self.flags_,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Reads a calibrator that `save` wrote.

        Raises:
            ValueError: if the file is not one of ours, or of a version that is not known.
        """
        content = read_calibration(path)
        calibrator = cls(**content["parameters"])
        calibrator.thresholds_ = np.array(content["thresholds"], np.float64)
        calibrator.support_ = np.array(content["support"])
        calibrator.scores_ = np.array(content["scores"], np.float64)
        calibrator.counts_ = np.array(content["counts"], np.float64)
        calibrator.flags_ = [tuple(flags) for flags in content["flags"]]
        calibrator.n_features_in_ = len(calibrator.thresholds_)
        return calibrator

    def _find_thresholds(self, classes: list[ClassScores]) -> npt.NDArray[np.float64]:
        if self.method == "fixed":
            fixed = np.asarray(self.thresholds, np.float64)
            return np.array(np.broadcast_to(log_odds(fixed) if self.from_logits else fixed, len(classes)))
        if self.method == "report":
            self._warn_of_absent_classes()
            return report_thresholds(classes, intercept=self.intercept, beta=self.beta, from_logits=self.from_logits)
        return find_thresholds(
            classes,
            self.method,
            prevalence=self.prevalence,
            beta=self.beta,
            min_support=self.min_support,
            absent_classes=self.absent_classes or ("highest_score" if self.method == "auto" else "never"),
            from_logits=self.from_logits,
            num_resamples=self.num_resamples,
            seed=self.seed,
        )

    def _f_beta(self, classes: list[ClassScores]) -> npt.NDArray[np.float64]:
        return np.array([float(one.f_beta(t, self.beta)) for one, t in zip(classes, self.thresholds_, strict=True)])

    def _split_classes(
        self, y_score: npt.ArrayLike, y_true: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> list[ClassScores]:
        labels = check_labels(y_true, np.asarray(y_score), class_names=self.class_names)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        return split_classes(scores, labels, check_weights(sample_weight, len(scores)))

    def _checked_scores(self, y_score: npt.ArrayLike) -> npt.NDArray[np.floating]:
        check_is_fitted(self)
        scores = check_scores(y_score, from_logits=self.from_logits, class_names=self.class_names)
        if scores.shape[1] != len(self.thresholds_):
            raise ValueError(
                f"`y_score` must have {len(self.thresholds_)} columns, as it had in `fit`. Received: {scores.shape[1]}"
            )
        return scores

    def _warn_of_absent_classes(self) -> None:
        absent = [
            str(column) if self.class_names is None else f"{column} ({self.class_names[column]})"
            for column in np.flatnonzero(self.support_ == 0).tolist()
        ]
        if absent:
            warnings.warn(
                'Under `method="report"` a class without positives is predicted for nearly every sample. '
                f"Received: no positives of class {', '.join(absent)}",
                UserWarning,
                stacklevel=4,
            )


def _find_flags(scores: ClassScores, min_support: int, method: str) -> tuple[str, ...]:
    if not len(scores.scores):
        return ("no known labels",)
    found = {
        "no positives": not scores.num_positives,
        "few positives": 0 < scores.num_positives < _FEW_POSITIVES,
        "no negatives": scores.num_positives == len(scores.scores),
        "constant scores": scores.scores[0] == scores.scores[-1],
        "global threshold": 0 < scores.num_positives < min_support and method not in ("fixed", "report"),
    }
    return tuple(name for name, holds in found.items() if holds)
