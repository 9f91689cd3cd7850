import keras
import numpy as np
import pytest

from keras_hpa import WarmUpBatchNormalization, fold_batch_norm
from tests.helpers import check_layer

BATCHES = np.random.default_rng(0).normal(3, 2, (40, 8, 5)).astype("float32")


def statistics(momentum_of, batches=BATCHES):
    mean, variance = np.zeros(5), np.ones(5)
    for number, batch in enumerate(batches):
        momentum = momentum_of(number)
        mean = momentum * mean + (1 - momentum) * batch.mean(0)
        variance = momentum * variance + (1 - momentum) * batch.var(0)
    return mean, variance


@pytest.mark.parametrize("momentum", [0.99, 0.6, 0.0])
def test_the_statistics_follow_the_ramp_in_fit(momentum):
    model = keras.Sequential([keras.Input((5,)), WarmUpBatchNormalization(momentum=momentum)])
    model.compile("sgd", "mse")
    model.fit(BATCHES.reshape(-1, 5), BATCHES.reshape(-1, 5), batch_size=8, shuffle=False, verbose=0)
    *_, mean, variance, updates = model.get_weights()
    expected = statistics(lambda n: min(momentum, (1 + n) / (10 + n)))
    np.testing.assert_allclose((mean, variance), expected, rtol=1e-4)
    assert updates == 40


def test_training_and_inference_are_those_of_keras():
    keras_norm, norm = keras.layers.BatchNormalization(), WarmUpBatchNormalization()
    for layer in (keras_norm, norm):
        layer.build(BATCHES[0].shape)
    outputs = [keras.ops.convert_to_numpy(layer(BATCHES[0], training=True)) for layer in (keras_norm, norm)]
    np.testing.assert_array_equal(*outputs)
    for old, new in zip(keras_norm.weights, norm.weights[:4], strict=True):
        old.assign(new)
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(layer(BATCHES[1])) for layer in (keras_norm, norm)))


def test_a_frozen_layer_stays():
    norm = WarmUpBatchNormalization(trainable=False)
    norm(BATCHES[0], training=True)
    assert not norm.get_weights()[2].any()
    assert norm.get_weights()[4] == 0


def test_it_folds():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4), WarmUpBatchNormalization()])
    model(BATCHES[0], training=True)
    folded = fold_batch_norm(model)
    assert not folded.kept
    np.testing.assert_allclose(
        folded.model.predict(BATCHES[1], verbose=0), model.predict(BATCHES[1], verbose=0), atol=1e-5
    )


def test_as_a_keras_layer(tmp_path):
    check_layer(WarmUpBatchNormalization, {"momentum": 0.9}, BATCHES[0], tmp_path)
    config = WarmUpBatchNormalization(axis=1, momentum=0.9, epsilon=0.1).get_config()
    assert WarmUpBatchNormalization.from_config(config).get_config() == config


@pytest.mark.parametrize("arguments", [{"momentum": 1.0}, {"momentum": -0.1}, {"momentum": float("nan")}])
def test_wrong_argument_is_named(arguments):
    with pytest.raises(ValueError, match=r"`momentum` must be .* Received: "):
        WarmUpBatchNormalization(**arguments)
