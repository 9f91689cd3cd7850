"""Weights with a name, and whose channels are whose."""

import keras
import numpy as np
import pytest

from keras_hpa import GapNet
from keras_hpa.models.published_weights import PUBLISHED, PublishedWeights

IMAGES = np.random.default_rng(0).random((2, 32, 32, 4), dtype="float32")


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Weights named "mine", of random numbers, and the network that they were saved from."""
    keras.utils.set_random_seed(0)
    model = GapNet((32, 32, 4), 6)
    model.save_weights(tmp_path / "mine.weights.h5")
    monkeypatch.setattr(PublishedWeights, "find", lambda self: tmp_path / "mine.weights.h5")
    monkeypatch.setattr(
        "keras_hpa.models.gapnet.PUBLISHED",
        {**PUBLISHED, "mine": PublishedWeights("light", 6, {"mine.weights.h5": ""})},
    )
    return model


def predicted(model, images=IMAGES):
    return model.predict(images, verbose=0)


def test_a_name_brings_variant_and_classes(weights):
    np.testing.assert_array_equal(predicted(GapNet((32, 32, 4), 6, weights="mine")), predicted(weights))


def test_the_order_of_channels_is_the_images(weights):
    model = GapNet((32, 32, 4), 6, weights="mine", channels=["nucleus", "green", "ER", "Microtubules"])
    np.testing.assert_allclose(predicted(model, IMAGES[..., [2, 1, 3, 0]]), predicted(weights), atol=1e-6)


@pytest.mark.parametrize("channels", [["nucleus", "protein"], {"nucleus": "dapi", "protein": "gfp"}])
def test_a_stain_that_is_absent_is_dark(weights, channels):
    dark = IMAGES * np.array([0, 1, 1, 0], "float32")
    model = GapNet((32, 32, 2), 6, weights="mine", channels=channels)
    np.testing.assert_allclose(predicted(model, IMAGES[..., [2, 1]]), predicted(weights, dark), atol=1e-6)


def test_a_channel_that_weights_do_not_know_is_left_out(weights):
    model = GapNet((32, 32, 5), 6, weights="mine", channels=["red", "green", None, "blue", "yellow"])
    images = np.insert(IMAGES, 2, 0.7, axis=-1)
    np.testing.assert_allclose(predicted(model, images), predicted(weights), atol=1e-6)


@pytest.mark.parametrize(("num_channels", "channels"), [(4, None), (1, ["protein"])])
def test_other_classes_keep_everything_but_the_logits(weights, num_channels, channels):
    model = GapNet((32, 32, num_channels), 3, weights="mine", channels=channels)
    assert model.output_shape == (None, 3)
    for layer in weights.layers:
        if layer.name != "logits":
            for one, other in zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)


def test_bytes_and_channels(weights):
    model = GapNet((32, 32, 1), 6, weights="mine", channels=["protein"], input_dtype="uint8")
    bytes_ = np.round(IMAGES[..., 1:2] * 255).astype("uint8")
    dark = np.zeros_like(IMAGES)
    dark[..., 1:2] = bytes_ / np.float32(255)
    np.testing.assert_allclose(predicted(model, bytes_), predicted(weights, dark), atol=1e-6)


def test_saved_and_loaded(weights, tmp_path):
    model = GapNet((32, 32, 1), 6, weights="mine", channels=["protein"])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(predicted(loaded, IMAGES[..., :1]), predicted(model, IMAGES[..., :1]), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"`channels` must say which stain each channel shows.*\['nucleus', 'protein'\]"),
        ({"channels": ["dapi", "gfp"]}, "`channels` must name the stain of each of the 2 channels"),
        ({"channels": {"dapi": "nucleus", "gfp": "protein"}}, "`channels` must name the stain"),
        ({"channels": ["blue"]}, "of each of the 2 channels"),
        ({"channels": "blue"}, "of each of the 2 channels"),
        ({"channels": ["blue", "nucleus"]}, "each stain once"),
        ({"channels": [None, None]}, "at least one"),
        ({"channels": ["blue", "green"], "variant": "report"}, "`variant` must be 'light' or None"),
        ({"channels": ["blue", "green"], "weights_num_classes": 5}, "`weights_num_classes` must be 6 or None"),
        ({"channels": ["blue", "green"], "weights": None}, "`channels` must be None"),
    ],
)
def test_errors(weights, arguments, message):
    with pytest.raises(ValueError, match=message):
        GapNet((32, 32, 2), 6, **({"weights": "mine"} | arguments))


def test_without_a_network_the_error_says_which_file_from_where_to_where(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError) as error:
        GapNet((32, 32, 4), 13, weights="gapnet-pl")
    for part in (
        "gapnet-pl.ckpt.index",
        "https://github.com/ml-jku/gapnet-pl/raw/",
        str(tmp_path / "keras_hpa"),
        "8abd26",
    ):
        assert part in str(error.value)


@pytest.mark.real_data
def test_files_that_are_in_place_need_no_network(real_data, tmp_path, monkeypatch):
    folder = tmp_path / "keras_hpa"
    folder.mkdir()
    for name in PUBLISHED["gapnet-pl"].files:
        (folder / name).symlink_to(real_data / "gapnet_pl" / name)
    get_file = keras.utils.get_file
    monkeypatch.setattr(keras.utils, "get_file", lambda *args, **kwargs: get_file(*args, cache_dir=tmp_path, **kwargs))
    model = GapNet((32, 32, 4), 13, weights="gapnet-pl")
    other = GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=real_data / "gapnet_pl" / "gapnet-pl.ckpt")
    np.testing.assert_array_equal(predicted(model), predicted(other))
