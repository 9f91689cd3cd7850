"""Every image brought to the range 0 to 1."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class MinMaxNormalization(keras.layers.Layer):
    """Brings the smallest value of each image to 0 and the largest to 1, all channels together.

    The channels of an image share one scale, so how strong they are relative to each other is kept. A single
    bright pixel sets the scale of the whole image: `PercentileNormalization` does not have that weakness. SubCell was
    trained on crops of single cells that were scaled like this.

    Args:
        epsilon: is added to the difference of the largest and the smallest value, in the input's units. An image
            without any contrast becomes 0.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, height, width, channels)`, floats or integers in any unit.

    Output shape:
        The same.

    Raises:
        ValueError: if `epsilon` is not positive and finite.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[[1.0, 7.0], [3.0, 9.0]]]], "float32")  # two pixels of two channels
        >>> [[round(float(value), 3) for value in pixel] for pixel in MinMaxNormalization()(image)[0, 0]]
        [[0.0, 0.75], [0.25, 1.0]]
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < epsilon < math.inf:
            raise ValueError(f"`epsilon` must be positive and finite. Received: {epsilon!r}")
        self.epsilon = epsilon

    def call(self, inputs: Any) -> Any:
        # Half precision has no room for the epsilon.
        x = ops.cast(inputs, "float32")
        smallest = ops.min(x, axis=(1, 2, 3), keepdims=True)
        largest = ops.max(x, axis=(1, 2, 3), keepdims=True)
        return ops.cast((x - smallest) / (largest - smallest + self.epsilon), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"epsilon": self.epsilon}
