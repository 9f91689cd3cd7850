import keras
import numpy as np
import pytest

from keras_hpa import GapNet, reestimate_batch_norm

RNG = np.random.default_rng(0)
BATCHES = [RNG.normal(shift, 2, (8, 6)).astype("float32") for shift in (1, 2, 6)]


def make_model():
    inner = keras.Sequential(
        [keras.Input((6,)), keras.layers.BatchNormalization(name="first"), keras.layers.Dropout(0.5, name="drop")],
        name="inner",
    )
    inputs = keras.Input((6,))
    return keras.Model(inputs, keras.layers.BatchNormalization(name="second")(inner(inputs)))


def test_statistics_are_averages_over_the_batches_without_dropout():
    model = reestimate_batch_norm(make_model(), ((batch, None) for batch in BATCHES))
    first, second = model.get_layer("inner").get_layer("first"), model.get_layer("second")
    np.testing.assert_allclose(first.get_weights()[2], np.mean([b.mean(0) for b in BATCHES], 0), rtol=1e-5)
    np.testing.assert_allclose(first.get_weights()[3], np.mean([b.var(0) for b in BATCHES], 0), rtol=1e-4)
    # Behind the first, every batch has mean 0 and variance 1 (nearly, for its epsilon) where nothing is dropped.
    np.testing.assert_allclose(second.get_weights()[2], 0, atol=1e-5)
    np.testing.assert_allclose(second.get_weights()[3], 1, atol=1e-3)
    assert first.momentum == second.momentum == 0.99
    assert model.get_layer("inner").get_layer("drop").rate == 0.5


def test_steps_and_arrays():
    models = [
        reestimate_batch_norm(make_model(), data, steps=steps) for data, steps in ((BATCHES, 1), (BATCHES[0], None))
    ]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_frozen_layers_and_weights_stay():
    model = make_model()
    model.get_layer("second").trainable = False
    before = model.get_layer("second").get_weights()
    reestimate_batch_norm(model, BATCHES)
    for old, new in zip(before, model.get_layer("second").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_a_short_training_is_right_in_predict_afterwards():
    images = (
        RNG.random((16, 76, 76, 4)).astype("float32") * np.linspace(0.2, 1, 16, dtype="float32")[:, None, None, None]
    )
    labels = (np.arange(16) >= 8).astype("float32")[:, None]
    model = GapNet((76, 76, 4), 1, filters=(4, 4, 4), head_units=(8,), head_dropout=(0.0,), dropout=0.0)
    model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
    for _ in range(25):
        model.train_on_batch(images, labels)
    wrong = np.abs(model.predict(images, verbose=0) - labels).mean()
    right = np.abs(reestimate_batch_norm(model, [images]).predict(images, verbose=0) - labels).mean()
    assert right < 0.2 < wrong


@pytest.mark.parametrize(("data", "steps"), [([], None), (BATCHES, 0)])
def test_no_batch_is_refused(data, steps):
    with pytest.raises(ValueError, match="`data` must have at least one batch"):
        reestimate_batch_norm(make_model(), data, steps=steps)
