"""From a grid of patches to the tokens of a transformer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_hpa")
class ClassTokenAndPositions(keras.layers.Layer):
    """Puts a class token before the patches of an image and adds to each token what is learned for its position.

    The positions are those of a grid of one size. For images of another size they are interpolated, so that a network
    that was trained on 448 pixels takes crops of any size.

    Args:
        grid: rows and columns of patches for which there are positions.
        **kwargs: what every Keras layer takes (`name`, `dtype`).

    Input shape:
        `(batch, rows, columns, features)`.

    Output shape:
        `(batch, 1 + rows * columns, features)`; the class token comes first, then the patches row by row.

    Raises:
        ValueError: if `grid` is not two positive whole numbers.

    Example:
        >>> import numpy as np
        >>> tuple(ClassTokenAndPositions((2, 2))(np.zeros((1, 3, 4, 8), "float32")).shape)
        (1, 13, 8)

    References:
        Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021. The interpolation is Torch's `bicubic` with
        `align_corners=False`: a cubic convolution (Keys, 1981) with a = -0.75, with the
        outermost positions repeated beyond the edge.
    """

    def __init__(self, grid: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sides = tuple(grid) if isinstance(grid, Sequence) else ()
        if len(sides) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in sides):
            raise ValueError(f"`grid` must be two positive whole numbers. Received: {grid!r}")
        self.grid = (int(sides[0]), int(sides[1]))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        features = input_shape[-1]
        normal = keras.initializers.TruncatedNormal(stddev=0.02)
        self.class_token = self.add_weight(shape=(1, 1, features), initializer=normal, name="class_token")
        rows, columns = self.grid
        self.positions = self.add_weight(shape=(1, 1 + rows * columns, features), initializer=normal, name="positions")

    def call(self, inputs: Any) -> Any:
        batch, rows, columns, features = ops.shape(inputs)
        x = ops.reshape(inputs, (batch, rows * columns, features))
        token = ops.broadcast_to(ops.cast(self.class_token, x.dtype), (batch, 1, features))
        # Sizes that are not known beforehand cannot be compared.
        learned = tuple(inputs.shape[1:3]) == self.grid
        positions = self.positions if learned else self._interpolated(rows, columns)
        return ops.concatenate([token, x], axis=1) + ops.cast(positions, x.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, rows, columns, features = input_shape
        return batch, None if rows is None or columns is None else 1 + rows * columns, features

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"grid": list(self.grid)}

    def _interpolated(self, rows: Any, columns: Any) -> Any:
        positions = ops.cast(self.positions, "float32")
        grid = ops.reshape(positions[0, 1:], (*self.grid, -1))
        grid = ops.einsum("ri,ijf->rjf", _cubic_weights(rows, self.grid[0]), grid)
        grid = ops.einsum("cj,rjf->rcf", _cubic_weights(columns, self.grid[1]), grid)
        return ops.concatenate([positions[:, :1], ops.reshape(grid, (1, rows * columns, grid.shape[-1]))], axis=1)


def _cubic_weights(new: Any, old: int) -> Any:
    """The share of each of the old positions in each of the new ones, `(new, old)`."""
    size = ops.cast(new, "float32")
    places = (ops.cast(ops.arange(new), "float32") + 0.5) * (old / size) - 0.5
    first = ops.floor(places)
    weights: Any = 0.0
    for step in (-1, 0, 1, 2):
        neighbours = ops.clip(ops.cast(first, "int32") + step, 0, old - 1)
        shares = _cubic(ops.abs(places - first - step))
        weights = weights + shares[:, None] * ops.one_hot(neighbours, old, dtype="float32")
    return weights


def _cubic(distance: Any, a: float = -0.75) -> Any:
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return ops.where(distance <= 1, near, far)
