"""The published weights of GapNet-PL, read from their TensorFlow checkpoint."""

import os
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is the prefix of a TensorFlow checkpoint, or its index file."""
    return Path(_prefix(path) + ".index").is_file()


def load_gapnet_pl_checkpoint(model: keras.Model, path: str | os.PathLike[str]) -> None:
    """Copies the checkpoint's 22 tensors into a `GapNet` of variant `"gapnet-pl"`.

    Raises:
        ValueError: if the checkpoint is not GapNet-PL's, or the model is not built like it.
    """
    tensors = _read(path)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)]
    convolutions = sum(isinstance(layer, keras.layers.Conv2D) for layer in layers)
    names = [f"ConvLayer-{number}/{{}}_conv" for number in range(1, convolutions + 1)]
    names += [f"FC-{number}/{{}}_dense" for number in range(1, len(layers) - convolutions + 1)]
    wanted = {name.format(kind) for name in names for kind in "Wb"}
    if set(tensors) != wanted:
        raise ValueError(
            f"`weights` must be GapNet-PL's checkpoint, and the network built like it. Received: {os.fspath(path)!r}, "
            f"which lacks {sorted(wanted - set(tensors))} and holds besides {sorted(set(tensors) - wanted)}"
        )
    for layer, name in zip(layers, names, strict=True):
        weights = [tensors[name.format("W")], tensors[name.format("b")]]
        expected, received = [w.shape for w in layer.get_weights()], [w.shape for w in weights]
        if expected != received:
            raise ValueError(
                f"`weights` must fit the network: layer {layer.name!r} has weights of shapes {expected}. (The "
                f"published ones have 13 classes and four channels; see `weights_num_classes`.) Received: {received}"
            )
        layer.set_weights(weights)


def _read(path: str | os.PathLike[str]) -> dict[str, npt.NDArray[np.float32]]:
    import tensorflow as tf  # only a checkpoint of TensorFlow needs it

    try:
        reader = tf.train.load_checkpoint(_prefix(path))
        names = reader.get_variable_to_shape_map()
        return {name: reader.get_tensor(name) for name in names if not name.endswith("global_step")}
    except (tf.errors.OpError, RuntimeError, LookupError, ValueError, MemoryError) as error:
        raise OSError(f"`weights` names a damaged checkpoint. Received: {os.fspath(path)!r}: {error}") from error


def _prefix(path: str | os.PathLike[str]) -> str:
    return os.fspath(path).removesuffix(".index")
