"""The code of docs/how-to/imagenet-four-channels.md."""

import keras
import numpy as np
import pytest

import keras_hpa

FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


@pytest.fixture
def _random_start(monkeypatch):
    """The page's code asks for ImageNet's weights; here they are random and nothing is downloaded."""
    build = keras.applications.MobileNetV2
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda **options: build(**options | {"weights": None}))


@pytest.mark.usefixtures("_random_start", "_short_trainings")
def test_the_page():
    size = 32
    source = keras_hpa.SyntheticAtlas(4, image_size=(size, size), balance="uniform")
    train_batches = keras_hpa.MultiChannelSequence(source, source.labels, batch_size=4, shuffle=True, dtype="source")
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


def test_a_download_that_fails(monkeypatch):
    def fail(**options):
        raise Exception(f"URL fetch failure on https://example.org/{FILE}: None -- unknown host")

    monkeypatch.setenv("KERAS_HOME", "~/.keras")
    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    with pytest.raises(
        FileNotFoundError,
        match=rf"^The ImageNet weights of MobileNetV2 could not be downloaded\. Keras wants https://example.org/{FILE} "
        rf"as ~/.keras/models/{FILE}: put the file there, or call it with `weights=None` \(a random start\) or "
        r'`weights="PATH"` of a file of MobileNetV2 without its top\.',
    ):
        keras_hpa.PretrainedClassifier("MobileNetV2", (224, 224, 4), head="gap")


@pytest.mark.usefixtures("_random_start")
def test_what_goes_wrong():
    with pytest.raises(
        ValueError,
        match=r"^`matrix` must be given where 2 channels are mixed to 3, of shape \(2, 3\)\. Received: None$",
    ):
        keras_hpa.PretrainedClassifier("MobileNetV2", (32, 32, 2), head="gap")
    with pytest.raises(
        ValueError, match=r'^`matrix` and `trainable_matrix` belong to `adapter="mixer"`\. Received: \'report\'$'
    ):
        keras_hpa.PretrainedClassifier("MobileNetV2", (32, 32, 4), adapter="inflate", matrix="report")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, name="logits")], name="small")
    with pytest.raises(
        ValueError,
        match=r"^Every name must match a layer of model 'small', whose layers are \['logits'\]\. Received: 'backbone'$",
    ):
        keras_hpa.train_only(model, freeze="backbone")
