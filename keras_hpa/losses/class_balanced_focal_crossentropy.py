"""Focal cross-entropy that gives rare classes more weight."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_hpa.losses.check_number import LARGEST_GAMMA, check_number
from keras_hpa.losses.class_balanced_crossentropy import ClassBalancedCrossentropy


@keras.saving.register_keras_serializable("keras_hpa")
class ClassBalancedFocalCrossentropy(ClassBalancedCrossentropy):
    """Focal loss, each class weighted by the effective number of its samples.

    Cross-entropy times `(1 - p) ** gamma`, with `p` the probability given to what is true: labels that are already
    right hardly count. Of 28 labels of a sample 26 are absent, and most of them are easy; without the factor they make
    up most of the loss. For the weights of the classes see `ClassBalancedCrossentropy`.

    Args:
        class_counts: the number of training samples of each class; a class with none weighs as much as one with a
            single sample.
        gamma: at least 0; 0 is plain cross-entropy.
        beta: in [0, 1): 0 weighs all classes the same, values close to 1 by one over their counts.
        from_logits: whether predictions are logits rather than probabilities.
        label_smoothing: in [0, 1): labels 0 and 1 become `label_smoothing / 2` and `1 - label_smoothing / 2`. The loss
            is then the mixture of the losses for both labels.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing.
        `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Raises:
        ValueError: if an argument is out of range, or a batch does not have one column per count.

    Example:
        >>> import keras_hpa
        >>> loss = keras_hpa.ClassBalancedFocalCrossentropy(keras_hpa.atlas.CLASS_COUNTS, gamma=2.0)
        >>> len(loss.class_counts)
        28

    References:
        - Lin, Goyal, Girshick, He, Dollár (2017), "Focal Loss for Dense Object Detection".
          https://arxiv.org/abs/1708.02002
        - Cui, Jia, Lin, Song, Belongie (2019), "Class-Balanced Loss Based on Effective Number of Samples".
          https://arxiv.org/abs/1901.05555
    """

    def __init__(
        self,
        class_counts: Sequence[float],
        *,
        gamma: float = 2.0,
        beta: float = 0.999,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "class_balanced_focal_crossentropy",
        dtype: str | None = None,
    ) -> None:
        check_number("gamma", gamma, below=LARGEST_GAMMA)
        super().__init__(
            class_counts, beta=beta, from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype
        )
        self.gamma = gamma

    def terms(self, logits: Any) -> tuple[Any, Any]:
        if_present, if_absent = super().terms(logits)
        # A probability is exp(-cross-entropy); as an exponent it has a gradient where its power would have none.
        return ops.exp(-self.gamma * if_absent) * if_present, ops.exp(-self.gamma * if_present) * if_absent

    def get_config(self) -> dict[str, Any]:
        return {"gamma": self.gamma, **super().get_config()}
