"""The base class of losses for several labels per sample."""

from typing import Any

import keras
from keras import ops

from keras_hpa.losses.check_number import check_number
from keras_hpa.losses.label_weights import label_weights


class MultiLabelLoss(keras.losses.Loss):
    """A loss that leaves unknown labels out and takes weights per sample or per label.

    A subclass writes `weighted_values`; the loss is their mean over the known labels, or over the classes that have
    any. There is no `reduction`: a loss such as macro-F1 is a property of the batch and has no value per sample. Labels
    of the cells of bags, `(batch, cells, num_classes)`, are those of so many samples.

    Args:
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`.
        name: name of the loss.
        dtype: dtype of the computation.
    """

    def __init__(
        self,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        check_number("label_smoothing", label_smoothing, below=1)
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true = ops.convert_to_tensor(y_true, self.dtype)
        y_pred = ops.convert_to_tensor(y_pred, self.dtype)
        if sample_weight is None and len(y_true.shape) == len(y_pred.shape) == 3:  # the cells of bags
            y_true, y_pred = (ops.reshape(one, (-1, one.shape[-1])) for one in (y_true, y_pred))
        # Keras applies weights only after a loss has averaged over its classes, so they are passed with the labels.
        return super().__call__((y_true, label_weights(y_true, y_pred, sample_weight)), y_pred)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, weights = y_true if isinstance(y_true, tuple) else (y_true, label_weights(y_true, y_pred))
        known = ops.logical_not(y_true < 0)
        labels = ops.where(known, y_true, 0) * (1 - self.label_smoothing) + self.label_smoothing / 2
        values = self.weighted_values(labels, y_pred, weights)
        if len(values.shape) == 1:
            known = ops.any(known, axis=0)
        # The mean that Keras takes next is to be one over what is known.
        return ops.divide_no_nan(ops.where(known, values, 0), ops.mean(ops.cast(known, values.dtype)))

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        """The weighted values whose mean is the loss: one per label, `(batch, num_classes)`, or one per class."""
        raise NotImplementedError

    def probabilities(self, y_pred: Any) -> Any:
        """Predictions as probabilities."""
        return ops.sigmoid(y_pred) if self.from_logits else y_pred

    def logits(self, y_pred: Any) -> Any:
        """Predictions as logits; probabilities are first clipped to where a logit is finite."""
        if self.from_logits:
            return y_pred
        epsilon = keras.config.epsilon()
        clipped = ops.clip(y_pred, epsilon, 1 - epsilon)
        return ops.log(clipped) - ops.log1p(-clipped)

    def get_config(self) -> dict[str, Any]:
        return {
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "name": self.name,
            "dtype": self.dtype,
        }
