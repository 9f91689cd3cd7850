"""The code of docs/how-to/beside-keras.md."""

import keras
import numpy as np
import pytest

import keras_hpa


def _samples():
    drawn = keras_hpa.SyntheticAtlas(16, image_size=32, balance="uniform").samples
    return keras_hpa.Samples(drawn.source, drawn.labels[:, :4], class_names=drawn.class_names[:4])


def test_class_weight_is_that_of_the_first_label():
    """What Keras does with labels of several classes: the page says so."""
    labels = np.array([[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 0, 0]], "float32")
    weights = {0: 1.0, 1: 2.0, 2: 3.0, 3: 100.0}
    inputs = np.random.default_rng(0).random((4, 5), np.float32)
    trained = []
    for options in ({"class_weight": weights}, {"sample_weight": np.array([1.0, 1.0, 3.0, 2.0])}):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "sigmoid")])
        model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
        model.fit(inputs, labels, batch_size=4, shuffle=False, verbose=0, **options)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_class_weights_of_the_loss():
    samples = _samples()
    model = keras_hpa.GapNet((32, 32, 4), 4)
    # --8<-- [start:weights]
    counts = (samples.labels == 1).sum(axis=0)
    model.compile("adam", keras_hpa.ClassBalancedCrossentropy(counts), metrics=[keras_hpa.MacroF1()])
    # --8<-- [end:weights]
    model.fit(samples.batches(batch_size=8), verbose=0)


def test_mixed_precision():
    samples = _samples()
    before = keras.config.dtype_policy()
    # --8<-- [start:mixed]
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = keras_hpa.GapNet((32, 32, 4), 4)
    # --8<-- [end:mixed]
    keras.config.set_dtype_policy(before)
    assert model.get_layer("block1_conv1").compute_dtype == "bfloat16"
    assert keras_hpa.predict_scores(model, samples, verbose=0).dtype == np.float32


@pytest.mark.usefixtures("_short_trainings")
def test_tensorboard(tmp_path, monkeypatch):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras's TensorBoard callback writes with TensorFlow")
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    train = validation = _samples()
    model = keras_hpa.GapNet((32, 32, 4), 4)
    model.compile("adam", "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    # --8<-- [start:tensorboard]
    model.fit(
        train.batches(batch_size=8, shuffle=True),
        validation_data=validation.batches(batch_size=8),
        epochs=20,
        callbacks=[keras.callbacks.TensorBoard("logs/first")],
    )
    # --8<-- [end:tensorboard]
    assert list((tmp_path / "logs").rglob("events*"))


@pytest.mark.filterwarnings("ignore")  # the tuner's own
@pytest.mark.usefixtures("_short_trainings")
def test_keras_tuner(tmp_path, monkeypatch):
    keras_tuner = pytest.importorskip("keras_tuner")
    monkeypatch.chdir(tmp_path)
    train = validation = _samples()

    # --8<-- [start:tuner]
    def build(choices):
        model = keras_hpa.GapNet(
            (32, 32, 4),
            num_classes=len(train.class_names),
            normalization=choices.Choice("normalization", ["batch-warm-up", "group"]),
            dropout=choices.Float("dropout", 0.0, 0.5),
        )
        optimizer = keras.optimizers.Adam(choices.Float("learning_rate", 1e-4, 1e-2, sampling="log"))
        model.compile(optimizer, "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
        return model

    tuner = keras_tuner.RandomSearch(
        build, objective=keras_tuner.Objective("val_macro_f1", "max"), max_trials=2, directory="tuning"
    )
    tuner.search(train.batches(batch_size=8), validation_data=validation.batches(batch_size=8), epochs=10)
    # --8<-- [end:tuner]
    assert tuner.get_best_hyperparameters()[0].get("dropout") <= 0.5
