"""Which of two models is better, and how sure that is."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtr, stdtrit
from scipy.stats import norm

from keras_hpa.data import Samples
from keras_hpa.evaluation.comparison import Comparison, Verdict
from keras_hpa.evaluation.evaluate import check_known, predict_labels
from keras_hpa.evaluation.paired_draws import COUNTED, RANKED, Paired, paired_counts, paired_ranks
from keras_hpa.evaluation.units import Units
from keras_hpa.thresholds import ThresholdCalibrator, check_scores

_POWER = 0.8
Metric = Literal["macro_f1", "macro_precision", "macro_recall", "macro_average_precision", "macro_roc_auc"]
_METRICS = tuple(f"macro_{name}" for name in COUNTED + RANKED)
_Scores = npt.ArrayLike | Sequence[npt.ArrayLike]


def compare(
    a: _Scores,
    b: _Scores | Mapping[str, _Scores],
    labels: Samples | npt.ArrayLike,
    groups: Sequence[Hashable] | None = None,
    metric: Metric = "macro_f1",
    *,
    thresholds: float | npt.ArrayLike | ThresholdCalibrator | None = None,
    class_names: Sequence[str] | None = None,
    confidence: float = 0.95,
    num_draws: int = 1000,
    seed: int = 0,
) -> Any:
    """Says whether model b is better than model a on the same samples, and how sure that is.

    Both are judged by the same draws of rows or groups, so that what is hard for both does not count. "Better" takes
    two things: the interval of the difference leaves out 0, and the difference is larger than in all but 5 % of the
    cases in which each group's scores are given to the other model with probability one half.

    Args:
        a: scores of the first model, shape `(num_samples, num_classes)`, or a list of those of several trainings
            (seeds). Labels, 0 and 1, will do for metrics that need a threshold, each model with its own rule then.
        b: those of the second; or a mapping from names to those of several models, each compared with `a`. Their
            p-values are then corrected after Holm.
        labels: `Samples` with labels, or labels: 1, 0, or -1 where unknown.
        groups: one hashable per sample: what another experiment would draw anew.
        metric: `"macro_f1"`, `"macro_precision"`, `"macro_recall"`, `"macro_average_precision"` or `"macro_roc_auc"`:
            the mean over the classes for which both models have a value.
        thresholds: for both models, as for `evaluate`: 0.5 unless given.
        class_names: the names of the classes.
        confidence: how often the intervals hold.
        num_draws: how often to draw and to exchange.
        seed: of the draws.

    Returns:
        A `Comparison`; of several models a dictionary of them.

    Raises:
        ValueError: if an argument is not as above.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = (rng.uniform(size=(400, 3)) < 0.3).astype(int)
        >>> a, b = (np.clip(rng.normal(0.4 + gap * labels, 0.2), 0, 1) for gap in (0.2, 0.4))
        >>> compare(a, b, labels).verdict
        'better'

    References:
        Dror, Baumer, Shlomov & Reichart, The hitchhiker's guide to testing statistical significance in natural language
        processing, ACL 2018. Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    if metric not in _METRICS:
        raise ValueError(f"`metric` must be one of {', '.join(map(repr, _METRICS))}. Received: {metric!r}")
    options: dict[str, Any] = {"metric": metric, "thresholds": thresholds, "confidence": confidence}
    first = _runs("a", a)
    known, groups, names = check_known(first[0], labels, groups, class_names)
    units = Units.of(groups, len(known))
    draws = units.draws(num_draws, seed)
    signs = np.random.default_rng([seed, 18]).choice(np.array([-1, 1], np.float32), draws.shape)
    options |= {"known": known, "units": units, "draws": draws, "signs": signs, "names": names}
    if not isinstance(b, Mapping):
        return _compare(first, _runs("b", b), **options)
    if not b:
        raise ValueError("`b` must hold at least one model. Received: an empty mapping")
    found = {name: _compare(first, _runs(f"b[{name!r}]", one), **options) for name, one in b.items()}
    corrected = holm([one.macro.p_value for one in found.values()])
    return {
        name: one.with_p_value(p, f"Holm, {len(found)} models")
        for (name, one), p in zip(found.items(), corrected, strict=True)
    }


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, corrected so that all of them together are wrong as rarely as one.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    values = np.array(p_values, np.float64)
    order = np.argsort(values)  # NaN last
    count = np.count_nonzero(~np.isnan(values))
    factors = np.maximum(count - np.arange(len(values)), 1)
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1)
    return corrected.tolist()


