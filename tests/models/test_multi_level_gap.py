import keras
import numpy as np
import pytest

from keras_hpa import multi_level_gap
from tests.helpers import check_every_weight_trains

IMAGES = np.random.default_rng(0).random((2, 64, 48, 3)).astype("float32")


def make_backbone(height=64, width=48):
    """Five stages of stride 2, the last with a squeeze-and-excite branch and a border for the next convolution."""
    inputs = keras.Input((height, width, 3))
    x = inputs
    for stage in range(1, 6):
        x = keras.layers.ZeroPadding2D(1, name=f"pad{stage}")(x)
        x = keras.layers.Conv2D(stage + 2, 3, strides=2, name=f"down{stage}")(x)
        x = keras.layers.Conv2D(stage + 2, 1, activation="relu", name=f"conv{stage}")(x)
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(x)
    weights = keras.layers.Conv2D(7, 1, name="excite")(weights)
    return keras.Model(inputs, keras.layers.Multiply(name="weigh")([x, weights]))


def maps_of(backbone, names):
    model = keras.Model(backbone.inputs, {name: backbone.get_layer(name).output for name in names})
    return model.predict(IMAGES, verbose=0)


@pytest.mark.parametrize(
    ("taps", "names"),
    [
        (None, ["conv2", "conv3", "conv4", "weigh"]),
        ([32, 2], ["weigh", "conv1"]),
        (["down3", 8, "conv5"], ["down3", "conv3", "conv5"]),
    ],
)
@pytest.mark.parametrize("pooling", ["avg", "max", "avg+max"])
def test_taps_and_pooling(taps, names, pooling):
    backbone = make_backbone()
    maps = maps_of(backbone, names)
    kinds = {"avg": [np.mean], "max": [np.max], "avg+max": [np.mean, np.max]}[pooling]
    expected = np.concatenate([kind(maps[name], axis=(1, 2)) for name in names for kind in kinds], axis=1)
    model = multi_level_gap(backbone, taps, pooling=pooling)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, atol=1e-5)


def test_squeeze_and_excite():
    backbone = make_backbone()
    model = multi_level_gap(backbone, ["conv3"], squeeze_excite=2)
    maps = maps_of(backbone, ["conv3"])["conv3"]
    reduce, excite = (model.get_layer(f"tap1_{name}").get_weights() for name in ("reduce", "excite"))
    hidden = np.maximum(maps.mean((1, 2)) @ reduce[0] + reduce[1], 0)
    weights = 1 / (1 + np.exp(-(hidden @ excite[0] + excite[1])))
    assert hidden.shape == (2, 2)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), maps.mean((1, 2)) * weights, atol=1e-5)
    check_every_weight_trains(keras.Model(model.inputs, model.outputs), IMAGES)


def make_vit(patches=4):
    inputs = keras.Input((64, 48, 3))
    x = keras.layers.Conv2D(8, patches, patches, name="patches")(inputs)
    x = keras.layers.Reshape((-1, 8), name="tokens")(x)
    x = keras.layers.Add()([x, keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)])
    return keras.Model(inputs, x, name="vit")


def test_a_vision_transformer_is_refused_unless_taps_are_named():
    for taps in (None, [4]):
        with pytest.raises(ValueError, match=r"`taps` must be names.*\['patches'\]. Received: 'vit'"):
            multi_level_gap(make_vit(), taps)
    assert multi_level_gap(make_vit(), ["patches"]).output_shape == (None, 8)
    tokens_only = keras.Sequential([keras.Input((16, 8)), keras.layers.Dense(3)], name="tokens_only")
    with pytest.raises(ValueError, match=r"`backbone` must have feature maps, of rank 4. Received: 'tokens_only'"):
        multi_level_gap(tokens_only)


def test_a_convolutional_network_that_ends_in_tokens_gives_its_maps():
    backbone = make_backbone()
    tokens = keras.layers.Reshape((-1, 7))(backbone.output)
    assert multi_level_gap(keras.Model(backbone.inputs, tokens)).output_shape == (None, 4 + 5 + 6 + 7)


def test_unknown_size_needs_names():
    backbone = make_backbone(None, None)
    assert multi_level_gap(backbone, ["conv2", "conv3"]).output_shape == (None, 9)
    with pytest.raises(ValueError, match=r"`taps` must be names.*no fixed size"):
        multi_level_gap(backbone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"taps": ["conv9"]}, r"a layer of .* with feature maps: \['down1'.*Received: 'conv9'"),
        ({"taps": [64]}, r"a stride of the maps: \[2, 4, 8, 16, 32\].*Received: 64"),
        ({"taps": []}, "`taps` must be a list of at least one"),
        ({"taps": 8}, "`taps` must be a list of .* Received: 8"),
        ({"taps": "conv1"}, "`taps` must be a list of .* Received: 'conv1'"),
        ({"pooling": "sum"}, "`pooling` must be one of"),
        ({"squeeze_excite": 0}, "`squeeze_excite` must be"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        multi_level_gap(make_backbone(), **arguments)


def test_what_is_no_functional_model_is_refused():
    with pytest.raises(TypeError, match="`backbone` must be a functional model"):
        multi_level_gap(keras.layers.Dense(3))
