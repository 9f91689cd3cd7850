"""From red, green, blue, yellow to what the published GapNet-PL was trained on."""

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_hpa.layers.image_standardization import ImageStandardization

_BLUE_GREEN_RED_YELLOW = (2, 1, 0, 3)
_TRAINED_AT = 0.08  # micrometres per pixel, the atlas's full resolution


@keras.saving.register_keras_serializable("keras_hpa")
class GapNetPLPreprocessing(keras.layers.Layer):
    """Prepares images in the atlas's channel order for GapNet-PL's published weights.

    Enlarges the image, puts its channels in the order blue, green, red, yellow and standardises each of them. The
    network was trained on crops of the atlas's full resolution, where 512 pixels show what 128 show in the challenge's
    images: `scale=4` brings those to the size of cell that it knows, `scale=2` costs a quarter of that and is nearly
    as good.

    Args:
        scale: by how much height and width are enlarged (bicubic).
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, height, width, 4)`: red, green, blue, yellow; floats or integers in any unit.

    Output shape:
        `(batch, height * scale, width * scale, 4)`: blue, green, red, yellow; each of mean 0 and deviation 1.

    Raises:
        ValueError: if `scale` is not positive and finite, or the input has not four channels, or no fixed size to
            enlarge.

    Example:
        >>> GapNetPLPreprocessing(scale=2).compute_output_shape((None, 512, 512, 4))
        (None, 1024, 1024, 4)
    """

    def __init__(self, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < scale < math.inf:
            raise ValueError(f"`scale` must be positive and finite. Received: {scale!r}")
        self.scale = scale
        self._standardize = ImageStandardization(dtype=self.dtype_policy)

    @property
    def micrometres(self) -> float:
        """What a pixel of the input spans where the enlarged image has the scale of the published weights."""
        return _TRAINED_AT * self.scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.compute_output_shape(input_shape)

    def call(self, inputs: Any) -> Any:
        x = ops.take(ops.cast(inputs, "float32"), _BLUE_GREEN_RED_YELLOW, axis=-1)
        if self.scale != 1:
            rows, columns = self._enlarge(x.shape)
            x = ops.einsum("bijc,ri->brjc", x, _cubic_weights(x.shape[1], rows))
            x = ops.einsum("brjf,cj->brcf", x, _cubic_weights(x.shape[2], columns))
        return self._standardize(x)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if input_shape[-1] != len(_BLUE_GREEN_RED_YELLOW):
            raise ValueError(
                f"The input of layer {self.name!r} must have 4 channels: red, green, blue, yellow. "
                f"Received: shape {tuple(input_shape)}"
            )
        size = tuple(input_shape[1:3]) if self.scale == 1 else self._enlarge(input_shape)
        return (input_shape[0], *size, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"scale": self.scale}

    def _enlarge(self, input_shape: tuple[int | None, ...]) -> tuple[int, ...]:
        if None in input_shape[1:3]:
            raise ValueError(
                f"The input of layer {self.name!r} must have a known height and width to be enlarged. "
                f"Received: shape {tuple(input_shape)}"
            )
        return tuple(round(side * self.scale) for side in input_shape[1:3] if side is not None)


def _cubic_weights(old: int, new: int) -> npt.NDArray[np.float32]:
    """The share of each of the old pixels in each of the new ones, `(new, old)`, as TensorFlow's bicubic has it.

    `ops.image.resize` has another bicubic on Torch, and LiteRT none.
    """
    places = (np.arange(new) + 0.5) * old / new - 0.5
    distance = np.abs(places[:, None] - np.arange(old))
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance <= 1, near, np.where(distance <= 2, far, 0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
