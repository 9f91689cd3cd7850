import keras
import numpy as np
import pytest

from keras_hpa import inflate_channels
from keras_hpa.graphs.inflate_channels import channel_matrix

RGB = np.random.default_rng(0).random((2, 12, 12, 3)).astype("float32")
EXTRA = np.random.default_rng(1).random((2, 12, 12, 1)).astype("float32")
RGBY = np.concatenate([RGB, EXTRA], -1)


def randomize(model):
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.1, 1, weight.shape) for weight in model.get_weights()])
    return model


def plain():
    inputs = keras.Input((12, 12, 3), name="photo")
    x = keras.layers.ZeroPadding2D(1, name="pad")(inputs)
    x = keras.layers.Conv2D(5, 3, strides=2, name="stem")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    return keras.Model(inputs, keras.layers.Conv2D(3, 1, name="last")(x), name="plain")


def preprocessed():
    inputs = keras.Input((12, 12, 3))
    x = keras.layers.Rescaling([2.0, 3.0, 4.0], [0.5, 0.0, -0.5], name="rescale")(inputs)
    x = keras.layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0], name="fixed")(x)
    x = keras.layers.Normalization(name="adapted")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Conv2D(5, 3, use_bias=False, name="stem")(x)
    return keras.Model(inputs, keras.layers.Conv2D(2, 1, name="last")(x))


def nested():
    inputs = keras.Input((12, 12, 3))
    scaling = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Rescaling(2.0, name="rescale")], name="scaling")
    x = plain()(scaling(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(x)))


def sequential():
    return keras.Sequential([keras.Input((12, 12, 3)), keras.layers.SeparableConv2D(4, 3), keras.layers.Conv2D(3, 1)])


def two_branches():
    inputs = keras.Input((12, 12, 3))
    shared = keras.layers.Conv2D(4, 1, name="shared")
    branches = [keras.layers.Conv2D(4, 1, name=f"stem{n}")(inputs) for n in (1, 2)]
    return keras.Model(inputs, keras.layers.Add()([shared(branch) for branch in branches]))


class Patches(keras.layers.Layer):
    """The patch embedding of a vision transformer: a convolution within, a token and positions beside it."""

    def __init__(self, num_channels=3, subtract_mean=False, **kwargs):
        super().__init__(**kwargs)
        self.num_channels, self.subtract_mean = num_channels, subtract_mean
        self.convolution = keras.layers.Conv2D(5, 4, strides=4, name="convolution")

    def build(self, input_shape):
        self.convolution.build((None, *input_shape[1:3], self.num_channels))
        self.token = self.add_weight(shape=(1, 1, 5), initializer="normal", name="token")
        self.positions = self.add_weight(shape=(1, 10, 5), initializer="normal", name="positions")

    def call(self, images):
        if self.subtract_mean:
            images = images - keras.ops.mean(images, axis=-1, keepdims=True)
        tokens = keras.ops.reshape(self.convolution(images), (-1, 9, 5))
        token = keras.ops.repeat(self.token, keras.ops.shape(tokens)[0], axis=0)
        return keras.ops.concatenate([token, tokens], axis=1) + self.positions

    def get_config(self):
        return super().get_config() | {"num_channels": self.num_channels, "subtract_mean": self.subtract_mean}


