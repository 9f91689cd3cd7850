"""Labels of a model in another runtime are those of the calibrator that it was given."""

import keras
import numpy as np
import pytest

from keras_hpa import GapNet, ThresholdCalibrator, ThresholdLayer
from tests.thresholds.exported import RUNTIMES

_IMAGES = np.random.default_rng(0).uniform(size=(5, 32, 32, 2)).astype("float32")


def _scores(from_logits, shape=(12, 6)):
    scores = np.random.default_rng(1).uniform(0.05, 0.95, shape).astype("float32")
    return np.log(scores) - np.log1p(-scores) if from_logits else scores


def _calibrator(at_least_one, from_logits):
    scores = _scores(from_logits)
    return ThresholdCalibrator("max_f1", at_least_one=at_least_one, from_logits=from_logits).fit(
        scores, np.random.default_rng(2).integers(0, 2, scores.shape)
    )


def _heads():
    """Layers by what they decide, beside scores in which some rows pass nothing and some come equally near."""
    for at_least_one in (False, True):
        for from_logits in (False, True):
            layer = _calibrator(at_least_one, from_logits).as_layer()
            low = _scores(from_logits) - np.float32(3.0 if from_logits else 0.0)
            yield layer, np.concatenate([low, _scores(from_logits) * np.float32(0.1)])
    yield (
        ThresholdLayer([0.5, None, 0.9], at_least_one=True),
        np.float32([[0.1, 0.9, 0.18], [0.2, 0.1, 0.36], [0, 0, 0]]),
    )
    yield ThresholdLayer([None, None], at_least_one=True), np.float32([[0.1, 0.9]])
    yield ThresholdLayer([0.0, 1.0], at_least_one=True), np.float32([[0.0, 1.0], [0.5, 0.5]])


pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters' own


@RUNTIMES
@pytest.mark.parametrize("head", range(7))
def test_labels_are_those_of_the_layer(run, head, tmp_path):
    layer, scores = list(_heads())[head]
    model = keras.Sequential([keras.Input(scores.shape[1:]), layer])
    np.testing.assert_array_equal(run(model, scores, tmp_path), model.predict(scores, verbose=0))


@pytest.mark.slow
@RUNTIMES
@pytest.mark.parametrize("from_logits", [False, True])
def test_a_network_that_ends_in_thresholds(run, from_logits, tmp_path):
    activation = None if from_logits else "sigmoid"
    network = GapNet((32, 32, 2), 6, variant="light", classifier_activation=activation)
    scores = network.predict(_IMAGES, verbose=0)
    calibrator = ThresholdCalibrator("prevalence", at_least_one=True, from_logits=from_logits)
    calibrator.fit(scores, np.random.default_rng(0).integers(0, 2, scores.shape))
    calibrator.thresholds_ += 1e-3  # so that no score lies on a threshold
    model = keras.Model(network.inputs, calibrator.as_layer()(network.outputs[0]))
    labels = run(model, _IMAGES, tmp_path)
    np.testing.assert_array_equal(labels, calibrator.predict(scores))
    assert labels.any(axis=1).all()
