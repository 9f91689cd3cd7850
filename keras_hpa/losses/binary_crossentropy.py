"""Binary cross-entropy that knows unknown labels."""

from typing import Any

import keras
from keras import ops

from keras_hpa.losses.multi_label_loss import MultiLabelLoss


@keras.saving.register_keras_serializable("keras_hpa")
class BinaryCrossentropy(MultiLabelLoss):
    """Binary cross-entropy over the known labels; a label of -1 counts for nothing.

    Keras's `"binary_crossentropy"` takes -1 as a number: each unknown label then has a large loss and a gradient in the
    wrong direction. Where all labels are known the two are equal.

    Args:
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown. `sample_weight`: `(batch,)`
        or `(batch, num_classes)`.

    Raises:
        ValueError: for a `label_smoothing` outside [0, 1), or shapes other than these.

    Example:
        >>> import keras_hpa
        >>> loss = keras_hpa.BinaryCrossentropy()
        >>> round(float(loss([[1.0, -1.0]], [[0.5, 0.99]])), 3)
        0.693
    """

    def __init__(
        self,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "binary_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype)

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        if_present, if_absent = self.terms(self.logits(y_pred))
        return weights * (y_true * if_present + (1 - y_true) * if_absent)

    def terms(self, logits: Any) -> tuple[Any, Any]:
        """The loss of each prediction if the label is present, and if it is absent."""
        return ops.softplus(-logits), ops.softplus(logits)
