"""How a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from keras_hpa.plots.figure import TRAINING, VALIDATION, new_figure, remove_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLES = {"loss": "Loss", "macro_f1": "Macro-F1", "accuracy": "Accuracy"}


def plot_learning_curves(
    history: Mapping[str, Sequence[float]] | Any,
    metrics: Sequence[str] | None = None,
    *,
    validation_freq: int | Sequence[int] | None = None,
) -> Figure:
    """Draws each metric over the epochs, training beside validation: the learning curves of the report.

    Args:
        history: one list per logged name: what `model.fit(...)` returns, its `history`, or `TrainingBackup.history`.
            Epochs whose value is NaN are left out.
        metrics: the names to draw, one panel each; all that were logged in training if not given. Dotted lines mark
            where the learning rate was lowered, if `history` has it.
        validation_freq: as given to `fit`, where not every epoch was validated. If not given, fewer validation values
            than epochs are spread evenly.

    Raises:
        ValueError: if `history` lacks one of `metrics`, or has nothing to draw.

    Example:
        >>> history = {"loss": [0.31, 0.22, 0.19], "val_loss": [0.3, 0.26, 0.25]}  # of `model.fit(...).history`
        >>> figure = plot_learning_curves(history)
        >>> [line.get_label() for line in figure.axes[0].lines]
        ['training', 'validation']
    """
    history = getattr(history, "history", history)
    logged = [name for name in history if not name.startswith(("val_", "learning_rate"))]
    metrics = logged if metrics is None else list(metrics)
    if not metrics or not set(metrics) <= set(history):
        missing = next((name for name in metrics if name not in history), metrics)
        raise ValueError(f"`metrics` must be names of `history` ({', '.join(history)}). Received: {missing!r}")
    figure = new_figure((4.5 * len(metrics), 3.6))
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(metrics))), metrics, strict=True):
        num_epochs = len(history[name])
        for part, key, colour in (("training", name, TRAINING), ("validation", f"val_{name}", VALIDATION)):
            values = np.asarray(history.get(key, ()), np.float64)
            if not len(values):
                continue
            epochs = _epochs(num_epochs, len(values), validation_freq)
            values = values.reshape(len(values), -1)
            kept = np.isfinite(values).any(axis=1)
            marker = "o" if kept.sum() < 20 else None
            lines = axes.plot(epochs[kept], values[kept], color=colour, marker=marker, markersize=3)
            lines[0].set_label(part)
        for epoch in 1 + np.flatnonzero(np.diff(history.get("learning_rate", ())) < 0):
            axes.axvline(epoch + 0.5, color="0.7", linestyle=":", linewidth=1, zorder=0)
        axes.set_title(_TITLES.get(name, name), parse_math=False)
        axes.set_xlabel("epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        remove_frame(axes)
    return figure


def _epochs(num_epochs: int, num_values: int, validation_freq: int | Sequence[int] | None) -> npt.NDArray[np.int64]:
    """The epochs, counted from 1, that values belong to which may be fewer."""
    if num_values >= num_epochs:
        return np.arange(1, num_values + 1)
    if validation_freq is None:
        validation_freq = num_epochs // num_values
    if isinstance(validation_freq, int | np.integer):
        return int(validation_freq) * np.arange(1, num_values + 1)
    return np.asarray(validation_freq)[:num_values]
