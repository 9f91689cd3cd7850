"""SqueezeNet 1.1 in Keras with ImageNet's weights, as a judge of other weights: for single cells in one stain."""

from pathlib import Path

import h5py
import keras
import numpy as np

_MEANS = (103.939, 116.779, 123.68)
_SIDE = 160  # pixels to which cells are enlarged


def squeezenet(root: Path, size: int) -> keras.Model:
    """Cells of `size` pixels, `(batch, size, size, 1)`, 0 to 255, to the means of three depths: 896 features."""
    inputs = keras.Input((size, size, 1))
    x = keras.layers.Resizing(_SIDE, _SIDE)(inputs)
    x = keras.layers.Concatenate()([x, x, x])
    x = keras.layers.Rescaling(1.0, [-mean for mean in _MEANS])(x)
    x = keras.layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(x)
    x = keras.layers.MaxPooling2D(3, 2)(x)
    depths = []
    for squeezed, expanded, numbers in ((16, 64, (2, 3)), (32, 128, (4, 5)), (48, 192, (6, 7)), (64, 256, (8, 9))):
        for number in numbers:
            x = _fire(x, number, squeezed, expanded)
        if numbers != (6, 7):  # the third depth has two widths
            depths.append(keras.layers.GlobalAveragePooling2D()(x))
            x = keras.layers.MaxPooling2D(3, 2)(x)
    model = keras.Model(inputs, keras.layers.Concatenate(name="taps")(depths), name="squeezenet")
    for name, weights in _read(root / "squeezenet" / "squeezenet_1_1_imagenet_notop.h5").items():
        model.get_layer(name.replace("/", "_")).set_weights([weights["kernel:0"], weights["bias:0"]])
    return model


def _fire(x: keras.KerasTensor, number: int, squeezed: int, expanded: int) -> keras.KerasTensor:
    def convolve(x: keras.KerasTensor, filters: int, name: str, kernel: int) -> keras.KerasTensor:
        layer = keras.layers.Conv2D(filters, kernel, padding="same", activation="relu", name=f"fire{number}_{name}")
        return layer(x)

    x = convolve(x, squeezed, "squeeze1x1", 1)
    return keras.layers.Concatenate()([convolve(x, expanded, f"expand{kind}x{kind}", kind) for kind in (1, 3)])


def _read(path: Path) -> dict[str, dict[str, np.ndarray]]:
    weights: dict[str, dict[str, np.ndarray]] = {}
    with h5py.File(path) as file:

        def keep(path: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset):  # conv1/conv1_3/kernel:0, fire2/squeeze1x1/fire2/squeeze1x1_3/kernel:0
                *layer, kind = path.split("/")
                weights.setdefault("/".join(layer[: len(layer) // 2]), {})[kind] = item[()]

        file.visititems(keep)
    return weights
