import keras
import numpy as np
import pytest

from keras_hpa import GapNet, PretrainedClassifier, embed
from keras_hpa.inference import embedding_model
from tests.inference.scored import IMAGES, floats, make_model, make_sequence


def gapnet(size=24):
    keras.utils.set_random_seed(0)
    return GapNet((size, size, 4), 5, filters=(4, 6, 8), depths=(1, 1, 1), head_units=(7,), head_dropout=(0.2,))


def test_equals_the_layer_of_the_model_itself():
    model = gapnet()
    features = embed(model, make_sequence(), verbose=0)
    itself = keras.Model(model.input, model.get_layer("taps").output)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, itself.predict(floats(IMAGES), verbose=0), atol=1e-6)


def test_feature_maps_are_averaged_over_their_positions():
    model = gapnet()
    maps = keras.Model(model.input, model.get_layer("block2_conv1").output).predict(floats(IMAGES), verbose=0)
    np.testing.assert_allclose(embed(model, make_sequence(), "block2_conv1", verbose=0), maps.mean((1, 2)), atol=1e-6)


def test_a_network_without_taps_gives_what_its_last_dense_layer_takes():
    model = make_model()
    features = embed(model, make_sequence(), verbose=0)
    kernel, bias = (np.asarray(weight) for weight in model.layers[-1].get_weights())
    logits = features @ kernel + bias
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), model.predict(floats(IMAGES), verbose=0), atol=1e-5)


def test_layers_of_a_model_within_a_model_are_found_by_their_path():
    backbone = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None, alpha=0.35)
    model = PretrainedClassifier(backbone, (32, 32, 4), 5, weights=None, adapter="inflate", head="gap")
    features = embedding_model(model)
    assert features.input_shape == (None, 32, 32, 4)
    with pytest.raises(ValueError, match="must be one of") as error:
        embedding_model(model, "block_1_expand")
    path = next(name for name in str(error.value).split("'") if name.endswith("/block_1_expand"))
    assert embedding_model(model, path).output_shape == (None, 48)


def test_symmetries_are_averaged():
    flipped = make_sequence(source=type(make_sequence().source)(IMAGES[:, :, ::-1].copy()))
    both = embed(gapnet(), make_sequence(), transforms=[0, 4], verbose=0)
    other = embed(gapnet(), flipped, transforms=[0, 4], verbose=0)
    np.testing.assert_allclose(both, other, atol=1e-6)


def test_another_layer_is_not_taken_from_the_same_folder(tmp_path):
    model = gapnet()
    first = embed(model, make_sequence(), path=tmp_path / "taps", verbose=0)
    np.testing.assert_array_equal(embed(model, make_sequence(), path=tmp_path / "taps", verbose=0), first)
    with pytest.raises(ValueError, match="`path`"):
        embed(model, make_sequence(), "head_dense1", path=tmp_path / "taps", verbose=0)


def test_the_model_is_left_as_it_was():
    model = gapnet()
    before = model.predict(floats(IMAGES), verbose=0)
    names = [layer.name for layer in model.layers]
    features = embedding_model(model)
    assert [layer.name for layer in model.layers] == names
    model.get_layer("block1_conv1").kernel.assign(0 * model.get_layer("block1_conv1").kernel)
    assert np.ptp(features.predict(floats(IMAGES), verbose=0)[:, :4]) < 1e-6, "weights are shared"
    assert np.abs(model.predict(floats(IMAGES), verbose=0) - before).max() > 0


@pytest.mark.parametrize(
    ("make", "layer", "error", "message"),
    [
        (lambda: "model", None, TypeError, "functional"),
        (gapnet, "no such", ValueError, "must be one of"),
        (
            lambda: keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Flatten()]),
            None,
            ValueError,
            "must be given",
        ),
    ],
)
def test_wrong_arguments_are_named(make, layer, error, message):
    with pytest.raises(error, match=message):
        embedding_model(make(), layer)
