"""BatchNormalization whose moving statistics follow the training from the first step."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class WarmUpBatchNormalization(keras.layers.BatchNormalization):
    """BatchNormalization whose momentum grows with the number of updates, up to `momentum`.

    Keras's layer keeps 0.99 of its moving mean and variance at every step, so for hundreds of steps `predict` and
    `evaluate` use what it was initialised with, and validation stands still while the training improves. Here update
    `n`, counted from 0, keeps `min(momentum, (1 + n) / (10 + n))`: the statistics are those of about the last ninth of
    the training, until `momentum` is reached (after 890 updates at 0.99). In training the two layers compute the same.

    Args:
        axis: the axis of the channels.
        momentum: the largest momentum, at least 0 and below 1.
        **kwargs: what `keras.layers.BatchNormalization` takes, but `renorm`.

    Input shape:
        Any; images are `(batch, height, width, channels)`.

    Output shape:
        The same.

    Raises:
        ValueError: if `momentum` is out of range, or `renorm` is asked for.

    Example:
        >>> norm = WarmUpBatchNormalization()
        >>> for step in range(30):
        ...     outputs = norm(keras.ops.array([[7.0], [9.0]]), training=True)
        >>> round(float(norm.moving_mean[0]), 3)  # Keras's own would be at 2.082
        8.0

    References:
        The ramp is the one of `ExponentialMovingAverage(num_updates=...)` in TensorFlow 1.
    """

    batch_norm_at_inference = True

    def __init__(self, axis: int = -1, momentum: float = 0.99, **kwargs: Any) -> None:
        super().__init__(axis=axis, momentum=momentum, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be at least 0 and below 1. Received: {momentum!r}")
        if getattr(self, "renorm", False):
            raise ValueError("`renorm` must be False: its statistics do not warm up. Received: True")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.updates = self.add_weight(
            shape=(), initializer="zeros", dtype="float32", trainable=False, autocast=False, name="updates"
        )

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        statistics = self.moving_mean, self.moving_variance
        before = [ops.copy(weight) for weight in statistics]
        outputs = super().call(inputs, training=True, mask=mask)
        # Keras moved them by 1 - momentum of the way to the batch's statistics; they have further to go.
        momentum = ops.minimum(self.momentum, (1 + self.updates) / (10 + self.updates))
        further = (1 - momentum) / (1 - self.momentum)
        for weight, old in zip(statistics, before, strict=True):
            weight.assign(old + ops.cast(further, weight.dtype) * (weight - old))
        self.updates.assign(self.updates + 1)
        return outputs
