import keras
import numpy as np
import pytest

from keras_hpa import ChannelMixer
from tests.helpers import check_constructor_arguments, check_every_weight_trains, check_layer

IMAGES = np.random.default_rng(0).random((2, 5, 6, 4)).astype("float32")
MATRIX = np.random.default_rng(1).normal(size=(4, 2)).round(3).tolist()


@pytest.mark.parametrize(
    ("matrix", "oracle"),
    [
        ("report", lambda r, g, b, y: (r / 2 + b / 2, y / 2 + b / 2, g)),
        ("kernel", lambda r, g, b, y: (r / 2 + y / 2, g / 2 + y / 2, b)),
        (MATRIX, lambda *channels: np.einsum("cbhw,ck->kbhw", np.stack(channels), MATRIX)),
        (np.eye(4)[:, ::-1], lambda r, g, b, y: (y, b, g, r)),
    ],
)
def test_values(matrix, oracle):
    mixed = keras.ops.convert_to_numpy(ChannelMixer(matrix)(IMAGES))
    np.testing.assert_allclose(mixed, np.stack(oracle(*np.moveaxis(IMAGES, -1, 0)), -1), atol=1e-6)


@pytest.mark.parametrize(
    "dtype",
    [
        "uint8",
        pytest.param(
            "uint16", marks=pytest.mark.skipif(keras.backend.backend() == "torch", reason="Torch has no full uint16")
        ),
    ],
)
def test_integers_are_scaled_by_the_maximum_of_their_type(dtype):
    integers = np.round(IMAGES * np.iinfo(dtype).max).astype(dtype)
    floats = (integers / np.iinfo(dtype).max).astype("float32")
    mixed, expected = (keras.ops.convert_to_numpy(ChannelMixer()(images)) for images in (integers, floats))
    np.testing.assert_allclose(mixed, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "images"),
    [({}, (IMAGES * 255).astype("uint8")), ({"matrix": MATRIX, "trainable": True}, IMAGES)],
    ids=["fixed, integers", "learned, floats"],
)
def test_as_a_keras_layer(arguments, images, tmp_path):
    check_layer(ChannelMixer, arguments, images, tmp_path)


def test_constructor_arguments():
    check_constructor_arguments(ChannelMixer, {"matrix": MATRIX, "trainable": True})


def test_a_learned_matrix_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((5, 6, 4)), ChannelMixer("kernel", trainable=True)])
    check_every_weight_trains(model, IMAGES)
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(restored.get_weights()[0], model.get_weights()[0])
    assert restored.layers[0].get_config() == model.layers[0].get_config()


def test_a_config_can_be_used_twice():
    layer = ChannelMixer("kernel", trainable=True)
    layer.trainable = False
    config = layer.get_config()
    assert [ChannelMixer.from_config(config).trainable for _ in range(2)] == [False, False]
    assert config == layer.get_config()


def test_a_fixed_matrix_stays_fixed_when_the_model_is_unfrozen(tmp_path):
    model = keras.Sequential([keras.Input((5, 6, 4)), ChannelMixer()])
    model.trainable = True
    assert model.trainable_weights == []
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").trainable_weights == []


@pytest.mark.parametrize(
    "matrix", ["rgb", [1, 2, 3], [[1, 2], [3]], [["a"]], [[float("nan")]], np.zeros((4, 0)), [[[1.0]]]]
)
def test_wrong_matrix_is_refused(matrix):
    with pytest.raises(ValueError, match=r"`matrix` must.*Received"):
        ChannelMixer(matrix)


def test_wrong_number_of_channels_is_refused():
    with pytest.raises(ValueError, match=r"layer 'mixer' must have 4 channels"):
        ChannelMixer(name="mixer")(IMAGES[..., :3])


def test_a_matrix_that_is_frozen_when_saved_learns_again_when_unfrozen(tmp_path):
    inputs = keras.Input((5, 6, 4))
    model = keras.Model(inputs, ChannelMixer(trainable=True)(inputs))
    model.trainable = False
    model.save(tmp_path / "model.keras")
    restored = keras.saving.load_model(tmp_path / "model.keras")
    assert restored.trainable_weights == []
    restored.trainable = True
    check_every_weight_trains(restored, IMAGES)
