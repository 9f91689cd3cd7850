"""How each network of keras.applications wants its pixels, found by asking Keras."""

from types import ModuleType

import keras
import numpy as np
import numpy.typing as npt


def application_scaling(backbone: str) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Scale and offset of red, green and blue in 0 to 1, and which of them each input channel of the network takes.

    The network of that name wants `image * scale + offset`, in the order of the third array (blue comes first in some).
    """
    preprocess = _module_of(backbone).preprocess_input
    # The function is linear: what it makes of black, and of each colour alone, says all of it.
    probes = np.concatenate([np.zeros((1, 3)), np.eye(3) * 255]).astype("float32")
    black, *colours = np.asarray(preprocess(probes.reshape(4, 1, 1, 3).copy(), data_format="channels_last"))[:, 0, 0]
    effect = np.stack(colours) - black
    order = np.abs(effect).argmax(0)
    scale = effect[order, np.arange(3)]
    if np.count_nonzero(effect) != 3 or sorted(order) != [0, 1, 2]:
        raise ValueError(f"The scaling of {backbone} is no scaling of single channels. Received: {effect.tolist()}")
    by_colour = np.argsort(order)
    return scale[by_colour], black[by_colour], order


def application_names() -> list[str]:
    """Names of all networks of keras.applications."""
    # Networks are capitalised; everything else there is a module.
    return [name for name in dir(keras.applications) if name[0].isupper()]


def _module_of(backbone: str) -> ModuleType:
    modules = (value for value in vars(keras.applications).values() if isinstance(value, ModuleType))
    for module in modules:
        if hasattr(module, backbone) and hasattr(module, "preprocess_input"):
            return module
    # Keras keeps MobileNetV3's function in a module that does not hold the networks.
    family = backbone.removesuffix("Small").removesuffix("Large")
    return {"MobileNetV3": keras.applications.mobilenet_v3}[family]
