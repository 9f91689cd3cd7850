"""The code of docs/how-to/imagenet-four-channels.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages

FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.fixture
def _random_start(monkeypatch):
    """The page's code asks for ImageNet's weights; here they are random and nothing is downloaded."""
    build = keras.applications.MobileNetV2
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda **options: build(**options | {"weights": None}))


@pytest.mark.usefixtures("_random_start", "_short_trainings")
def test_the_page():
    size = 32
    drawn = keras_hpa.SyntheticAtlas(4, image_size=(size, size), balance="uniform")
    train_batches = drawn.samples.batches(batch_size=4, shuffle=True, dtype="source")
    # --8<-- [start:build]
    model = keras_hpa.PretrainedClassifier(
        "MobileNetV2",
        (size, size, 4),
        num_classes=28,
        adapter="inflate",
        head="multi-level",
        input_dtype="uint8",
    )
    # --8<-- [end:build]
    assert model.get_layer("backbone").inputs[0].shape[-1] == 4

    # --8<-- [start:head]
    keras_hpa.train_only(model, freeze="backbone")
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    model.fit(train_batches, epochs=3)
    # --8<-- [end:head]
    assert not model.get_layer("backbone").trainable_weights

    # --8<-- [start:everything]
    keras_hpa.train_only(model, batch_norm=False)
    model.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    # --8<-- [end:everything]
    assert model.get_layer("backbone").trainable_weights


@pytest.mark.usefixtures("_random_start")
def test_mixer():
    size = 32
    # --8<-- [start:mixer]
    model = keras_hpa.PretrainedClassifier(
        "MobileNetV2",
        (size, size, 2),
        num_classes=28,
        adapter="mixer",
        matrix=[[1, 0, 0.5], [0, 1, 0.5]],  # a row per channel, a column per colour
        trainable_matrix=True,
        head="gap",
    )
    # --8<-- [end:mixer]
    assert model.get_layer("mixer").trainable_weights


def test_inflate_a_model_of_ones_own():
    inputs = keras.Input((32, 32, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(4, 3)(inputs))
    # --8<-- [start:inflate]
    four_channels = keras_hpa.inflate_channels(network, 4, method="copy", copy_from=[0])  # yellow from red
    # --8<-- [end:inflate]
    old, new = network.get_weights()[0], four_channels.get_weights()[0]
    np.testing.assert_array_equal(new[:, :, 3], old[:, :, 0])


def test_what_goes_wrong(monkeypatch):
    build = keras.applications.MobileNetV2

    def build_without_a_connection(weights, **options):
        if weights == "imagenet":  # Keras raises a bare Exception with these words
            raise Exception(f"URL fetch failure on https://example.org/{FILE}: None -- unknown host")
        return build(weights=weights, **options)

    def classify(channels=4, **options):
        return keras_hpa.PretrainedClassifier("MobileNetV2", (32, 32, channels), 28, head="gap", **options)

    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setattr(keras.applications, "MobileNetV2", build_without_a_connection)
    small = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="logits")], name="small")
    check_quoted_messages(
        "how-to/imagenet-four-channels.md",
        [
            (FileNotFoundError, classify),
            (ValueError, lambda: classify(channels=2, weights=None, adapter="mixer")),
            (ValueError, lambda: classify(adapter="inflate", matrix="report")),
            (ValueError, lambda: keras_hpa.train_only(small, freeze="backbone")),
        ],
    )
