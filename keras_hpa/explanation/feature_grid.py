"""Where the cells of a feature map lie in the image, and the map drawn at the image's size."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

_WINDOWED = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
)


class Axis(NamedTuple):
    """Cell `i` of a feature map has its centre at pixel `first + i * step` of the image."""

    step: float = 1.0
    first: float = 0.0

    def then(self, other: "Axis") -> "Axis":
        """The axis of maps that lie on these maps at the positions `other`."""
        return Axis(self.step * other.step, self.first + self.step * other.first)


def axis_of(layer: Any, dimension: int, size: int, new_size: int) -> Axis:
    """Where the cells of a layer's output lie on its input.

    A network without padding loses the border of the image: its small deep maps show the middle, and stretching them
    over the whole image would put everything in the wrong place.

    Args:
        layer: the layer.
        dimension: 0 for the height, 1 for the width.
        size: of the input.
        new_size: of the output.
    """
    if isinstance(layer, _WINDOWED):
        window = getattr(layer, "kernel_size", None) or layer.pool_size
        dilation = getattr(layer, "dilation_rate", (1, 1))[dimension]
        reach, step = (window[dimension] - 1) * dilation, layer.strides[dimension]
        padded = 0 if layer.padding == "valid" else max((new_size - 1) * step + reach + 1 - size, 0) // 2
        return Axis(step, reach / 2 - padded)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return Axis(1.0, -layer.padding[dimension][0])
    if isinstance(layer, keras.layers.Cropping2D):
        return Axis(1.0, layer.cropping[dimension][0])
    # Any other layer is taken to cover the same field.
    step = size / new_size
    return Axis(step, (step - 1) / 2)


def enlarge(maps: npt.NDArray[np.float32], axes: tuple[Axis, Axis], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Maps `(batch, height, width, classes)` at another size: bilinear between cell centres, constant beyond."""
    rows, columns = (
        _weights(axis, cells, pixels) for axis, cells, pixels in zip(axes, maps.shape[1:3], size, strict=True)
    )
    tall = np.einsum("yh,nhwk->nywk", rows, maps, optimize=True)
    return np.asarray(np.einsum("xw,nywk->nyxk", columns, tall, optimize=True), np.float32)


def _weights(axis: Axis, cells: int, pixels: int) -> npt.NDArray[np.float32]:
    """The weight of each cell at each pixel, `(pixels, cells)`."""
    places = np.clip((np.arange(pixels) - axis.first) / axis.step, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(cells))).astype(np.float32)
