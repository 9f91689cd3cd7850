"""Every image brought to mean 0 and standard deviation 1."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class ImageStandardization(keras.layers.Layer):
    """Subtracts each image's mean and divides by its standard deviation, so that exposure no longer matters.

    Slides differ in staining and exposure. Standardising each channel of each image takes that away, and with it the
    information how strong a stain is; `per_channel=False` keeps how strong the channels are relative to each other.
    To use one mean and deviation for the whole data set, take `keras.layers.Normalization` and its `adapt`.

    Args:
        per_channel: whether every channel has its own mean and deviation, or all channels of an image share them.
        epsilon: the smallest deviation that is divided by, in the input's units. An image, or channel, without any
            contrast becomes 0.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, height, width, channels)`, floats or integers in any unit.

    Output shape:
        The same.

    Raises:
        ValueError: if `epsilon` is not positive and finite.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[[1.0, 7.0], [3.0, 7.0]]]], "float32")  # two pixels of two channels
        >>> [[round(float(value), 3) for value in pixel] for pixel in ImageStandardization()(image)[0, 0]]
        [[-1.0, 0.0], [1.0, 0.0]]
    """

    def __init__(self, per_channel: bool = True, epsilon: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < epsilon < math.inf:
            raise ValueError(f"`epsilon` must be positive and finite. Received: {epsilon!r}")
        self.per_channel = per_channel
        self.epsilon = epsilon

    def call(self, inputs: Any) -> Any:
        # Sums over a whole image do not fit into half precision.
        x = ops.cast(inputs, "float32")
        x = x - self._mean(x)
        deviation = ops.sqrt(self._mean(ops.square(x)))
        return ops.cast(x / ops.maximum(deviation, self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"per_channel": self.per_channel, "epsilon": self.epsilon}

    def _mean(self, x: Any) -> Any:
        # Axis by axis: some backends add up a whole image in one float32, at a loss of three digits.
        for axis in (2, 1) if self.per_channel else (2, 1, 3):
            x = ops.mean(x, axis=axis, keepdims=True)
        return x
