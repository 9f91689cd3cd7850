"""Freezing by name: which layers of a model learn."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

import keras

from keras_hpa.graphs import layers_by_path


def train_only(
    model: keras.Model,
    layers: str | Sequence[str] = "*",
    *,
    freeze: str | Sequence[str] = (),
    batch_norm: bool = True,
) -> keras.Model:
    """Lets the named layers of a model learn and freezes every other, in one call.

    The call says the whole state, whatever was frozen before. Compile the model afterwards: Keras reads what is
    trainable when a model is compiled. A saved model remembers its frozen layers.

    Args:
        model: the model; it is changed in place.
        layers: names of the layers that learn, or patterns with `*` and `?`. A layer of a model within the model, or of
            a layer that has layers of its own, is named by its path, `"backbone/block5_conv1"`; the name of the inner
            model stands for all of its layers.
        freeze: names or patterns that stay frozen although `layers` names them.
        batch_norm: `False` keeps every BatchNormalization frozen, which then uses its moving statistics in training
            too: the way to fine-tune a pretrained network on small batches.

    Returns:
        `model`.

    Raises:
        ValueError: if a name or pattern matches no layer.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden"),
        ...                           keras.layers.Dense(2, name="logits")])
        >>> [layer.name for layer in train_only(model, "logits").layers if layer.trainable]
        ['logits']
        >>> [layer.name for layer in train_only(model, freeze="logits").layers if layer.trainable]
        ['hidden']
    """
    wanted, unwanted = _as_tuple(layers), _as_tuple(freeze)
    paths = list(layers_by_path(model))
    for pattern in wanted + unwanted:
        if not any(_matches(path, pattern) for path, _ in paths):
            raise ValueError(
                f"Every name must match a layer of model {model.name!r}, whose layers are "
                f"{[layer.name for layer in model.layers]}. Received: {pattern!r}"
            )
    _set_trainable(model, True)

    def learns(path: str, layer: keras.layers.Layer) -> bool:
        named = any(_matches(path, pattern) for pattern in wanted)
        held = any(_matches(path, pattern) for pattern in unwanted)
        return named and not held and (batch_norm or not isinstance(layer, keras.layers.BatchNormalization))

    for path, layer in paths:
        _set_trainable(layer, learns(path, layer))
        # Keras asks nothing inside a frozen layer: one in which a layer learns is itself frozen weight by weight.
        if not layer.trainable and any(learns(*other) for other in paths if other[0].startswith(path + "/")):
            _set_trainable(layer, True)
            for weight in layer.weights:
                weight.trainable = False
    return model


def _set_trainable(layer: keras.layers.Layer, value: bool) -> None:
    """Sets it for the layer's weights too: TensorFlow passes over an attribute that has the value already."""
    layer.trainable = not value
    layer.trainable = value


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, pattern) or fnmatchcase(path, pattern + "/*")


def _as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
