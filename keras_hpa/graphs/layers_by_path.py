"""The layers of a model, of the models inside it and of the layers inside its layers."""

from collections.abc import Iterator

import keras


def layers_by_path(model: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Gives every layer that is not itself a model, with its path, `"backbone/block5_conv1"`.

    A layer that has layers of its own (a wrapper, a block that somebody wrote) comes before them: `"block"`, then
    `"block/norm"`.
    """
    for layer in model.layers if isinstance(model, keras.Model) else _layers_within(model):
        if not isinstance(layer, keras.Model):
            yield prefix + layer.name, layer
        yield from layers_by_path(layer, f"{prefix}{layer.name}/")


def _layers_within(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """The layers that are attributes of a layer, or stand in its lists and dictionaries."""
    within = keras.tree.flatten(list(vars(layer).values()))
    yield from {id(part): part for part in within if isinstance(part, keras.layers.Layer)}.values()
