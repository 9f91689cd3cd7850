"""The weight of each label in a batch."""

from typing import Any

from keras import ops


def label_weights(y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
    """The weight of every label: that of its sample or its own, and 0 where the label is unknown (-1).

    A label of NaN is not unknown but a mistake: it counts, and what is computed from it is NaN.

    Args:
        y_true: tensor of shape `(batch, num_classes)`: 1 present, 0 absent, -1 unknown.
        y_pred: tensor of the same shape.
        sample_weight: weights of shape `(batch,)` or `(batch, 1)`, one per sample, or `(batch, num_classes)`, one per
            label. The rank decides: a batch as large as the number of classes is never taken for the other.

    Returns:
        A tensor of the shape and dtype of `y_true`.

    Raises:
        ValueError: if a shape is not as above.
    """
    if len(y_true.shape) != 2 or not _agree(y_true.shape, y_pred.shape):
        raise ValueError(
            "`y_true` and `y_pred` must both have shape (batch, num_classes). "
            f"Received: shapes {tuple(y_true.shape)} and {tuple(y_pred.shape)}"
        )
    known = ops.cast(ops.logical_not(y_true < 0), y_true.dtype)
    if sample_weight is None:
        return known
    weights = ops.cast(ops.convert_to_tensor(sample_weight), y_true.dtype)
    received = tuple(weights.shape)
    if len(received) == 1:
        weights = ops.expand_dims(weights, -1)
    if not (_agree(weights.shape, y_true.shape) or _agree(weights.shape, (y_true.shape[0], 1))):
        raise ValueError(
            "`sample_weight` must have shape (batch,), (batch, 1) or (batch, num_classes). "
            f"Received: shape {received} for labels of shape {tuple(y_true.shape)}"
        )
    return known * weights


def _agree(shape: Any, other: Any) -> bool:
    return len(shape) == len(other) and all(a is None or b is None or a == b for a, b in zip(shape, other, strict=True))
