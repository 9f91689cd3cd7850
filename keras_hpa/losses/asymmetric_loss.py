"""The asymmetric loss for multi-label classification."""

from typing import Any

import keras
from keras import ops

from keras_hpa.losses.check_number import LARGEST_GAMMA, check_number
from keras_hpa.losses.multi_label_loss import MultiLabelLoss


@keras.saving.register_keras_serializable("keras_hpa")
class AsymmetricLoss(MultiLabelLoss):
    """Focal loss that weighs easy negatives less than easy positives and ignores the easiest.

    Of 28 labels of a sample 26 are absent. A present label costs `-(1 - p) ** gamma_positive * log(p)`, an absent one
    `-q ** gamma_negative * log(1 - q)` with `q = max(p - margin, 0)`: what is predicted below `margin` costs nothing,
    which also tolerates labels that an annotator forgot. Probabilities are too high, so fit thresholds afterwards.

    With `margin=0` and both exponents equal it is the focal loss, with both 0 binary cross-entropy. The value is the
    mean over labels (the authors' code sums them).

    Args:
        gamma_negative: exponent for absent labels, at least 0.
        gamma_positive: exponent for present labels, at least 0.
        margin: in [0, 1): probability below which an absent label costs nothing.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`. The loss
            is then the mixture of the losses for both labels.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing.
        `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Raises:
        ValueError: if an argument is out of range, or a batch has another shape.

    Example:
        >>> import keras_hpa
        >>> loss = keras_hpa.AsymmetricLoss()
        >>> float(loss([[0.0]], [[0.5]])) < 0.1 < float(loss([[1.0]], [[0.5]]))
        True

    References:
        - Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor (2021), "Asymmetric Loss For Multi-Label
          Classification". https://arxiv.org/abs/2009.14119
    """

    def __init__(
        self,
        *,
        gamma_negative: float = 4.0,
        gamma_positive: float = 1.0,
        margin: float = 0.05,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "asymmetric_loss",
        dtype: str | None = None,
    ) -> None:
        check_number("gamma_negative", gamma_negative, below=LARGEST_GAMMA)
        check_number("gamma_positive", gamma_positive, below=LARGEST_GAMMA)
        check_number("margin", margin, below=1)
        super().__init__(from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype)
        self.gamma_negative = gamma_negative
        self.gamma_positive = gamma_positive
        self.margin = margin

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        logits = self.logits(y_pred)
        present, absent = ops.softplus(-logits), ops.softplus(logits)
        if_present = ops.exp(-self.gamma_positive * absent) * present
        if self.margin:
            # Not quite 0, where a power below 1 has no gradient.
            shifted = ops.maximum(ops.sigmoid(logits) - self.margin, keras.config.epsilon())
            if_absent = -ops.power(shifted, self.gamma_negative) * ops.log1p(-shifted)
        else:
            if_absent = ops.exp(-self.gamma_negative * present) * absent
        return weights * (y_true * if_present + (1 - y_true) * if_absent)

    def get_config(self) -> dict[str, Any]:
        return {
            "gamma_negative": self.gamma_negative,
            "gamma_positive": self.gamma_positive,
            "margin": self.margin,
            **super().get_config(),
        }
