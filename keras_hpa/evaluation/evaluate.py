"""What the scores of a model are worth, class by class and in summary, with intervals."""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from keras_hpa.data import Samples
from keras_hpa.evaluation.calibration_error import calibration_errors, drawn_interval
from keras_hpa.evaluation.estimates import METRICS, Column, Estimate, estimate, from_variance
from keras_hpa.evaluation.evaluation_table import EvaluationTable
from keras_hpa.evaluation.intervals import Interval
from keras_hpa.evaluation.units import Units
from keras_hpa.labels import check_class_names
from keras_hpa.thresholds import ThresholdCalibrator, apply_thresholds, check_labels, check_scores


def evaluate(
    scores: npt.ArrayLike,
    samples_or_labels: Samples | npt.ArrayLike,
    *,
    thresholds: float | npt.ArrayLike | ThresholdCalibrator | None = None,
    groups: Sequence[Hashable] | None = None,
    class_names: Sequence[str] | None = None,
    confidence: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> EvaluationTable:
    """Says what scores are worth, class by class and in summary, each number with an interval.

    An interval says what other samples of the same source would give. Images of one antibody, well or plate are alike:
    a hundred images of ten antibodies say about as much as ten. Where `groups` are given, the groups are what varies.

    | metric | interval |
    | --- | --- |
    | prevalence, precision, recall | exact binomial; over groups with their effective size |
    | F1 | of the share J of samples, present or predicted, of which both is true: F1 = 2 J / (1 + J) |
    | average precision, ROC AUC | influence function, as many rows as have that variance; widened below 20 positives |
    | Brier score, `macro` and `micro` | influence function |
    | calibration error | draws, without a promise |

    Args:
        scores: probabilities, shape `(num_samples, num_classes)`; logits where `thresholds` is a calibrator of logits.
        samples_or_labels: `Samples`, with their groups and class names, or labels of the shape of the scores: 1, 0, or
            -1 where unknown, which counts for nothing.
        thresholds: one number, one per class, or a fitted `ThresholdCalibrator`; a class is predicted where
            `score >= threshold`. 0.5 unless given. Fit them on other samples.
        groups: one hashable per sample: what another experiment would draw anew.
        class_names: the names of the classes.
        confidence: how often the intervals hold.
        num_draws: how often to draw for calibration errors.
        seed: of the draws.

    Returns:
        A table with one row per class, then `macro` and `micro`: see `EvaluationTable`.

    Raises:
        ValueError: if scores, labels, groups, names or an option are not as above.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = (rng.uniform(size=(200, 2)) < [0.5, 0.1]).astype(int)
        >>> scores = np.clip(rng.normal(0.3 + 0.3 * labels, 0.15), 0, 1)
        >>> print(evaluate(scores, labels, class_names=["Cytosol", "Nucleoli"]))  # doctest: +ELLIPSIS
        class     support  average_precision     roc_auc               f1 ...

    References:
        Clopper & Pearson, The use of confidence or fiducial limits, Biometrika 1934.
        Korn & Graubard, Confidence intervals for proportions with small expected number of positive counts, Survey
        Methodology 1998.
        DeLong, DeLong & Clarke-Pearson, Comparing the areas under correlated ROC curves, Biometrics 1988.
        Boyd, Eng & Page, Area under the precision-recall curve: point estimates and confidence intervals, ECML 2013.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Received: {confidence!r}")
    if isinstance(num_draws, bool) or not isinstance(num_draws, int | np.integer) or num_draws < 1:
        raise ValueError(f"`num_draws` must be a whole number, at least 1. Received: {num_draws!r}")
    from_logits = isinstance(thresholds, ThresholdCalibrator) and thresholds.from_logits
    checked = check_scores(scores, from_logits=from_logits)
    predicted, cuts = predict_labels(checked, thresholds)
    if from_logits:
        checked = expit(checked.astype(np.float64))
    known, groups, names = check_known(checked, samples_or_labels, groups, class_names)
    units = Units.of(groups, len(checked))
    draws = units.draws(num_draws, seed)

    errors, drawn = calibration_errors(checked, known, units, draws)
    drawn_errors = [
        Estimate(error, drawn_interval(one, confidence), np.zeros(units.count), 0.0)
        for error, one in zip(errors, drawn.T, strict=True)
    ]
    rows, per_class = [], []
    for number, error in enumerate(drawn_errors[:-1]):
        column = _column(checked[:, [number]], known[:, [number]], predicted[:, [number]])
        estimates = _all_metrics(column, units, not units.are_rows, confidence) | {"calibration_error": error}
        per_class.append(estimates)
        rows.append(_row(str(number) if names is None else names[number], column, units, estimates, cuts[number]))
    everything = _column(checked, known, predicted)
    macro = _macro(per_class, units, confidence)
    defined = drawn[:, :-1][:, ~np.isnan(errors[:-1])]
    macro["calibration_error"] = macro["calibration_error"]._replace(
        interval=drawn_interval(_mean_of_defined(defined), confidence)
    )
    micro = _all_metrics(everything, units, True, confidence) | {"calibration_error": drawn_errors[-1]}
    rows += [_row(name, everything, units, one, np.nan) for name, one in (("macro", macro), ("micro", micro))]
    unit = "row" if groups is None else "group"
    return EvaluationTable(rows, num_classes=len(per_class), confidence=confidence, unit=unit)


def check_known(
    scores: npt.NDArray[np.floating],
    samples_or_labels: Any,
    groups: Sequence[Hashable] | None,
    class_names: Sequence[str] | None,
) -> tuple[npt.NDArray[np.int8], Sequence[Hashable] | None, Sequence[str] | None]:
    """Gives labels, groups and class names: those of `Samples` unless others are given."""
    labels = samples_or_labels
    if isinstance(samples_or_labels, Samples):
        labels = samples_or_labels.labels
        if labels is None:
            raise ValueError(f"`samples_or_labels` must have labels. Received: {samples_or_labels!r}")
        groups = samples_or_labels.groups if groups is None else groups
        class_names = samples_or_labels.class_names if class_names is None else class_names
    names = None if class_names is None else check_class_names(class_names)
    if names is not None and len(names) != scores.shape[1]:
        raise ValueError(f"`class_names` must be {scores.shape[1]}, one per column. Received: {names}")
    return check_labels(labels, scores, class_names=names), groups, names


def predict_labels(
    scores: npt.NDArray[np.floating], thresholds: float | npt.ArrayLike | ThresholdCalibrator | None
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Whether each class is predicted, and at what thresholds."""
    if isinstance(thresholds, ThresholdCalibrator):
        return thresholds.predict(scores) == 1, thresholds.thresholds_
    cuts = np.asarray(0.5 if thresholds is None else thresholds, np.float64)
    if cuts.shape not in ((), (scores.shape[1],)) or not (cuts >= 0).all():
        raise ValueError(
            f"`thresholds` must be a number from 0 on, one for each of {scores.shape[1]} classes, or a fitted "
            f"`ThresholdCalibrator`. Received: {thresholds!r}"
        )
    cuts = np.broadcast_to(cuts, scores.shape[1]).copy()
    return apply_thresholds(scores, cuts) == 1, cuts


def _column(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.int8], predicted: npt.NDArray[np.bool_]) -> Column:
    rows, columns = np.nonzero(labels >= 0)
    return Column(scores[rows, columns], labels[rows, columns] == 1, predicted[rows, columns], rows)


