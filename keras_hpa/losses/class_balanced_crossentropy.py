"""Cross-entropy that gives rare classes more weight."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.floats import as_floats
from keras_hpa.losses.binary_crossentropy import BinaryCrossentropy
from keras_hpa.losses.check_number import check_number


@keras.saving.register_keras_serializable("keras_hpa")
class ClassBalancedCrossentropy(BinaryCrossentropy):
    """Binary cross-entropy, each class weighted by the effective number of its samples.

    The second thousand samples of a class teach less than the first. With `n` samples seen, the effective number is
    `(1 - beta ** n) / (1 - beta)`, and a class weighs one over that: with `beta=0.999` all classes with some thousand
    samples weigh about the same, and one with 11 about ninety times as much. The weights of all classes sum to their
    number.

    The weight applies to the whole column of the class, to present and to absent labels, so the ratio of the two and
    the meaning of a probability do not change.

    Args:
        class_counts: the number of training samples of each class, such as `labels.sum(axis=0)`; a class with none
            weighs as much as one with a single sample.
        beta: in [0, 1): 0 weighs all classes the same, values close to 1 by one over their counts.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing.
        `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Raises:
        ValueError: if an argument is out of range, or a batch does not have one column per count.

    Example:
        >>> import keras_hpa
        >>> loss = keras_hpa.ClassBalancedCrossentropy([10_000, 10])
        >>> frequent_missed, rare_missed = loss([[1, 1]], [[0.5, 1.0]]), loss([[1, 1]], [[1.0, 0.5]])
        >>> round(float(rare_missed / frequent_missed))
        100

    References:
        - Cui, Jia, Lin, Song, Belongie (2019), "Class-Balanced Loss Based on Effective Number of Samples".
          https://arxiv.org/abs/1901.05555
    """

    def __init__(
        self,
        class_counts: Sequence[float],
        *,
        beta: float = 0.999,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "class_balanced_crossentropy",
        dtype: str | None = None,
    ) -> None:
        counts = as_floats(class_counts)
        if counts.ndim != 1 or not counts.size or not (np.isfinite(counts) & (counts >= 0)).all():
            raise ValueError(f"`class_counts` must hold one number of at least 0 per class. Received: {class_counts!r}")
        check_number("beta", beta, below=1)
        super().__init__(from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype)
        self.class_counts = counts.tolist()
        self.beta = beta

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        if y_pred.shape[-1] != len(self.class_counts):
            raise ValueError(
                f"`y_pred` must have {len(self.class_counts)} classes, one for each of `class_counts`. "
                f"Received: shape {tuple(y_pred.shape)}"
            )
        class_weights = ops.convert_to_tensor(_class_weights(self.class_counts, self.beta), self.dtype)
        return super().weighted_values(y_true, y_pred, weights * class_weights)

    def get_config(self) -> dict[str, Any]:
        return {"class_counts": list(self.class_counts), "beta": self.beta, **super().get_config()}


def _class_weights(class_counts: Sequence[float], beta: float) -> Any:
    weights = (1 - beta) / (1 - beta ** np.maximum(class_counts, 1))
    return weights * len(weights) / weights.sum()
