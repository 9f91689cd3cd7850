"""The layers of a model and of the models inside it."""

from collections.abc import Iterator

import keras


def layers_by_path(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Gives every layer that is not itself a model, with its path, `"backbone/block5_conv1"`."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_by_path(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer
