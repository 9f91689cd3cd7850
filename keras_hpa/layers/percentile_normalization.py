"""Every channel stretched between two of its own percentiles."""

import math
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class PercentileNormalization(keras.layers.Layer):
    """Maps a low percentile of each channel of each image to 0 and a high one to 1.

    A few hot pixels decide a stretch between minimum and maximum; percentiles ignore them. Like every stretch per
    image it removes the information how strong a stain is.

    Args:
        low: the percentile that becomes 0, 0 to 100.
        high: the percentile that becomes 1, above `low`.
        clip: whether values beyond the percentiles are cut off at 0 and 1.
        epsilon: the smallest range that is divided by, in the input's units.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, height, width, channels)`, floats or integers in any unit.

    Output shape:
        The same.

    Raises:
        ValueError: if the percentiles are out of range or order, or `epsilon` is not positive and
            finite.

    Example:
        >>> import numpy as np
        >>> image = np.arange(101, dtype="float32").reshape(1, 1, 101, 1)
        >>> stretched = PercentileNormalization(10, 60)(image)
        >>> [round(float(stretched[0, 0, pixel, 0]), 3) for pixel in (0, 10, 35, 100)]
        [0.0, 0.0, 0.5, 1.0]
    """

    def __init__(
        self, low: float = 0.1, high: float = 99.9, clip: bool = True, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= low < high <= 100:
            raise ValueError(f"`low` and `high` must be percentiles, 0 <= low < high <= 100. Received: {low}, {high}")
        if not 0 < epsilon < math.inf:
            raise ValueError(f"`epsilon` must be positive and finite. Received: {epsilon!r}")
        self.low = low
        self.high = high
        self.clip = clip
        self.epsilon = epsilon

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32")
        low, high = -_from_the_top(-x, self.low / 100), _from_the_top(x, 1 - self.high / 100)
        x = (x - low) / ops.maximum(high - low, self.epsilon)
        return ops.cast(ops.clip(x, 0.0, 1.0) if self.clip else x, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        arguments = {"low": self.low, "high": self.high, "clip": self.clip, "epsilon": self.epsilon}
        return super().get_config() | arguments


def _from_the_top(x: Any, share: float) -> Any:
    """The value of each channel that so large a share of its pixels exceeds, between two pixels by a straight line.

    `ops.quantile` sorts all pixels, and counts in float64, for which LiteRT has no operations.
    """
    _, height, width, channels = ops.shape(x)
    pixels = height * width
    if isinstance(pixels, int):
        position = share * (pixels - 1)
        first, fraction = int(position), position % 1
        count = min(first + 2, pixels)
    else:  # counted from the nearer end, as the percentiles of a stretch are, float32 is exact enough
        position = share * ops.cast(pixels - 1, "float32")
        first, fraction = ops.cast(ops.floor(position), "int32"), position - ops.floor(position)
        count = ops.minimum(first + 2, pixels)
    values = ops.transpose(ops.reshape(x, (-1, pixels, channels)), (0, 2, 1))
    largest, _ = ops.top_k(values, count)
    above, below = ops.take(largest, first, axis=-1), largest[..., -1]
    return ops.expand_dims(above * (1 - fraction) + below * fraction, (1, 2))
