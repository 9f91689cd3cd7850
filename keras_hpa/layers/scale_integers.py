"""Integer pixels to numbers from 0 to 1, inside the model."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class ScaleIntegers(keras.layers.Layer):
    """Divides integer pixels by the largest value of their type, so that images travel to the model as they were read.

    A batch of bytes is four times smaller than the same batch of floats. Put this layer behind an integer input
    (`keras.Input(shape, dtype="uint8")`) and give it images in the file's own type. Floats pass unchanged: they are
    taken to be scaled already.

    Args:
        max_value: the value that becomes 1, for images that do not use the whole range of their type (4095 for 12 bits
            kept in 16). `None` takes the maximum of the input's dtype: 255 for uint8, 65535 for uint16. Signed
            integers have no such maximum and need one given; under Torch, Keras turns uint16 into int32, so give it.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        Any.

    Output shape:
        The same, in the layer's compute dtype.

    Raises:
        ValueError: if `max_value` is not positive and finite, or missing for signed integers.

    Example:
        >>> pixels = np.array([[0, 51, 255]], "uint8")
        >>> [round(float(value), 3) for value in ScaleIntegers()(pixels)[0]]
        [0.0, 0.2, 1.0]
    """

    def __init__(self, max_value: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_value is not None and not 0 < max_value < math.inf:
            raise ValueError(f"`max_value` must be positive and finite, or None. Received: {max_value!r}")
        self.max_value = max_value

    def call(self, inputs: Any) -> Any:
        return scale_integers(inputs, self.compute_dtype, self.max_value)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"max_value": None if self.max_value is None else float(self.max_value)}


def scale_integers(inputs: Any, dtype: str, max_value: float | None = None) -> Any:
    """Integers divided by `max_value` or the maximum of their type, as `dtype`; floats only cast."""
    input_dtype = keras.backend.standardize_dtype(inputs.dtype)
    if not is_integer(input_dtype):
        return ops.cast(inputs, dtype)
    if max_value is None and not input_dtype.startswith("uint"):
        raise ValueError(
            "Signed integers need a `max_value`, the value that becomes 1 (layer `ScaleIntegers` takes it); "
            f"Keras may turn uint16 into int32. Received: pixels of dtype {input_dtype}"
        )
    # Not in half precision: 65535 is more than float16 holds.
    wide = ops.cast(inputs, "float32")
    return ops.cast(wide * (1.0 / (max_value or np.iinfo(input_dtype).max)), dtype)


def is_integer(dtype: str) -> bool:
    """Whether a standardised dtype name is that of an integer."""
    return dtype.startswith(("int", "uint"))
