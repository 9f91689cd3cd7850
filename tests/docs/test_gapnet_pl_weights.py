"""The code of docs/how-to/gapnet-pl-weights.md, with random weights; with the published ones where they are at hand."""

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa.models.published_weights import PublishedWeights
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture
def _weights(tmp_path, monkeypatch):
    """`gapnet_pl.weights.h5`, of random numbers, in place of the published ones."""
    monkeypatch.chdir(tmp_path)
    keras_hpa.GapNet((32, 32, 4), 13, variant="gapnet-pl").save_weights("gapnet_pl.weights.h5")
    monkeypatch.setattr(PublishedWeights, "find", lambda self: "gapnet_pl.weights.h5")


@pytest.mark.real_data
def test_convert_the_published_checkpoint(real_data, tmp_path, monkeypatch):
    (tmp_path / "models").symlink_to(real_data / "gapnet_pl")
    monkeypatch.chdir(tmp_path)
    # --8<-- [start:convert]
    keras_hpa.gapnet_pl.convert_gapnet_pl("models/gapnet-pl.ckpt", "gapnet_pl.weights.h5")
    # --8<-- [end:convert]
    models = [
        keras_hpa.GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=path)
        for path in ("models/gapnet-pl.ckpt", "gapnet_pl.weights.h5")
    ]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("_weights")
def test_the_13_classes(capsys):
    size = 64
    samples = keras_hpa.Samples(keras_hpa.SyntheticAtlas(2, image_size=(size, size)).samples, pixel_sizes=0.32)
    # --8<-- [start:load]
    model = keras_hpa.GapNet(
        (size, size, 4),
        num_classes=13,
        weights="gapnet-pl",
        preprocessing=keras_hpa.gapnet_pl.GapNetPLPreprocessing(scale=4),
    )
    # --8<-- [end:load]
    assert model.output_shape == (None, 13)

    # --8<-- [start:predict]
    scores = keras_hpa.predict_scores(model, samples.batches(image_size=size))
    for number in np.argsort(-scores[0])[:3]:
        print(f"{keras_hpa.gapnet_pl.GAPNET_PL_CLASS_NAMES[number]}: {scores[0, number]:.2f}")
    # --8<-- [end:predict]
    printed = capsys.readouterr().out.splitlines()[-3:]
    assert {line.split(":")[0] for line in printed} <= set(keras_hpa.gapnet_pl.GAPNET_PL_CLASS_NAMES)

    # --8<-- [start:judge]
    truth = keras_hpa.gapnet_pl.to_gapnet_pl_classes(samples.labels)  # of the atlas's 28 classes
    # --8<-- [end:judge]
    assert truth.shape == scores.shape


@pytest.mark.usefixtures("_weights", "_short_trainings")
def test_own_classes():
    size = 32
    drawn = keras_hpa.SyntheticAtlas(4, image_size=(size, size))
    train_batches = drawn.samples.batches(batch_size=4, shuffle=True)
    # --8<-- [start:own]
    model = keras_hpa.GapNet(
        (size, size, 4),
        num_classes=28,
        weights="gapnet-pl",
        preprocessing=keras_hpa.gapnet_pl.GapNetPLPreprocessing(scale=2),
    )
    # --8<-- [end:own]

    # --8<-- [start:stages]
    for layers, learning_rate in (("logits", 1e-3), ("*", 1e-4)):
        keras_hpa.train_only(model, layers)
        model.compile(keras.optimizers.Adam(learning_rate, clipnorm=5.0), "binary_crossentropy")
        model.fit(train_batches, epochs=5)
    # --8<-- [end:stages]
    assert model.output_shape == (None, 28)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.usefixtures("_weights")
def test_what_goes_wrong():
    def load(num_classes, weights):
        return keras_hpa.GapNet((32, 32, 4), num_classes, variant="gapnet-pl", weights=weights)

    preprocessing = keras_hpa.gapnet_pl.GapNetPLPreprocessing(scale=4, name="preprocessing")
    check_quoted_messages(
        "how-to/gapnet-pl-weights.md",
        [
            (FileNotFoundError, lambda: load(13, "models/gapnet-pl.ckpt")),
            (ValueError, lambda: load(28, "gapnet_pl.weights.h5")),
            (ValueError, lambda: preprocessing(keras.Input((32, 32, 3)))),
            (ValueError, lambda: preprocessing(keras.Input((None, None, 4)))),
            (ValueError, lambda: keras_hpa.gapnet_pl.convert_gapnet_pl("models/gapnet-pl.ckpt", "gapnet_pl.h5")),
        ],
    )
