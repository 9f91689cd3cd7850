"""The entrance of every builder: float images, or integers that the model scales itself."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np

from keras_hpa.layers import ScaleIntegers, is_integer


def image_input(
    input_shape: tuple[int | None, int | None, int], input_dtype: str, max_value: float | None
) -> tuple[Any, Any]:
    """The input tensor `image` and, for integers, the same scaled to 0 to 1 by a layer named `scale`."""
    sides = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    whole = all(isinstance(side, Integral) and side > 0 for side in sides if side is not None)
    if len(sides) != 3 or sides[2] is None or not whole:
        raise ValueError(
            "`input_shape` must be (height, width, channels), whole numbers; height and width may be None. "
            f"Received: {input_shape!r}"
        )
    inputs = keras.Input(sides, dtype=input_dtype, name="image")
    if is_integer(keras.backend.standardize_dtype(input_dtype)):
        largest = int(np.iinfo(input_dtype).max) if max_value is None else max_value
        return inputs, ScaleIntegers(largest, name="scale")(inputs)
    if max_value is not None:
        raise ValueError(
            f"`max_value` scales integers; leave it out where `input_dtype` is {input_dtype!r}. Received: {max_value!r}"
        )
    return inputs, inputs


def check_num_classes(num_classes: int) -> None:
    """Raises an error unless `num_classes` is a whole number of at least 1."""
    if not isinstance(num_classes, Integral) or num_classes < 1:
        raise ValueError(f"`num_classes` must be a whole number of at least 1. Received: {num_classes!r}")
