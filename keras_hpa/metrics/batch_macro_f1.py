"""The report's metric, for comparison with its curves."""

from typing import Any

import keras
from keras import ops

from keras_hpa.losses import label_weights, report_f1


@keras.saving.register_keras_serializable("keras_hpa")
class BatchMacroF1(keras.metrics.Mean):
    """Soft macro-F1 of each batch, averaged over batches: the number in the report's logs, for comparison only.

    It is no estimate of macro-F1. Probabilities are not rounded, and a class that a batch lacks scores 0, so the value
    grows with the batch size: on the real labels of the challenge, in file order, a perfect predictor scores .283 with
    batches of 8, .560 with 32 and .838 with 256. Use `MacroF1` to judge a model.

    Every batch counts the same, as it does for any scalar that Keras averages: a last, short batch too, with more
    absent classes and so a lower score than the others.

    Args:
        name: name of the metric.
        dtype: dtype of the result, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred` (probabilities): `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts
        for nothing. `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Example:
        >>> import keras_hpa
        >>> import numpy as np
        >>> metric = keras_hpa.BatchMacroF1()
        >>> labels = np.eye(4)
        >>> round(float(metric(labels, labels)), 3)  # all four classes in one batch
        1.0
        >>> metric.reset_state()
        >>> for row in labels:
        ...     metric.update_state(row[None], row[None])
        >>> round(float(metric.result()), 3)  # one class per batch
        0.25
    """

    def __init__(self, name: str = "batch_macro_f1", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"  # where Keras's callbacks look

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true = ops.convert_to_tensor(y_true, self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, self.dtype)
        weights = label_weights(y_true, y_pred, sample_weight)
        super().update_state(ops.mean(report_f1(y_true, y_pred, weights)))
