"""The soft F1 that the report measured and trained with."""

from typing import Any

import keras
from keras import ops


def report_f1(y_true: Any, y_pred: Any, weights: Any) -> Any:
    """F1 of every class over one batch from unrounded probabilities, 0 for a class that the batch lacks.

    Args:
        y_true: labels of shape `(batch, num_classes)`.
        y_pred: probabilities of the same shape.
        weights: what each label counts, of the same shape.

    Returns:
        A tensor of shape `(num_classes,)`.
    """
    epsilon = keras.config.epsilon()
    true_positives = ops.sum(weights * y_true * y_pred, axis=0)
    precision = true_positives / (ops.sum(weights * y_pred, axis=0) + epsilon)
    recall = true_positives / (ops.sum(weights * y_true, axis=0) + epsilon)
    return 2 * precision * recall / (precision + recall + epsilon)
