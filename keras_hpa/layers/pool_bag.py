"""From the scores of cells to the score of their image."""

from typing import Any, Literal, get_args

import keras
from keras import ops

_Pooling = Literal["mean", "max", "noisy_or", "log_mean_exp", "attention"]


@keras.saving.register_keras_serializable("keras_hpa")
class PoolBag(keras.layers.Layer):
    """Pools the scores of the cells of an image into one score per class, for images of any number of cells.

    An image is labelled by what some of its cells show, so a network of single cells learns from labels of images
    through this layer. Empty places of a bag count for nothing: result and gradients are those of the bag without them,
    whatever stands there, NaN included. A bag without any cell scores 0, which for logits is a probability of one half.

    Args:
        pooling: `"mean"` of the scores; `"max"`, which only trains the highest cell of a class; `"log_mean_exp"`,
            `log(mean(exp(sharpness * score))) / sharpness`, between the two; `"noisy_or"`, the probability that any
            cell has the class if cells were independent, for probabilities; `"attention"`, a mean weighted by what a
            small gated network sees in the scores of a cell, one weight per cell and class.
        sharpness: of `"log_mean_exp"`: near 0 it is the mean, and the larger it is the nearer to the maximum.
        attention_units: of `"attention"`: the width of its hidden layer.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        Scores `(batch, cells, num_classes)` and the argument `mask`, `(batch, cells)`, true or 1 where there is a cell;
        without `mask` there is one everywhere.

    Output shape:
        `(batch, num_classes)`

    Raises:
        ValueError: if an argument is not as above, or the scores are not of rank 3.

    Example:
        >>> import keras_hpa
        >>> import numpy as np
        >>> scores = np.array([[[0.0, 1.0], [1.0, 0.0], [9.0, 9.0]]], "float32")  # three places, two classes
        >>> np.asarray(keras_hpa.PoolBag("mean")(scores, mask=np.array([[1, 1, 0]]))).tolist()
        [[0.5, 0.5]]

    References:
        Gated attention: Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning, ICML 2018.
    """

    def __init__(
        self, pooling: _Pooling = "mean", *, sharpness: float = 1.0, attention_units: int = 64, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(pooling, str) or pooling not in get_args(_Pooling):
            raise ValueError(f"`pooling` must be one of {get_args(_Pooling)}. Received: {pooling!r}")
        if not 0 < sharpness < float("inf"):
            raise ValueError(f"`sharpness` must be positive and finite. Received: {sharpness!r}")
        if not (isinstance(attention_units, int) and attention_units >= 1):
            raise ValueError(f"`attention_units` must be at least 1. Received: {attention_units!r}")
        self.pooling = pooling
        self.sharpness = sharpness
        self.attention_units = attention_units
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._check(input_shape)
        if self.pooling == "attention":
            classes, units = input_shape[-1], self.attention_units
            self.content = self.add_weight(shape=(classes, units), initializer="glorot_uniform", name="content")
            self.gate = self.add_weight(shape=(classes, units), initializer="glorot_uniform", name="gate")
            self.attention = self.add_weight(shape=(units, classes), initializer="glorot_uniform", name="attention")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        places = ops.ones_like(inputs[..., :1]) if mask is None else ops.expand_dims(ops.cast(mask, inputs.dtype), -1)
        filled = places > 0
        scores = ops.where(filled, inputs, 0)  # so that what stands in empty places has no gradient either
        weights = ops.cast(filled, scores.dtype)
        count = ops.sum(weights, axis=1)
        if self.pooling == "max":
            pooled = ops.max(ops.where(filled, scores, _lowest(scores)), axis=1)
        elif self.pooling == "noisy_or":
            pooled = 1 - ops.prod(1 - scores, axis=1)
        elif self.pooling == "log_mean_exp":
            scaled = self.sharpness * scores
            highest = ops.stop_gradient(ops.max(ops.where(filled, scaled, _lowest(scores)), axis=1, keepdims=True))
            # The exponent of an empty place, which counts for nothing, is kept from overflowing.
            total = ops.sum(weights * ops.exp(ops.where(filled, scaled - highest, 0)), axis=1)
            mean = ops.where(count > 0, total / ops.maximum(count, 1), 1)
            pooled = (ops.log(mean) + ops.squeeze(highest, 1)) / self.sharpness
        else:
            if self.pooling == "attention":
                weights = self._attention(scores, filled)
            total = ops.sum(weights, axis=1)
            pooled = ops.sum(weights * scores, axis=1) / ops.where(total > 0, total, 1)
        return ops.where(count > 0, pooled, 0)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> None:
        return None  # what comes out has no places

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        self._check(input_shape)
        return (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "pooling": self.pooling,
            "sharpness": self.sharpness,
            "attention_units": self.attention_units,
        }

    def _attention(self, scores: Any, filled: Any) -> Any:
        hidden = ops.tanh(ops.matmul(scores, self.content)) * ops.sigmoid(ops.matmul(scores, self.gate))
        logits = ops.matmul(hidden, self.attention)
        highest = ops.max(ops.where(filled, logits, _lowest(logits)), axis=1, keepdims=True)
        return ops.where(filled, ops.exp(ops.where(filled, logits - ops.stop_gradient(highest), 0)), 0)

    def _check(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 3:
            raise ValueError(
                f"The input of layer {self.name!r} must have shape (batch, cells, num_classes). "
                f"Received: shape {tuple(input_shape)}"
            )


def _lowest(scores: Any) -> float:
    return -6e4 if keras.backend.standardize_dtype(scores.dtype) == "float16" else -1e30
