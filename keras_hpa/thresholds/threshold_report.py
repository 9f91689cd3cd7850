"""A table of the classes: what each scores at its threshold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.f_beta import f_beta
from keras_hpa.thresholds.binomial import share_interval
from keras_hpa.thresholds.class_flags import FEW_POSITIVES


class ThresholdReport:
    """One row per class; `rows` for programs, `str()` for people.

    The interval of F-beta comes from a bootstrap of true and false positives and negatives: what other samples of the
    same kind and number would give at the same threshold. Few samples resampled look too sure, and one positive would
    give 1 to 1; so with fewer than 10 positives the interval also covers the exact one of the share of right samples
    among those that are positive or predicted. Samples of one slide or well are not independent, and this knows of no
    groups: `evaluation.evaluate` does. Where thresholds and report come from the same samples, all of it is too
    favourable. What is 0 / 0, as the precision of a class that is never predicted, is NaN.

    Args:
        counts: true positives, false positives, false negatives and true negatives of each class, shape
            `(num_classes, 4)`.
        thresholds: the threshold of each class.
        class_names: the name of each class.
        flags: what is unusual about each class.
        beta: the weight of recall against precision.
        confidence: what share of the resampled values the interval holds.
        num_resamples: how often to resample.
        seed: of the resampling.

    Raises:
        ValueError: if `confidence` does not lie between 0 and 1, or `num_resamples` is below 1.

    Example:
        >>> print(ThresholdReport([[8, 2, 2, 88]], [0.4], class_names=["Cytosol"], flags=[()]))
        class    support  threshold  precision  recall  f_beta    low   high  flags
        Cytosol       10     0.4000      0.800   0.800   0.800  0.526  0.952
    """

    def __init__(
        self,
        counts: npt.ArrayLike,
        thresholds: npt.ArrayLike,
        *,
        class_names: Sequence[Any],
        flags: Sequence[Sequence[str]],
        beta: float = 1.0,
        confidence: float = 0.95,
        num_resamples: int = 1000,
        seed: int = 0,
    ) -> None:
        if not 0 < confidence < 1:
            raise ValueError(f"`confidence` must lie between 0 and 1. Received: {confidence!r}")
        if num_resamples < 1:
            raise ValueError(f"`num_resamples` must be at least 1. Received: {num_resamples!r}")
        self.rows: list[dict[str, Any]] = []
        names = [str(name) for name in class_names]
        for column, (one, threshold) in enumerate(
            zip(np.asarray(counts, np.float64), np.asarray(thresholds, np.float64), strict=True)
        ):
            tp, fp, fn, _ = one
            rng = np.random.default_rng([seed, column])
            total = one.sum()
            draws = rng.multinomial(round(total), one / total, num_resamples) if total else np.zeros((1, 4))
            drawn = _f_beta(draws, beta)
            drawn = drawn[~np.isnan(drawn)] if not np.isnan(drawn).all() else drawn
            low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
            if 0 < tp + fn < FEW_POSITIVES:
                lowest, highest = _exact(tp, fp, fn, beta, confidence)
                low, high = min(low, lowest), max(high, highest)
            self.rows.append(
                {
                    "class": names[column],
                    "support": float(tp + fn),
                    "threshold": float(threshold),
                    "precision": _ratio(tp, tp + fp),
                    "recall": _ratio(tp, tp + fn),
                    "f_beta": float(_f_beta(one, beta)),
                    "low": float(low),
                    "high": float(high),
                    "flags": tuple(flags[column]),
                }
            )

    def __str__(self) -> str:
        width = max(len("class"), *(len(str(row["class"])) for row in self.rows))
        lines = [
            f"{'class':{width}}  {'support':>7}  {'threshold':>9}  {'precision':>9}  {'recall':>6}  {'f_beta':>6}"
            f"  {'low':>5}  {'high':>5}  flags"
        ]
        lines += [
            f"{row['class']!s:{width}}  {row['support']:7.6g}  {row['threshold']:9.4f}  {row['precision']:9.3f}"
            f"  {row['recall']:6.3f}  {row['f_beta']:6.3f}  {row['low']:5.3f}  {row['high']:5.3f}"
            f"  {', '.join(row['flags'])}".rstrip()
            for row in self.rows
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def _exact(tp: float, fp: float, fn: float, beta: float, confidence: float) -> tuple[float, float]:
    """F-beta at both ends of the share of true positives, with misses and false alarms in the proportion they have."""
    wrong = fn + fp
    price = (beta**2 * fn + fp) / wrong if wrong else max(beta**2, 1.0)
    low, high = share_interval(tp, tp + wrong, confidence)
    low, high = ((1 + beta**2) * one / ((1 + beta**2) * one + price * (1 - one)) for one in (low, high))
    return low, high


def _f_beta(counts: npt.NDArray[Any], beta: float) -> npt.NDArray[np.float64]:
    tp, fp, fn = (counts[..., part].astype(np.float64) for part in range(3))
    return np.asarray(f_beta(tp, tp + fp, tp + fn, beta=beta))


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
