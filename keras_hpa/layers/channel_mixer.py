"""A linear mixture of channels, the bridge from four stains to networks that know three colours."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.layers.scale_integers import scale_integers

_MATRICES = MappingProxyType(
    {
        # Rows: red, green, blue, yellow. Columns: the three channels the backbone sees.
        "report": ((0.5, 0.0, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.0), (0.0, 0.5, 0.0)),
        "kernel": ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 1.0), (0.5, 0.5, 0.0)),
    }
)


@keras.saving.register_keras_serializable("keras_hpa")
class ChannelMixer(keras.layers.Layer):
    """Mixes C channels into K by a matrix, so that a network for three colours takes four stains.

    Every output channel is a weighted sum of the input's channels at the same pixel; there is no bias. With
    `trainable=True` the matrix is where training starts, otherwise it stays as it is, also when the model around the
    layer is unfrozen.

    Args:
        matrix: `"report"` for (R/2 + B/2, Y/2 + B/2, G), `"kernel"` for (R/2 + Y/2, G/2 + Y/2, B), both of channels in
            the order red, green, blue, yellow; or any matrix of shape `(C, K)`, one row per input channel.
        trainable: whether the matrix is learned.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, ..., C)`. Floats pass as they are; integers are divided by the maximum of their dtype.

    Output shape:
        `(batch, ..., K)`

    Raises:
        ValueError: if `matrix` is no known name and not a matrix of finite numbers, or the input has not C channels.

    Example:
        >>> image = np.array([[[[0.2, 0.4, 0.6, 0.8]]]], "float32")  # one pixel: red, green, blue, yellow
        >>> [round(float(value), 3) for value in ChannelMixer("report")(image)[0, 0, 0]]
        [0.4, 0.7, 0.4]
    """

    def __init__(
        self, matrix: str | Sequence[Sequence[float]] | np.ndarray = "report", trainable: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(trainable=trainable, **kwargs)
        self._start = _to_array(matrix)
        self.matrix = matrix if isinstance(matrix, str) else np.asarray(matrix).tolist()
        self._learns = trainable

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self._check(input_shape)
        self.kernel = self.add_weight(
            shape=self._start.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(self._start, dtype=dtype),
            trainable=self._learns,
            name="kernel",
        )

    def call(self, inputs: Any) -> Any:
        return ops.matmul(scale_integers(inputs, self.compute_dtype), self.kernel)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        self._check(input_shape)
        return (*input_shape[:-1], self._start.shape[1])

    def get_config(self) -> dict[str, Any]:
        # A fixed mixer stays fixed whatever is set on the model around it; one that learns may be frozen for a while.
        frozen = {"frozen": True} if self._learns and not self.trainable else {}
        return super().get_config() | {"matrix": self.matrix, "trainable": self._learns} | frozen

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ChannelMixer":
        layer = cls(**{key: value for key, value in config.items() if key != "frozen"})
        layer.trainable = layer.trainable and not config.get("frozen", False)
        return layer

    def _check(self, input_shape: tuple[int | None, ...]) -> None:
        if input_shape[-1] != len(self._start):
            raise ValueError(
                f"The input of layer {self.name!r} must have {len(self._start)} channels, one per row of `matrix`. "
                f"Received: shape {tuple(input_shape)}"
            )


def _to_array(matrix: str | Sequence[Sequence[float]] | np.ndarray) -> np.ndarray:
    if isinstance(matrix, str):
        if matrix not in _MATRICES:
            raise ValueError(f"`matrix` must be one of {sorted(_MATRICES)} or a matrix. Received: {matrix!r}")
        return np.array(_MATRICES[matrix], "float32")
    try:
        array = np.asarray(matrix, "float32")
    except (TypeError, ValueError) as error:
        raise ValueError(f"`matrix` must hold numbers, one row per input channel. Received: {matrix!r}") from error
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(
            f"`matrix` must be of shape (input channels, output channels) and finite. Received: {array.tolist()}"
        )
    return array
