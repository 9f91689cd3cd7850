import keras
import numpy as np
import pytest

from keras_hpa import train_only


def make_model():
    inner_input = keras.Input((4,))
    x = keras.layers.Dense(3, name="low")(inner_input)
    x = keras.layers.BatchNormalization(name="norm")(x)
    inner = keras.Model(inner_input, keras.layers.Dense(3, name="high")(x), name="backbone")
    inputs = keras.Input((4,))
    x = keras.layers.BatchNormalization(name="norm")(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))


def leaves(model):
    inner = {f"backbone/{layer.name}": layer for layer in model.get_layer("backbone").layers}
    return inner | {layer.name: layer for layer in model.layers if layer.name != "backbone"}


def trained(model):
    trainable = {id(weight) for weight in model.trainable_weights}
    return sorted(path for path, layer in leaves(model).items() if trainable & {id(weight) for weight in layer.weights})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["backbone/high", "backbone/low", "backbone/norm", "logits", "norm"]),
        ({"layers": "logits"}, ["logits"]),
        ({"layers": ["logits", "backbone/h*"]}, ["backbone/high", "logits"]),
        ({"layers": "backbone"}, ["backbone/high", "backbone/low", "backbone/norm"]),
        ({"freeze": "backbone"}, ["logits", "norm"]),
        ({"freeze": ["backbone/low", "norm"]}, ["backbone/high", "backbone/norm", "logits"]),
        ({"batch_norm": False}, ["backbone/high", "backbone/low", "logits"]),
        ({"layers": "backbone", "batch_norm": False}, ["backbone/high", "backbone/low"]),
        ({"layers": ()}, []),
    ],
)
def test_only_the_named_layers_learn(arguments, expected):
    model = train_only(make_model(), "logits")
    assert trained(train_only(model, **arguments)) == expected


def test_frozen_weights_do_not_move_in_fit_and_frozen_statistics_neither():
    model = train_only(make_model(), ["logits", "backbone"], batch_norm=False)
    before = {path: layer.get_weights() for path, layer in leaves(model).items()}
    model.compile("sgd", "mse")
    inputs = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model.fit(inputs, inputs[:, :2], verbose=0)
    moved = {path for path, layer in leaves(model).items() if not same(layer.get_weights(), before[path])}
    assert moved == {"logits", "backbone/low", "backbone/high"}


def same(weights, others):
    return all(np.array_equal(weight, other) for weight, other in zip(weights, others, strict=True))


def test_a_saved_model_remembers_what_is_frozen(tmp_path):
    model = train_only(make_model(), ["logits", "backbone/high"])
    model.save(tmp_path / "model.keras")
    assert trained(keras.saving.load_model(tmp_path / "model.keras")) == ["backbone/high", "logits"]


@pytest.mark.parametrize("arguments", [{"layers": "head"}, {"freeze": ["norm", "head*"]}, {"layers": "backbone/mid"}])
def test_a_name_that_matches_nothing_is_refused(arguments):
    with pytest.raises(ValueError, match=r"must match a layer.*\['.*logits'\].*Received: '"):
        train_only(make_model(), **arguments)