def patches():
    inputs = keras.Input((12, 12, 3))
    x = Patches(name="patches")(keras.layers.Rescaling(2.0)(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(keras.layers.Flatten()(x)))


class Backbone(keras.Model):
    """Makes itself for an image shape, as KerasHub's do; its layers cannot be made from their configs."""

    def __init__(self, image_shape=(12, 12, 3), subtract_mean=False, **kwargs):
        inputs = keras.Input(image_shape, name="images")
        x = Patches(image_shape[-1], subtract_mean, name="patches")(inputs)
        super().__init__({"images": inputs}, keras.layers.Dense(2, name="last")(x), **kwargs)
        self.image_shape, self.subtract_mean = image_shape, subtract_mean

    def get_config(self):
        return {"name": self.name, "image_shape": self.image_shape, "subtract_mean": self.subtract_mean}


def run(model, images):
    return keras.ops.convert_to_numpy(model(images))


MODELS = [plain, preprocessed, nested, sequential, two_branches, patches]


@pytest.mark.parametrize("make", MODELS)
def test_zero_ignores_the_new_channel(make):
    model = randomize(make())
    inflated = inflate_channels(model, 4, method="zero")
    assert inflated.input_shape == (None, 12, 12, 4)
    np.testing.assert_allclose(run(inflated, RGBY), run(model, RGB), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", [plain, nested, sequential, two_branches])
@pytest.mark.parametrize(("copy_from", "source"), [(None, 0), ([2], 2)])
def test_copy_sees_the_new_channel_as_the_old(make, copy_from, source):
    model = randomize(make())
    # A linear first layer cannot tell a second red channel from a red channel that is as much brighter.
    mixed = RGB.copy()
    mixed[..., source] += EXTRA[..., 0]
    inflated = inflate_channels(model, 4, copy_from=copy_from)
    np.testing.assert_allclose(run(inflated, RGBY), run(model, mixed), rtol=1e-4, atol=1e-5)


def test_copy_takes_scaling_and_normalisation_along():
    model = randomize(preprocessed())
    inflated = inflate_channels(model, 4, copy_from=[1])
    swapped = np.stack([RGB[..., 0], np.zeros((2, 12, 12), "float32"), RGB[..., 2], RGB[..., 1]], -1)
    names = ("rescale", "fixed", "adapted", "norm")
    for name in names:
        old = keras.Model(model.inputs[0], model.get_layer(name).output)(RGB)
        new = keras.Model(inflated.inputs[0], inflated.get_layer(name).output)(swapped)
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(new)[..., 3], keras.ops.convert_to_numpy(old)[..., 1], rtol=1e-5, err_msg=name
        )


@pytest.mark.parametrize(("channels", "method"), [(4, "mean"), (5, "copy"), (2, "copy"), (1, "repeat"), (7, "repeat")])
def test_filters(channels, method):
    model = randomize(plain())
    old = model.get_layer("stem").get_weights()[0]
    new = inflate_channels(model, channels, method=method).get_layer("stem").get_weights()[0]
    kept = {"mean": [0, 1, 2], "copy": range(min(channels, 3)), "repeat": []}[method]
    for channel in kept:
        np.testing.assert_array_equal(new[:, :, channel], old[:, :, channel])
    for channel in range(len(kept), channels):
        expected = {
            "mean": old.mean(2),
            "copy": old[:, :, channel % 3],
            "repeat": old[:, :, channel % 3] * 3 / channels,
        }[method]
        np.testing.assert_allclose(new[:, :, channel], expected, rtol=1e-5)


def test_a_matrix_says_it_all():
    model = randomize(plain())
    matrix = np.random.default_rng(3).normal(size=(6, 3)).astype("float32")
    images = np.random.default_rng(4).random((2, 12, 12, 6)).astype("float32")
    inflated = inflate_channels(model, 6, method=matrix)
    np.testing.assert_allclose(run(inflated, images), run(model, images @ matrix), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", MODELS)
def test_names_weights_elsewhere_and_what_is_frozen_stay(make):
    model = randomize(make())
    model.layers[-1].trainable = False
    inflated = inflate_channels(model, 4)
    expected = model.layers if make is not sequential else [None, *model.layers]
    assert len(inflated.layers) == len(expected)
    assert inflated.name == model.name
    for old, new in zip(model.layers[::-1], inflated.layers[::-1], strict=False):
        assert (old.name, old.trainable) == (new.name, new.trainable)
    for old, new in zip(model.layers[-1].get_weights(), inflated.layers[-1].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.input_shape == (None, 12, 12, 3)


def test_an_encoder_of_two_images_stays_shared():
    first = randomize(plain())
    inputs = keras.Input((12, 12, 3))
    flipped = keras.layers.RandomFlip(name="flip")(inputs)
    model = keras.Model(inputs, keras.layers.Add()([first(inputs), first(flipped)]))
    assert inflate_channels(model, 4).count_params() == inflate_channels(first, 4).count_params()


def test_parts_of_a_nested_model_stay_frozen():
    head = keras.Sequential(
        [keras.Input((6, 6, 3)), keras.layers.Conv2D(3, 1, name="frozen"), keras.layers.Conv2D(2, 1, name="free")],
        name="nested",
    )
    head.get_layer("frozen").trainable = False
    model = keras.Model(*(lambda first: (first.inputs[0], head(first.outputs[0])))(plain()))
    nested_head = inflate_channels(model, 4).get_layer("nested")
    assert [nested_head.get_layer(name).trainable for name in ("frozen", "free")] == [False, True]


def depthwise(x):
    return keras.layers.DepthwiseConv2D(3, name="culprit")(x)


def grouped(x):
    return keras.layers.Conv2D(6, 3, groups=3, name="culprit")(x)


def joined(x):
    return keras.layers.Concatenate(name="culprit")([x, x])


def reordered(x):
    return keras.layers.Permute((2, 1, 3), name="culprit")(x)


@pytest.mark.parametrize("layer", [depthwise, grouped, joined, reordered])
def test_what_cannot_be_inflated_is_refused_by_name(layer):
    inputs = keras.Input((12, 12, 3))
    inner = keras.Model(inputs, keras.layers.Conv2D(2, 1)(layer(inputs)), name="inner")
    outer = keras.Input((12, 12, 3))
    with pytest.raises(ValueError, match=r"layer 'culprit' of type .* in 'inner'"):
        inflate_channels(keras.Model(outer, inner(outer)), 4)


def _centred(x):
    return Patches(subtract_mean=True, name="culprit")(x)


def test_a_layer_that_does_more_than_to_convolve_is_refused():
    inputs = keras.Input((12, 12, 3))
    with pytest.raises(ValueError, match="layer 'culprit' of type Patches"):
        inflate_channels(keras.Model(inputs, _centred(inputs)), 4)


@pytest.mark.parametrize("method", ["copy", "mean", "zero", "repeat"])
def test_a_backbone_of_its_own_class_stays_one(tmp_path, method):
    model = randomize(Backbone(name="backbone"))
    model.trainable = False
    inflated = inflate_channels(model, 4, method=method)
    assert type(inflated) is Backbone
    assert (inflated.name, inflated.image_shape, inflated.trainable) == ("backbone", (12, 12, 4), False)
    np.testing.assert_allclose(
        run(inflated, {"images": RGBY}), run(model, {"images": RGBY @ channel_matrix(method, 4, 3)}), rtol=1e-5
    )


def test_a_backbone_that_does_more_than_to_convolve_is_refused():
    with pytest.raises(ValueError, match="'backbone' of type Backbone"):
        inflate_channels(Backbone(subtract_mean=True, name="backbone"), 4)


def test_a_model_without_convolution_is_refused():
    with pytest.raises(ValueError, match="must have a convolution"):
        inflate_channels(keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Rescaling(2.0)]), 4)
    with pytest.raises(TypeError, match="`model` must be a functional or sequential"):
        inflate_channels(keras.layers.Conv2D(2, 1), 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, "`channels` must be a whole number, at least 1"),
        ({"channels": 4.0}, r"`channels` must be a whole number, at least 1\. Received: 4\.0"),
        ({"method": "red"}, "`method` must be one of"),
        ({"method": np.eye(3)}, r"finite matrix of shape \(4, 3\)"),
        ({"copy_from": [3]}, "`copy_from` must give"),
        ({"copy_from": [0, 1]}, "`copy_from` must give"),
        ({"method": "mean", "copy_from": [0]}, "`copy_from` must give"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        inflate_channels(plain(), **({"channels": 4} | arguments))


def test_channels_first_is_refused_by_name():
    first = keras.Sequential(
        [keras.Input((3, 9, 9)), keras.layers.Conv2D(4, 3, data_format="channels_first", name="conv")]
    )
    nested = keras.Sequential([keras.Input((3, 9, 9)), keras.Model(first.inputs, first.outputs, name="inner")])
    for model, path in ((first, "conv"), (nested, "inner/conv")):
        with pytest.raises(ValueError, match=rf"`model` must take its channels last. Received: layer '{path}'"):
            inflate_channels(model, 4)
