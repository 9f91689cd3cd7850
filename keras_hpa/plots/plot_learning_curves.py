"""How a training went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_hpa.plots.figure import TRAINING, VALIDATION, new_figure, remove_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TITLES = {"loss": "Loss", "macro_f1": "Macro-F1", "accuracy": "Accuracy"}


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
    figure = new_figure((4.5 * len(metrics), 3.6))
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(metrics))), metrics, strict=True):
        epochs = np.arange(1, len(history[name]) + 1)
        marker = "o" if len(epochs) < 20 else None
        axes.plot(epochs, history[name], color=TRAINING, marker=marker, markersize=3, label="training")
        if f"val_{name}" in history:
            validation = history[f"val_{name}"]
            axes.plot(epochs, validation, color=VALIDATION, marker=marker, markersize=3, label="validation")
        for epoch in 1 + np.flatnonzero(np.diff(history.get("learning_rate", ())) < 0):
            axes.axvline(epoch + 0.5, color="0.7", linestyle=":", linewidth=1, zorder=0)
        axes.set(title=_TITLES.get(name, name), xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        remove_frame(axes)
    return figure
