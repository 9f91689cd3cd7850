"""Macro-F1 as something to train with."""

from typing import Any, Literal, get_args

import keras
from keras import ops

from keras_hpa.losses.multi_label_loss import MultiLabelLoss
from keras_hpa.losses.report_f1 import report_f1

_Variant = Literal["smooth", "report"]


@keras.saving.register_keras_serializable("keras_hpa")
class MacroF1Loss(MultiLabelLoss):
    """One minus the soft macro-F1 of a batch: every class counts the same, however rare it is.

    Counts are sums of probabilities, so that F1 has a gradient. The value belongs to a batch: of 28 classes, a
    dozen of them rare, most are absent from a batch of 32, so the treatment of absent classes decides whether the loss
    helps.

    * `"smooth"`: a class scores `(2 TP + 1) / (predicted + present + 1)`, as if there were one more true positive.
      An absent class loses `predicted / (predicted + 1)`: 0 where nothing predicts it, and a gradient that
      lowers false positives. A perfect batch loses exactly 0.
    * `"report"`: the loss of the report's second stage. An absent class scores 0 and has no gradient, so a perfect
      batch still loses its share of absent classes, and nothing keeps a rare class from being predicted everywhere
      until it turns up.

    Use it after a stage with cross-entropy rather than from the start, with batches as large as memory allows. With
    data parallelism on TensorFlow each replica scores its own part of the batch.

    Args:
        variant: `"smooth"` or `"report"`.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing; a
        class without a known label is left out of the mean. `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Raises:
        ValueError: for an unknown `variant`, a `label_smoothing` outside [0, 1), or shapes other than these.

    Example:
        >>> import keras_hpa
        >>> import numpy as np
        >>> perfect = np.array([[1.0, 0.0], [1.0, 0.0]])
        >>> float(keras_hpa.MacroF1Loss()(perfect, perfect))
        0.0
        >>> round(float(keras_hpa.MacroF1Loss("report")(perfect, perfect)), 3)
        0.5

    References:
        - Milletari, Navab, Ahmadi (2016), "V-Net": the soft Dice coefficient, which is F1 of probabilities.
          https://arxiv.org/abs/1606.04797
    """

    def __init__(
        self,
        variant: _Variant = "smooth",
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "macro_f1_loss",
        dtype: str | None = None,
    ) -> None:
        if not isinstance(variant, str) or variant not in get_args(_Variant):
            raise ValueError(f"`variant` must be one of {get_args(_Variant)}. Received: {variant!r}")
        super().__init__(from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype)
        self.variant = variant

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        probabilities = self.probabilities(y_pred)
        if self.variant == "report":
            return 1 - report_f1(y_true, probabilities, weights)
        true_positives = ops.sum(weights * y_true * probabilities, axis=0)
        return 1 - (2 * true_positives + 1) / (ops.sum(weights * (y_true + probabilities), axis=0) + 1)

    def get_config(self) -> dict[str, Any]:
        return {"variant": self.variant, **super().get_config()}
