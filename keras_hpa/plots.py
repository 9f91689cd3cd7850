"""Figures: learning curves, the channels of a sample, thresholds. They need Matplotlib, an extra.

Every function returns a `matplotlib.figure.Figure` and leaves Matplotlib's global state alone; `figure.savefig(path)`
writes it, a notebook shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas
from keras_hpa.thresholds.class_scores import split_classes
from keras_hpa.thresholds.log_odds import log_odds
from keras_hpa.thresholds.score_checks import check_labels, check_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from keras_hpa.thresholds import ThresholdCalibrator

_TITLES = {"loss": "Loss", "macro_f1": "Macro-F1", "accuracy": "Accuracy"}
_TRAINING, _VALIDATION = "#0072B2", "#D55E00"
_COLOURS = {
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
}
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
_MOST_CUTS = 400


def plot_learning_curves(
    history: Mapping[str, Sequence[float]], metrics: Sequence[str] = ("loss", "macro_f1", "accuracy")
) -> Figure:
    """Draws each metric over the epochs, training beside validation: the learning curves of the report.

    Args:
        history: one list per logged name: `model.fit(...).history`, or `TrainingBackup.history`.
        metrics: the names to draw, one panel each. Dotted lines mark where the learning rate was lowered, if
            `history` has it.

    Raises:
        ValueError: if `history` lacks one of `metrics`.

    Example:
        >>> history = {"loss": [0.31, 0.22, 0.19], "val_loss": [0.3, 0.26, 0.25]}  # of `model.fit(...).history`
        >>> figure = plot_learning_curves(history, metrics=["loss"])
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['training', 'validation']
    """
    for name in metrics:
        if name not in history:
            raise ValueError(f"`metrics` must be names of `history` ({', '.join(history)}). Received: {name!r}")
    figure = _new_figure((4.5 * len(metrics), 3.6))
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(metrics))), metrics, strict=True):
        epochs = np.arange(1, len(history[name]) + 1)
        marker = "o" if len(epochs) < 20 else None
        axes.plot(epochs, history[name], color=_TRAINING, marker=marker, markersize=3, label="training")
        if f"val_{name}" in history:
            validation = history[f"val_{name}"]
            axes.plot(epochs, validation, color=_VALIDATION, marker=marker, markersize=3, label="validation")
        for epoch in 1 + np.flatnonzero(np.diff(history.get("learning_rate", ())) < 0):
            axes.axvline(epoch + 0.5, color="0.7", linestyle=":", linewidth=1, zorder=0)
        axes.set(title=_TITLES.get(name, name), xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        _remove_frame(axes)
    return figure


def plot_channels(
    image: npt.ArrayLike,
    channels: Sequence[str] = atlas.CHANNELS,
    *,
    title: str | None = None,
    saturated: float = 0.35,
) -> Figure:
    """Draws every channel of a sample in its colour, and their merge.

    Microscopy images are dark: most of a channel's range is empty. Each channel is therefore brightened for display,
    by itself, until `saturated` per cent of its pixels are white, as ImageJ's "enhance contrast" does; the panel's
    title says by how much.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        channels: the names of the channels. Names of colours choose their colours; any other name is drawn in gray.
        title: a line above the panels.
        saturated: the share of pixels, in per cent, that are drawn at full brightness.

    Raises:
        ValueError: if the shape of `image` does not fit `channels`, or `saturated` does not lie in 0 to 100.

    Example:
        >>> from keras_hpa import SyntheticAtlas
        >>> source = SyntheticAtlas(1, image_size=(64, 64))
        >>> figure = plot_channels(source.read(0), source.channels)
        >>> [panel.get_title().splitlines()[0] for panel in figure.axes][-2:]
        ['yellow: endoplasmic reticulum', 'merge']
    """
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[-1] != len(channels):
        raise ValueError(f"`image` must have shape (height, width, {len(channels)}). Received: shape {pixels.shape}")
    if not 0 <= saturated < 100:
        raise ValueError(f"`saturated` must lie between 0 and 100 per cent. Received: {saturated}")
    full = float(np.iinfo(pixels.dtype).max) if np.issubdtype(pixels.dtype, np.integer) else 1.0
    white = np.maximum(np.percentile(pixels, 100 - saturated, axis=(0, 1)), full / 255)
    bright = np.clip(pixels / white, 0, 1)
    colours = np.array([_COLOURS.get(name, (1, 1, 1)) for name in channels], np.float64)

    figure = _new_figure((2.6 * (len(channels) + 1), 3.1 if title else 2.9))
    panels = figure.subplots(1, len(channels) + 1)
    for axes, name, values, colour, top in zip(
        panels, channels, np.moveaxis(bright, -1, 0), colours, white, strict=False
    ):
        stain = f"{name}: {atlas.CHANNEL_STAINS[name]}" if name in atlas.CHANNEL_STAINS else name
        axes.imshow(values[..., None] * colour)
        axes.set_title(f"{stain}\n(× {full / top:.1f})", fontsize=8)
    panels[-1].imshow(np.clip(bright @ colours, 0, 1))
    panels[-1].set_title("merge\n", fontsize=8)
    for axes in panels:
        axes.set_axis_off()
    if title is not None:
        figure.suptitle(title, fontsize=10)
    return figure


def plot_thresholds(calibrator: ThresholdCalibrator, class_names: Sequence[str] | None = None) -> Figure:
    """Draws the threshold of each class beside its F1 and its support on the fitting data.

    Args:
        calibrator: a fitted `ThresholdCalibrator`. A class that is never predicted is marked by a cross.
        class_names: one name per class; those of the calibrator, or numbers, if not given.

    Raises:
        ValueError: if there are more or fewer names than classes.

    Example:
        >>> from keras_hpa import ThresholdCalibrator
        >>> y_true = np.tile(np.eye(2, dtype="uint8"), (30, 1))
        >>> calibrator = ThresholdCalibrator().fit(0.1 + 0.8 * y_true, y_true)
        >>> figure = plot_thresholds(calibrator, ["Nucleoli", "Mitochondria"])
        >>> [panel.get_title() for panel in figure.axes]
        ['threshold', 'F1 (mean of all 1.000)', 'support']
    """
    num_classes = len(calibrator.thresholds_)
    given = calibrator.class_names if class_names is None else class_names
    names = [str(name) for name in (range(num_classes) if given is None else given)]
    if len(names) != num_classes:
        raise ValueError(f"`class_names` must hold {num_classes} names. Received: {len(names)}")
    rows = np.arange(num_classes)
    never = ~np.isfinite(calibrator.thresholds_)
    thresholds = np.where(never, np.nan, calibrator.thresholds_)

    figure = _new_figure((9, 1.2 + 0.24 * num_classes))
    left, middle, right = figure.subplots(1, 3, sharey=True)
    left.scatter(thresholds, rows, color=_TRAINING, s=18)
    left.scatter(np.zeros(never.sum()), rows[never], color="0.6", marker="x", s=18, label="never predicted")
    if never.any():
        left.legend(frameon=False, fontsize=8)
    left.set(title="threshold", yticks=rows, yticklabels=names)
    left.set_ylim(num_classes - 0.4, -0.6)
    if not calibrator.from_logits:
        left.set_xlim(-0.02, max(1.02, float(np.nanmax(thresholds, initial=0)) + 0.02))
    middle.barh(rows, calibrator.scores_, color=_VALIDATION, height=0.6)
    middle.axvline(np.mean(calibrator.scores_), color="0.4", linestyle=":", linewidth=1)
    middle.set(title=f"F1 (mean of all {np.mean(calibrator.scores_):.3f})", xlim=(0, 1))
    bars = right.barh(rows, np.sqrt(calibrator.support_), color="0.6", height=0.6)
    right.bar_label(bars, calibrator.support_, fontsize=7, padding=2)
    right.set(title="support", xticks=[], xlabel="samples (square root)")
    right.margins(x=0.2)
    for axes in (left, middle, right):
        axes.grid(axis="y", color="0.93")
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        _remove_frame(axes)
    return figure


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

    num_columns = min(4, len(shown))
    num_rows = -(-len(shown) // num_columns)
    figure = _new_figure((2.6 * num_columns, 0.5 + 1.9 * num_rows))
    panels = figure.subplots(num_rows, num_columns, sharey=True, squeeze=False).flat
    for column, axes in zip(shown, panels, strict=False):
        row, cuts = rows[column], np.unique(curves[column].scores)
        cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, _MOST_CUTS).round().astype(int))] if len(cuts) else cuts
        places = cuts if calibrator.from_logits else log_odds(cuts)
        axes.plot(places, curves[column].f_beta(cuts, calibrator.beta), color=_TRAINING, drawstyle="steps-pre")
        if np.isfinite(row["threshold"]):
            place = row["threshold"] if calibrator.from_logits else float(log_odds(row["threshold"]))
            axes.plot([place, place], [row["low"], row["high"]], color=_VALIDATION, linewidth=2, alpha=0.6)
            axes.plot(place, row["f_beta"], "o", color=_VALIDATION, markersize=5)
        else:
            axes.text(0.5, 0.9, "never predicted", transform=axes.transAxes, ha="center", va="top", fontsize=8)
        axes.set_title(f"{row['class']} ({row['support']:.0f})", fontsize=9)
        axes.set_ylim(0, 1)
        axes.tick_params(labelsize=8)
        if not calibrator.from_logits and len(cuts):
            # A few broken images with scores of exactly 1 would take most of the axis.
            low, high = log_odds(np.quantile(curves[column].scores, [0.001, 0.999])) + np.array([-0.5, 0.5])
            high = max(high, float(log_odds(row["threshold"])) + 0.5) if np.isfinite(row["threshold"]) else high
            axes.set_xlim(low, high)
            ticks = [p for p in _TICKS if low <= log_odds(p) <= high] or [0.5]
            axes.set_xticks(log_odds(ticks), [f"{p:g}" for p in ticks])
        _remove_frame(axes)
    for axes in panels:
        axes.set_axis_off()
    figure.supxlabel("threshold", fontsize=9)
    figure.supylabel("F1" if calibrator.beta == 1 else f"F{calibrator.beta:g}", fontsize=9)
    return figure


def _new_figure(size: tuple[float, float]) -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Figures need Matplotlib: pip install 'keras-hpa[plots]'") from error
    return Figure(figsize=size, layout="constrained", dpi=120)


def _remove_frame(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
