"""Scores and decisions as columns of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.labels import check_class_names, format_labels


def prediction_columns(
    samples: Any,
    scores: npt.ArrayLike,
    decide: Any,
    *,
    class_names: Sequence[str] | None = None,
    separator: str = ";",
    no_class: str = "",
) -> dict[str, list[Any]]:
    """Gives a column of ids, those of the metadata, the names of the classes, and score, decision and margin per class.

    Args:
        samples: the samples, or any source, or a list of ids.
        scores: a matrix of shape `(num_samples, num_classes)`.
        decide: a fitted calibrator, whose margins are differences of log-odds; or "argmax", where a sample has one
            class, whose margin is the difference from the best other score.
        class_names: the names of the classes; those of `samples`, or of the calibrator, unless given.
        separator: what stands between two names.
        no_class: what stands in place of names where no class is decided on.

    Raises:
        ValueError: if the numbers of samples, scores and names differ, or a score is not finite.
    """
    ids = list(getattr(samples, "ids", samples))
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim != 2 or len(matrix) != len(ids) or not matrix.shape[1]:
        raise ValueError(f"`scores` must have shape ({len(ids)}, num_classes). Received: shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise ValueError(f"`scores` must be finite. Received: {matrix[~np.isfinite(matrix)][0]}")
    for source in (samples, decide):
        class_names = getattr(source, "class_names", None) if class_names is None else class_names
    names = list(map(str, range(matrix.shape[1]))) if class_names is None else list(check_class_names(class_names))
    if len(names) != matrix.shape[1]:
        raise ValueError(f"`class_names` must be {matrix.shape[1]}, one per column of `scores`. Received: {names}")
    if isinstance(decide, str):
        if decide != "argmax":
            raise ValueError(f"`decide` must be a fitted calibrator or 'argmax'. Received: {decide!r}")
        decisions, margins = _largest(matrix)
    else:
        decisions, margins = np.asarray(decide.predict(scores)), np.asarray(decide.transform(scores))
    columns: dict[str, list[Any]] = {"id": ids}
    texts = [text or no_class for text in format_labels(decisions, separator, class_names=names)]
    known = [*getattr(samples, "metadata", {}).items(), ("labels", texts)]
    for kind, values in (("score", matrix), ("decision", decisions.astype(int)), ("margin", margins)):
        known += [(f"{kind} {name}", values[:, number].tolist()) for number, name in enumerate(names)]
    for name, cells in known:
        if name in columns:
            raise ValueError(f"`samples.metadata` must not have columns of the table's own names. Received: {name!r}")
        columns[name] = list(cells)
    return columns


def _largest(scores: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """For each sample its best class, and how far each score is from the best of the others."""
    decisions = np.zeros(scores.shape, int)
    decisions[np.arange(len(scores)), scores.argmax(axis=1)] = 1
    if scores.shape[1] == 1:
        return decisions, scores
    ordered = np.sort(scores, axis=1)
    others = np.where(decisions == 1, ordered[:, -2:-1], ordered[:, -1:])
    return decisions, scores - others
