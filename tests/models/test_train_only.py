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


class Block(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="block")
        self.dense = keras.layers.Dense(4, use_bias=False, name="dense")
        self.others = {"norm": keras.layers.BatchNormalization(name="norm")}
        self.wrapped = keras.layers.TimeDistributed(keras.layers.Dense(4, use_bias=False, name="low"), name="wrapper")

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x, training=None):
        return self.wrapped(self.others["norm"](self.dense(x * self.scale))[:, None])[:, 0]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, ["beta", "dense", "gamma", "logits", "low", "scale"]),
        ({"batch_norm": False}, ["dense", "logits", "low", "scale"]),
        ({"layers": "block", "batch_norm": False}, ["dense", "low", "scale"]),
        ({"layers": "block/dense"}, ["dense"]),
        ({"layers": "block/wrapper/low"}, ["low"]),
        ({"layers": ["block/norm", "logits"]}, ["beta", "gamma", "logits"]),
        ({"freeze": "block/dense"}, ["beta", "gamma", "logits", "low", "scale"]),
        ({"freeze": "block"}, ["logits"]),
        ({"layers": "logits"}, ["logits"]),
    ],
)
def test_layers_inside_a_layer_learn_by_name(arguments, expected):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2, use_bias=False, name="logits")(Block()(inputs)))
    for start in ({"layers": "logits"}, {}, {"layers": "block/norm"}):
        train_only(train_only(model, **start), **arguments)
        names = [weight.path.split("/")[-2 if weight.name == "kernel" else -1] for weight in model.trainable_weights]
        assert sorted(names) == expected
    before = {weight.path: keras.ops.convert_to_numpy(weight.value).copy() for weight in model.weights}
    model.compile("sgd", "mse")
    images = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    model.fit(images, images[:, :2], verbose=0)
    frozen = {weight.path for weight in model.weights} - {weight.path for weight in model.trainable_weights}
    for weight in model.weights:
        statistics = weight.name.startswith("moving") and "gamma" in expected
        if weight.path in frozen and not statistics:
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight.value), before[weight.path])


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
