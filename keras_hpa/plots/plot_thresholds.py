"""The threshold of every class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_hpa.f_beta import mean_f_beta
from keras_hpa.plots.figure import TRAINING, VALIDATION, new_figure, remove_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from keras_hpa.thresholds import ThresholdCalibrator


def plot_thresholds(calibrator: ThresholdCalibrator, class_names: Sequence[str] | None = None) -> Figure:
    """Draws the threshold of each class beside its F1 and its support on the fitting data.

    Args:
        calibrator: a fitted `ThresholdCalibrator`. A class that is never predicted is marked by a cross; one
            that is absent as well has no F1, and the mean is over the others.
        class_names: one name per class; those of the calibrator, or numbers, if not given.

    Raises:
        ValueError: if there are more or fewer names than classes.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> y_true = np.tile(np.eye(2, dtype="uint8"), (30, 1))
        >>> calibrator = ThresholdCalibrator().fit(0.1 + 0.8 * y_true, y_true)
        >>> figure = plot_thresholds(calibrator, ["Nucleoli", "Mitochondria"])
        >>> [panel.get_title() for panel in figure.axes]
        ['threshold', 'F1 (mean 1.000)', 'support']
    """
    num_classes = len(calibrator.thresholds_)
    given = calibrator.class_names if class_names is None else class_names
    names = [str(name) for name in (range(num_classes) if given is None else given)]
    if len(names) != num_classes:
        raise ValueError(f"`class_names` must hold {num_classes} names. Received: {len(names)}")
    rows = np.arange(num_classes)
    never = ~np.isfinite(calibrator.thresholds_)
    thresholds = np.where(never, np.nan, calibrator.thresholds_)

    figure = new_figure((9, 1.2 + 0.24 * num_classes))
    left, middle, right = figure.subplots(1, 3, sharey=True)
    left.scatter(thresholds, rows, color=TRAINING, s=18)
    left.scatter(np.zeros(never.sum()), rows[never], color="0.6", marker="x", s=18, label="never predicted")
    if never.any():
        left.legend(frameon=False, fontsize=8)
    left.set_title("threshold")
    left.set_yticks(rows, names, parse_math=False)
    left.set_ylim(num_classes - 0.4, -0.6)
    if not calibrator.from_logits:
        left.set_xlim(-0.02, max(1.02, float(np.nanmax(thresholds, initial=0)) + 0.02))
    mean = mean_f_beta(calibrator.f_beta_)
    middle.barh(rows, calibrator.f_beta_, color=VALIDATION, height=0.6)
    middle.axvline(mean, color="0.4", linestyle=":", linewidth=1)
    middle.set(title=f"F1 (mean {mean:.3f})", xlim=(0, 1))
    bars = right.barh(rows, np.sqrt(calibrator.support_), color="0.6", height=0.6)
    right.bar_label(bars, calibrator.support_, fontsize=7, padding=2)
    right.set(title="support", xticks=[], xlabel="samples (square root)")
    right.margins(x=0.2)
    for axes in (left, middle, right):
        axes.grid(axis="y", color="0.93")
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        remove_frame(axes)
    return figure
