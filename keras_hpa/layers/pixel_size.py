"""The physical scale that a model was trained at, kept in the model."""

import math
from typing import Any

import keras


@keras.saving.register_keras_serializable("keras_hpa")
class PixelSize(keras.layers.Layer):
    """Records how many micrometres a pixel of the model's images spans; the images pass unchanged.

    A network knows cells at the scale that it was trained at. With this layer anywhere in a model the scale is saved
    with it, and `predict_scores` warns where images whose scale is known are more than a fifth larger or smaller.
    `GapNet` takes it as `preprocessing`. Bring images to a scale by `MultiChannelSequence(pixel_size=)`.

    Args:
        micrometres: width and height of a pixel of the images that the model takes.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        Any.

    Output shape:
        The same.

    Raises:
        ValueError: if `micrometres` is not positive and finite.

    Example:
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((128, 128, 3), num_classes=5, preprocessing=PixelSize(0.65))
        >>> [layer.micrometres for layer in model.layers if isinstance(layer, PixelSize)]
        [0.65]
    """

    def __init__(self, micrometres: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(micrometres, bool) or not 0 < micrometres < math.inf:
            raise ValueError(f"`micrometres` must be positive and finite. Received: {micrometres!r}")
        self.micrometres = micrometres

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"micrometres": float(self.micrometres)}