def _runs(name: str, given: Any) -> list[Any]:
    is_list = isinstance(given, list | tuple) and len(given) > 0 and np.ndim(given[0]) == 2
    runs = list(given) if is_list else [given]
    checked = [check_scores(one) for one in runs]
    if len({one.shape for one in checked}) > 1:
        raise ValueError(f"`{name}` must hold runs of one shape. Received: {[one.shape for one in checked]}")
    return checked


def _compare(
    a: list[npt.NDArray[np.floating]],
    b: list[npt.NDArray[np.floating]],
    *,
    known: npt.NDArray[np.int8],
    units: Units,
    draws: npt.NDArray[np.float32],
    signs: npt.NDArray[np.float32],
    names: Sequence[str] | None,
    metric: str,
    thresholds: Any,
    confidence: float,
) -> Comparison:
    if a[0].shape != b[0].shape:
        raise ValueError(f"`b` must have the shape of `a`, {a[0].shape}. Received: {b[0].shape}")
    name = metric.removeprefix("macro_")
    if name in COUNTED:
        calls_a, calls_b = ([predict_labels(run, thresholds)[0] for run in runs] for runs in (a, b))
        paired = paired_counts(calls_a, calls_b, known, name, units, draws, signs)
    else:
        paired = paired_ranks(a, b, known, name, units, draws, signs)
    columns = np.arange(known.shape[1])
    per_class = [_judge(paired, [column], units, confidence) for column in columns]
    corrected = holm([one.p_value for one in per_class])
    per_class = [one._replace(p_value=p) for one, p in zip(per_class, corrected, strict=True)]
    return Comparison(
        macro=_judge(paired, columns, units, confidence),
        per_class=dict(zip(names or map(str, columns), per_class, strict=True)),
        support=(known == 1).sum(axis=0).tolist(),
        metric=metric,
        confidence=confidence,
        unit="rows" if units.are_rows else "groups",
        num_runs=(len(a), len(b)),
    )


def _judge(paired: Paired, columns: Any, units: Units, confidence: float) -> Verdict:
    """Judges the mean over some classes."""
    tail = (1 - confidence) / 2
    defined = ~(np.isnan(paired.a[:, columns]).any(axis=0) | np.isnan(paired.b[:, columns]).any(axis=0))
    chosen = np.asarray(columns)[defined]
    if not len(chosen):
        return Verdict(*[np.nan] * 8)
    a, b = paired.a[:, chosen].mean(axis=1), paired.b[:, chosen].mean(axis=1)
    value_a, value_b = float(a.mean()), float(b.mean())
    difference = value_b - value_a
    drawn, exchanged = _mean_of_defined(paired.drawn[:, chosen]), _mean_of_defined(paired.exchanged[:, chosen])
    of_data = float(np.var(drawn, ddof=1)) if len(drawn) > 1 else 0.0
    of_runs = [float(one.var(ddof=1)) / len(one) if len(one) > 1 else 0.0 for one in (a, b)]
    error = np.sqrt(of_data + sum(of_runs))
    if max(len(a), len(b)) > 1 and error > 0:
        # Welch and Satterthwaite: few runs say little of how runs differ.
        freedom = of_data**2 / max(units.count - 1, 1) + sum(
            part**2 / max(len(one) - 1, 1) for part, one in zip(of_runs, (a, b), strict=True)
        )
        degrees = max(error**4 / freedom, 1.0)
        reach = float(stdtrit(degrees, 1 - tail)) * error
        low, high = difference - reach, difference + reach
        probability = float(stdtr(degrees, difference / error))
        p_value = float(2 * stdtr(degrees, -abs(difference) / error))
    else:
        low, high = np.quantile(drawn, [tail, 1 - tail])
        probability = float(((drawn > 0) + 0.5 * (drawn == 0)).mean())
        as_large = np.abs(exchanged) >= abs(difference) - 1e-7  # of float32
        p_value = float((1 + as_large.sum()) / (1 + len(exchanged)))
    needed = np.inf
    if difference != 0:
        reached = (norm.ppf(1 - tail) + norm.ppf(_POWER)) * np.sqrt(of_data) / difference
        needed = float(np.ceil(units.count * reached**2))
    return Verdict(value_a, value_b, difference, float(low), float(high), probability, p_value, needed)


def _mean_of_defined(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    defined = ~np.isnan(values)
    sums, counts = np.where(defined, values, 0).sum(axis=1), defined.sum(axis=1)
    return np.divide(sums, counts, out=np.zeros(len(values)), where=counts > 0)
