"""The entrance of every builder: float images, or integers that the model scales itself."""

from typing import Any

import keras
import numpy as np

from keras_hpa.layers import ScaleIntegers, is_integer


def image_input(
    input_shape: tuple[int | None, int | None, int], input_dtype: str, max_value: float | None
) -> tuple[Any, Any]:
    """The input tensor `image` and, for integers, the same scaled to 0 to 1 by a layer named `scale`."""
    if len(input_shape) != 3 or input_shape[2] is None:
        raise ValueError(f"`input_shape` must be (height, width, channels). Received: {input_shape!r}")
    inputs = keras.Input(tuple(input_shape), dtype=input_dtype, name="image")
    if is_integer(keras.backend.standardize_dtype(input_dtype)):
        largest = int(np.iinfo(input_dtype).max) if max_value is None else max_value
        return inputs, ScaleIntegers(largest, name="scale")(inputs)
    if max_value is not None:
        raise ValueError(
            f"`max_value` scales integers; leave it out where `input_dtype` is {input_dtype!r}. Received: {max_value!r}"
        )
    return inputs, inputs
