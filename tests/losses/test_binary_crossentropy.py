import keras
import numpy as np
import pytest

from keras_hpa import BinaryCrossentropy
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient


def _batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 3)).astype(float), rng.uniform(0.05, 0.95, (5, 3))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_equals_keras_where_every_label_is_known(label_smoothing):
    labels, scores = _batch()
    expected = keras.losses.BinaryCrossentropy(label_smoothing=label_smoothing)(labels, scores)
    loss = BinaryCrossentropy(label_smoothing=label_smoothing)
    assert float(loss(labels, scores)) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_unknown_labels_have_no_value_and_no_gradient(from_logits):
    labels, scores = _batch()
    labels[[0, 3], [1, 2]] = -1

    def reference(inputs):
        p = 1 / (1 + np.exp(-inputs)) if from_logits else inputs
        return -np.where(labels == 1, np.log(p), np.log(1 - p))[labels >= 0].mean()

    inputs = np.log(scores / (1 - scores)) if from_logits else scores
    check_gradient(BinaryCrossentropy(from_logits=from_logits), reference, labels, inputs)


def test_arguments():
    check_registration(BinaryCrossentropy)
    arguments = {"from_logits": True, "label_smoothing": 0.1, "name": "other", "dtype": "float64"}
    check_constructor_arguments(BinaryCrossentropy, arguments)
