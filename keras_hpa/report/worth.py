"""What scores are worth, for the run report: every number with its interval, probabilities, promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from keras_hpa.evaluation import EvaluationTable, evaluate
from keras_hpa.thresholds import Precision, Promises, ThresholdCalibrator

_NUM_BINS = 10
_MANY_SCORES, _CLEAR_GAP = 50, 0.1  # where a tenth of the scale is worth a remark
_WITH_INTERVALS = ("f1", "precision", "recall", "average_precision")


def evaluate_run(samples: Any, scores: npt.NDArray[Any], calibrator: ThresholdCalibrator) -> EvaluationTable:
    """The table of `evaluate`, with the groups of the samples where they have some; its classes are numbered."""
    assert samples.labels is not None  # a report is of annotated samples
    return evaluate(scores, samples.labels, thresholds=calibrator, groups=getattr(samples, "groups", None))


def with_intervals(row: Mapping[str, Any], evaluated: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the calibrator's report with what `evaluate` says of the class."""
    named = {f"{name}{end}": evaluated[f"{name}{end}"] for name in _WITH_INTERVALS for end in ("", "_low", "_high")}
    return dict(row) | named | {"f_beta": evaluated["f1"], "low": evaluated["f1_low"], "high": evaluated["f1_high"]}


def tenths(scores: npt.NDArray[Any], labels: npt.NDArray[Any], *, from_logits: bool) -> list[dict[str, Any]]:
    """For each tenth of the scale that holds scores: how many, their mean, and the share that has the label."""
    known = labels >= 0
    values, positive = scores[known].astype(np.float64), labels[known] == 1
    values = expit(values) if from_logits else values
    places = np.minimum((values * _NUM_BINS).astype(np.intp), _NUM_BINS - 1)
    count, total, found = (np.bincount(places, one, _NUM_BINS) for one in (np.ones(len(values)), values, positive))
    return [
        {
            "low": number / _NUM_BINS,
            "high": (number + 1) / _NUM_BINS,
            "count": int(count[number]),
            "mean": float(total[number] / count[number]),
            "share": float(found[number] / count[number]),
        }
        for number in np.flatnonzero(count).tolist()
    ]


def find_wrong_probabilities(bins: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A sentence about the tenth of the scale, of those with enough scores, that is furthest from the truth."""
    many = [one for one in bins if one["count"] >= _MANY_SCORES]
    worst = max(many, key=lambda one: abs(one["mean"] - one["share"]), default=None)
    if worst is None or abs(worst["mean"] - worst["share"]) < _CLEAR_GAP:
        return []
    sentence = "Scores are not probabilities"
    told = (
        f"of {worst['count']} scores from {worst['low']:.1f} to {worst['high']:.1f}, {100 * worst['share']:.0f} % have "
        "the label; keras_hpa.ProbabilityCalibrator makes probabilities of them"
    )
    return [(sentence, told)]


def promise(
    samples: Any, scores: npt.NDArray[Any], calibrator: ThresholdCalibrator, names: Sequence[str]
) -> dict[str, Any]:
    """What precision these samples allow to promise: the classes with a threshold for it, and those without."""
    rule = calibrator.rule
    if isinstance(rule, Promises):
        rule = Precision(rule.precision, rule.confidence)
    elif not isinstance(rule, Precision):
        rule = Precision()
    assert samples.labels is not None
    promising = ThresholdCalibrator(rule, from_logits=calibrator.from_logits)
    promising.fit(scores, samples.labels, groups=getattr(samples, "groups", None))
    made, refused = [], {"promise impossible": [], "promise out of reach": []}  # type: ignore[var-annotated]
    for number, (name, flags, counts) in enumerate(zip(names, promising.flags_, promising.counts_, strict=True)):
        why = [flag for flag in flags if flag in refused]
        if why:
            refused[why[0]].append(name)
            continue
        true, false, missed, _ = counts
        made.append(
            {
                "class": name,
                "threshold": float(promising.thresholds_[number]),
                "predicted": int(true + false),
                "found": int(true),
                "support": int(true + missed),
            }
        )
    return {
        "at_least": rule.at_least,
        "confidence": rule.confidence,
        "made": sorted(made, key=lambda row: -row["found"] / row["support"]),
        "too_few": refused["promise impossible"],
        "out_of_reach": refused["promise out of reach"],
    }
