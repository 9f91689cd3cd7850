"""What another threshold would have given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keras_hpa.plots.figure import TRAINING, VALIDATION, new_figure, remove_frame
from keras_hpa.thresholds import check_labels, check_scores, log_odds, split_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_hpa.thresholds import ThresholdCalibrator

_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_LABEL_WIDTH = 0.17  # of an axis
_MOST_CUTS = 400


def plot_threshold_curves(
    calibrator: ThresholdCalibrator,
    y_score: npt.ArrayLike,
    y_true: npt.ArrayLike,
    *,
    classes: Sequence[int] | None = None,
) -> Figure:
    """Draws F1 against the threshold, one panel per class, with the chosen threshold and the interval of its F1.

    The curve of a rare class on few samples is a saw whose highest tooth is chance; drawn on held-out samples, it shows
    how much of the F1 found in fitting is left. The axis is that of log-odds, which gives small thresholds room.

    Args:
        calibrator: a fitted `ThresholdCalibrator`. The interval is that of its `report`, for 95 %.
        y_score: the scores to draw the curves from, shape `(num_samples, num_classes)`.
        y_true: their labels, of the same shape.
        classes: which classes to draw; all if not given.

    Raises:
        ValueError: if scores or labels are not those of the calibrator's classes, or a class is not one of them.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> y_true = np.tile(np.eye(2, dtype="uint8"), (30, 1))
        >>> y_score = np.random.default_rng([0]).uniform(0, 0.6, y_true.shape) + 0.3 * y_true
        >>> calibrator = ThresholdCalibrator(class_names=["Nucleoli", "Mitochondria"]).fit(y_score[:40], y_true[:40])
        >>> figure = plot_threshold_curves(calibrator, y_score[40:], y_true[40:])
        >>> [panel.get_title() for panel in figure.axes]
        ['Nucleoli (10)', 'Mitochondria (10)']
    """
    rows = calibrator.report(y_score, y_true).rows
    shown = range(len(rows)) if classes is None else classes
    if not len(shown) or not all(0 <= column < len(rows) for column in shown):
        raise ValueError(f"`classes` must hold numbers from 0 to {len(rows) - 1}. Received: {classes!r}")
    scores = check_scores(y_score, from_logits=calibrator.from_logits)
    curves = split_classes(scores, check_labels(y_true, scores))
    beta = calibrator.beta_

    num_columns = min(4, len(shown))
    num_rows = -(-len(shown) // num_columns)
    figure = new_figure((2.6 * num_columns, 0.5 + 1.9 * num_rows))
    panels = figure.subplots(num_rows, num_columns, sharey=True, squeeze=False).flat
    for column, axes in zip(shown, panels, strict=False):
        row, cuts = rows[column], np.unique(curves[column].scores)
        cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, _MOST_CUTS).round().astype(int))] if len(cuts) else cuts
        places = cuts if calibrator.from_logits else log_odds(cuts)
        axes.plot(places, curves[column].f_beta(cuts, beta), color=TRAINING, drawstyle="steps-pre")
        if np.isfinite(row["threshold"]):
            place = row["threshold"] if calibrator.from_logits else float(log_odds(row["threshold"]))
            axes.plot([place, place], [row["low"], row["high"]], color=VALIDATION, linewidth=2, alpha=0.6)
            axes.plot(place, row["f_beta"], "o", color=VALIDATION, markersize=5)
        else:
            axes.text(0.5, 0.9, "never predicted", transform=axes.transAxes, ha="center", va="top", fontsize=8)
        axes.set_title(f"{row['class']} ({row['support']:.0f})", fontsize=9, parse_math=False)
        axes.set_ylim(0, 1)
        axes.tick_params(labelsize=8)
        if not calibrator.from_logits and len(cuts):
            # A few broken images with scores of exactly 1 would take most of the axis.
            low, high = log_odds(np.quantile(curves[column].scores, [0.001, 0.999])) + np.array([-0.5, 0.5])
            high = max(high, float(log_odds(row["threshold"])) + 0.5) if np.isfinite(row["threshold"]) else high
            axes.set_xlim(low, high)
            ticks = _ticks(low, high)
            axes.set_xticks(log_odds(ticks), [f"{p:g}" for p in ticks])
        remove_frame(axes)
    for axes in panels:
        axes.set_axis_off()
    figure.supxlabel("threshold", fontsize=9)
    figure.supylabel("F1" if beta == 1 else f"F{beta:g}", fontsize=9)
    return figure


def _ticks(low: float, high: float) -> list[float]:
    """Those of `_TICKS` between two log-odds whose labels do not overlap, from the middle outwards."""
    kept: list[float] = []
    for tick in sorted(_TICKS, key=lambda p: abs(float(log_odds(p)))):
        place = float(log_odds(tick))
        apart = all(abs(place - float(log_odds(other))) >= _LABEL_WIDTH * (high - low) for other in kept)
        if low <= place <= high and apart:
            kept.append(tick)
    return sorted(kept) or [0.5]
