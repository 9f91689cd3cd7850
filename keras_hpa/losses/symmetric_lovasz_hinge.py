"""The Lovász hinge, for present and for absent labels."""

from typing import Any

import keras
from keras import ops

from keras_hpa.losses.multi_label_loss import MultiLabelLoss


@keras.saving.register_keras_serializable("keras_hpa")
class SymmetricLovaszHinge(MultiLabelLoss):
    """A convex surrogate of the Jaccard index of each class over a batch.

    F1 is `2 J / (1 + J)` of the Jaccard index J, so what raises one raises the other. The Lovász hinge sorts the
    margin errors of a class over the batch and weighs each by its effect on J, so an error in a rare class costs more.
    The loss is the mean of the hinge for the present labels and, with signs reversed, for the absent ones. A class that
    the batch lacks still gets a gradient: from all samples through the absent labels, and from the worst false positive
    through the present ones. Winners of the Human Protein Atlas challenge combined it with a cross-entropy.

    Like `MacroF1Loss` it belongs to a batch: with data parallelism on TensorFlow each replica scores its own part.

    Args:
        from_logits: whether predictions are logits. Probabilities are turned into logits, which cannot distinguish
            scores within 1e-7 of 0 or 1: prefer logits.
        label_smoothing: in [0, 1): each sample counts as `1 - label_smoothing / 2` of a sample with its label and as
            `label_smoothing / 2` of one with the opposite label.
        name: name of the loss.
        dtype: dtype of the computation, float32 unless Keras's `floatx` was changed.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing; a
        class without a known label is left out of the mean. `sample_weight`: `(batch,)` or `(batch, num_classes)`.

    Raises:
        ValueError: for a `label_smoothing` outside [0, 1), or shapes other than these.

    Example:
        >>> import keras_hpa
        >>> loss = keras_hpa.SymmetricLovaszHinge(from_logits=True)
        >>> labels = [[1.0], [0.0], [0.0]]
        >>> float(loss(labels, [[1.0], [-1.0], [-1.0]]))  # every label right, with a margin of 1
        0.0
        >>> float(loss(labels, [[1.0], [0.0], [-1.0]]))  # J of the present loses 1 / 2, J of the absent 1 / 2
        0.5

    References:
        - Berman, Rannen Triki, Blaschko (2018), "The Lovász-Softmax loss". https://arxiv.org/abs/1705.08790
        - Yu, Blaschko (2015), "Learning Submodular Losses with the Lovász Hinge".
          https://proceedings.mlr.press/v37/yub15.html
    """

    def __init__(
        self,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str = "symmetric_lovasz_hinge",
        dtype: str | None = None,
    ) -> None:
        super().__init__(from_logits=from_logits, label_smoothing=label_smoothing, name=name, dtype=dtype)

    def weighted_values(self, y_true: Any, y_pred: Any, weights: Any) -> Any:
        logits = self.logits(y_pred)
        nothing = ops.zeros_like(logits)
        # A softened label stands twice, as present and as absent, each with its share of the weight.
        errors = ops.concatenate([1 - logits, 1 + logits])
        present = ops.concatenate([weights * y_true, nothing])
        absent = ops.concatenate([nothing, weights * (1 - y_true)])

        order = ops.argsort(-errors, axis=0)
        errors, present, absent = (ops.take_along_axis(part, order, axis=0) for part in (errors, present, absent))
        costs = (_jaccard_losses(present, absent) + _jaccard_losses(absent, present)) / 2
        return ops.sum(ops.relu(errors) * costs, axis=0)


def _jaccard_losses(inside: Any, outside: Any) -> Any:
    """What the Jaccard index of the set `inside` loses by each row, if all rows before it are wrong already."""
    total = ops.sum(inside, axis=0)
    intersection = total - ops.cumsum(inside, axis=0)
    union = total + ops.cumsum(outside, axis=0)
    lost = ops.where(union > 0, 1 - intersection / ops.where(union > 0, union, 1), 0)
    return lost - ops.concatenate([ops.zeros_like(lost[:1]), lost[:-1]])
