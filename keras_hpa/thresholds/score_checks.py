"""What a calibrator is given, checked; an error about scores or labels names the class and the row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.labels import is_missing


def check_scores(
    y_score: npt.ArrayLike, *, from_logits: bool = False, class_names: Sequence[str] | None = None
) -> npt.NDArray[np.floating]:
    """Returns scores as float32 or float64 of shape `(num_samples, num_classes)`.

    Args:
        y_score: one score per sample and class.
        from_logits: whether the scores are logits; otherwise they must lie in [0, 1].
        class_names: the names of the columns, for error messages.

    Raises:
        ValueError: if the shape is not that of a matrix, or a score is NaN, infinite, or outside [0, 1].
    """
    if isinstance(y_score, np.ma.MaskedArray) and np.ma.is_masked(y_score):
        raise ValueError("`y_score` must not be masked; a label that is unknown is -1. Received: a masked array")
    scores = as_numbers("y_score", y_score)
    if scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"`y_score` must have shape (num_samples, num_classes). Received: shape {scores.shape}")
    if class_names is not None and len(class_names) != scores.shape[1]:
        raise ValueError(
            f"`y_score` must have one column for each of the {len(class_names)} `class_names`. "
            f"Received: shape {scores.shape}"
        )
    if scores.dtype not in (np.float32, np.float64):
        scores = scores.astype(np.float64 if scores.dtype.kind in "iub" else np.float32)
    # One pass says whether there is anything to look for: NaN fails every comparison.
    low, high = (-np.finfo(scores.dtype).max, np.finfo(scores.dtype).max) if from_logits else (0, 1)
    if not (scores.min() >= low and scores.max() <= high):
        row, column = np.argwhere(~((scores >= low) & (scores <= high)))[0]
        expected = "finite, neither NaN nor infinite," if from_logits else "in [0, 1] unless `from_logits=True`"
        raise ValueError(
            f"`y_score` must be {expected}. Received: {scores[row, column]} "
            f"in row {row}, {_class_name(column, class_names)}"
        )
    return scores


def check_labels(
    y_true: npt.ArrayLike, scores: npt.NDArray[np.floating], *, class_names: Sequence[str] | None = None
) -> npt.NDArray[np.int8]:
    """Returns labels as int8: 1 present, 0 absent, -1 unknown.

    Args:
        y_true: one label per sample and class; what a masked array masks is unknown.
        scores: the scores that they belong to, to compare shapes and to see whether the two were swapped.
        class_names: the names of the columns, for error messages.

    Raises:
        ValueError: if the shape differs from that of the scores or a label is not 0, 1 or -1.
    """
    if y_true is None:
        raise ValueError(
            "`y_true` must be given: `fit` requires y to be passed, but the target y is None. Received: None"
        )
    if isinstance(y_true, np.ma.MaskedArray):
        y_true = np.where(np.ma.getmaskarray(y_true), -1.0, y_true.data)
    labels = as_numbers("y_true", y_true)
    is_label = labels == 1
    is_label |= labels == 0
    is_label |= labels == -1
    if not is_label.all() and np.isin(scores, (-1, 0, 1)).all():
        raise ValueError(
            "`y_score` comes first and `y_true` second; they look swapped: the first holds only 0, 1 and -1, the "
            f"second does not. Received: `y_true` with {labels[~is_label][0]}"
        )
    if labels.shape != scores.shape:
        raise ValueError(f"`y_true` must have the shape of `y_score`, {scores.shape}. Received: shape {labels.shape}")
    if not is_label.all():
        row, column = np.argwhere(~is_label)[0]
        raise ValueError(
            "`y_true` must hold 0, 1, or -1 for an unknown label. "
            f"Received: {labels[row, column]} in row {row}, {_class_name(column, class_names)}"
        )
    return labels.astype(np.int8)


def check_weights(sample_weight: npt.ArrayLike | None, num_samples: int) -> npt.NDArray[np.float64] | None:
    """Returns one weight per sample as float64, or `None` for equal weights.

    Raises:
        ValueError: if the shape is not `(num_samples,)` or a weight is negative, NaN or infinite.
    """
    if sample_weight is None:
        return None
    if np.ma.is_masked(sample_weight):
        raise ValueError("`sample_weight` must not be masked; what counts for nothing is 0. Received: a masked array")
    weights = as_numbers("sample_weight", sample_weight).astype(np.float64)
    if weights.shape != (num_samples,):
        raise ValueError(f"`sample_weight` must have shape ({num_samples},). Received: shape {weights.shape}")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = np.flatnonzero(wrong)[0]
        raise ValueError(f"`sample_weight` must be finite and not negative. Received: {weights[row]} in row {row}")
    with np.errstate(over="ignore"):
        total = weights.sum()
    if not 0 < total < 1e100:
        raise ValueError(f"`sample_weight` must have a sum above zero and below 1e100. Received: a sum of {total}")
    return weights


def as_numbers(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Returns values as an array of numbers, those of a table whose columns have several types too.

    Raises:
        TypeError: if they are sparse, or one is no number.
    """
    if hasattr(values, "toarray"):
        raise TypeError(f"`{name}` must be dense; sparse input is not supported. Received: {type(values).__name__}")
    try:
        array = np.asarray(values)
        if array.dtype == object:
            known = [np.nan if is_missing(value) else value for value in array.ravel()]
            array = np.array(known, np.float64).reshape(array.shape)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must hold numbers. Received: {error}") from error
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise TypeError(f"`{name}` must hold numbers. Received: dtype {array.dtype}")
    return array


def _class_name(column: int, class_names: Sequence[str] | None) -> str:
    return f"class {column}" if class_names is None else f"class {column} ({class_names[column]})"