def _all_metrics(column: Column, units: Units, grouped: bool, confidence: float) -> dict[str, Estimate]:
    if len(column.rows):
        return estimate(column, units, grouped=grouped, confidence=confidence)
    none = Estimate(np.nan, Interval(np.nan, np.nan, "not defined"), np.zeros(units.count), 0.0)
    return dict.fromkeys(METRICS, none)


def _mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    defined = ~np.isnan(values)
    count = defined.sum(axis=1)
    sums = np.where(defined, values, 0).sum(axis=1)
    return np.divide(sums, count, out=np.full(len(values), np.nan), where=count > 0)


def _macro(per_class: list[dict[str, Estimate]], units: Units, confidence: float) -> dict[str, Estimate]:
    """The mean over the classes for which a metric is defined; its variance knows that classes share units."""
    found = {}
    for name in METRICS:
        defined = [one[name] for one in per_class if one[name].value == one[name].value]
        if not defined:
            found[name] = per_class[0][name]
            continue
        value = float(np.mean([one.value for one in defined]))
        moved = np.mean([one.moved for one in defined], axis=0)
        seen = sum(float((one.moved**2).sum()) for one in defined)
        allowed = sum(max(one.variance, float((one.moved**2).sum())) for one in defined)
        scale = units.count / max(units.count - 1, 1)
        variance = scale * float((moved**2).sum()) + (allowed - seen) / len(defined) ** 2
        bias = float(np.mean([one.bias for one in defined]))
        low, high, method = from_variance(value - bias, variance, units.count, confidence, "influence function")
        interval = Interval(min(low, value), max(high, value), method)
        found[name] = Estimate(value, interval, moved, variance)
    return found


def _row(name: str, column: Column, units: Units, estimates: dict[str, Estimate], threshold: float) -> dict[str, Any]:
    positives = column.rows[column.positive]
    row: dict[str, Any] = {
        "class": name,
        "support": len(positives),
        "groups": len(np.unique(units.codes[positives])),
        "threshold": float(threshold),
    }
    for metric in METRICS:
        value, (low, high, method) = estimates[metric][:2]
        row |= {metric: float(value), f"{metric}_low": low, f"{metric}_high": high, f"{metric}_method": method}
    return row
