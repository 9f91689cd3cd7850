"""Models that take their channels first are refused."""

import keras

from keras_hpa.graphs.layers_by_path import layers_by_path


def check_channels_last(model: keras.Model, argument: str = "model") -> None:
    """Raises an error where a layer of the model, or of one inside it, takes its channels first."""
    for path, layer in layers_by_path(model):
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(f"`{argument}` must take its channels last. Received: layer {path!r} takes them first")
