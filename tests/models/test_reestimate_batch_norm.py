import keras
import numpy as np
import pytest

from keras_hpa import GapNet, WarmUpBatchNormalization, reestimate_batch_norm

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


class Inner(keras.layers.Layer):
    def __init__(self):
        super().__init__(name="inner")
        self.model = keras.Sequential([keras.Input((6,)), keras.layers.BatchNormalization(name="deep")], name="model")

    def call(self, x, training=None):
        return self.model(x, training=training)


class Block(keras.layers.Layer):
    """What somebody writes: layers as attributes, in lists and dictionaries, a wrapper, a model."""

    def __init__(self, name="block"):
        super().__init__(name=name)
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.inner = Inner()
        self.parts = [keras.layers.BatchNormalization(name="listed"), {"drop": keras.layers.Dropout(0.5)}]
        self.wrapped = keras.layers.TimeDistributed(keras.layers.BatchNormalization(name="inside"), name="wrapper")

    def call(self, x, training=None):
        x = self.parts[1]["drop"](self.parts[0](self.norm(x)))
        return self.inner(self.wrapped(x[:, None])[:, 0])


def test_layers_inside_a_layer_are_found():
    block = Block()
    model = reestimate_batch_norm(keras.Sequential([keras.Input((6,)), block]), BATCHES)
    norms = [block.norm, block.parts[0], block.wrapped.layer, block.inner.model.layers[0]]
    np.testing.assert_allclose(block.norm.get_weights()[2], np.mean([b.mean(0) for b in BATCHES], 0), rtol=1e-5)
    for norm in norms[1:]:  # their inputs have mean 0 and variance 1 where nothing is dropped
        np.testing.assert_allclose(norm.get_weights()[2], 0, atol=1e-5)
        np.testing.assert_allclose(norm.get_weights()[3], 1, atol=1e-2)
    assert [norm.momentum for norm in norms] == [0.99] * 4
    assert model.layers[-1].parts[1]["drop"].rate == 0.5


@pytest.mark.parametrize("momentum", [0.99, 0.5])
def test_layers_that_warm_up(momentum):
    norm = WarmUpBatchNormalization(momentum=momentum)
    model = reestimate_batch_norm(keras.Sequential([keras.Input((6,)), norm]), BATCHES)
    np.testing.assert_allclose(norm.get_weights()[2], np.mean([b.mean(0) for b in BATCHES], 0), rtol=1e-5)
    np.testing.assert_allclose(model.layers[0].get_weights()[3], np.mean([b.var(0) for b in BATCHES], 0), rtol=1e-4)


def test_statistics_that_were_not_finite_are_replaced():
    model = make_model()
    norm = model.get_layer("second")
    norm.set_weights([*norm.get_weights()[:2], np.full(6, np.nan), np.full(6, np.inf)])
    reestimate_batch_norm(model, BATCHES)
    np.testing.assert_allclose(norm.get_weights()[3], 1, atol=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_batch_that_is_not_finite_is_refused_and_leaves_the_model(bad):
    model, batches = reestimate_batch_norm(make_model(), BATCHES), [batch.copy() for batch in BATCHES]
    before = model.get_weights()
    batches[1][0, 2] = bad
    with pytest.raises(ValueError, match=r"statistics of layer 'inner/first' are not. Received: batch 1"):
        reestimate_batch_norm(model, batches)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.get_layer("second").momentum == 0.99


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
    model = GapNet(
        (76, 76, 4), 1, variant="report", filters=(4, 4, 4), head_units=(8,), head_dropout=(0.0,), dropout=0.0
    )
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
