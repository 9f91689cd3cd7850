import keras
import numpy as np
import pytest

from keras_hpa import ClassBalancedCrossentropy, ClassBalancedFocalCrossentropy
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient


def test_equal_counts_are_keras_focal_crossentropy():
    labels, scores = _batch()
    expected = keras.losses.BinaryFocalCrossentropy(gamma=1.5)(labels, scores)
    loss = ClassBalancedFocalCrossentropy([7, 7, 7], gamma=1.5)
    assert float(loss(labels, scores)) == pytest.approx(float(expected), abs=1e-6)


def test_gamma_zero_is_crossentropy():
    labels, scores = _batch()
    focal, plain = ClassBalancedFocalCrossentropy([9, 3, 1], gamma=0.0), ClassBalancedCrossentropy([9, 3, 1])
    assert float(focal(labels, scores)) == pytest.approx(float(plain(labels, scores)), abs=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_value_and_gradient(from_logits, gamma):
    labels, scores = _batch()
    labels[2, 1] = -1

    def reference(inputs):
        p = 1 / (1 + np.exp(-inputs)) if from_logits else inputs
        y = np.maximum(labels, 0) * 0.8 + 0.1
        w = 0.1 / (1 - 0.9 ** np.array([9, 3, 1]))
        values = y * (1 - p) ** gamma * np.log(p) + (1 - y) * p**gamma * np.log(1 - p)
        return -(values * w * 3 / w.sum())[labels >= 0].mean()

    loss = ClassBalancedFocalCrossentropy(
        [9, 3, 1], gamma=gamma, beta=0.9, from_logits=from_logits, label_smoothing=0.2
    )
    check_gradient(loss, reference, labels, np.log(scores / (1 - scores)) if from_logits else scores)


def test_arguments():
    check_registration(ClassBalancedFocalCrossentropy)
    arguments = {
        "class_counts": [3.0, 4.0],
        "gamma": 1.0,
        "beta": 0.9,
        "from_logits": True,
        "label_smoothing": 0.1,
        "name": "other",
        "dtype": "float16",
    }
    check_constructor_arguments(ClassBalancedFocalCrossentropy, arguments)


def test_wrong_gamma_is_named():
    with pytest.raises(ValueError, match=r"gamma.*-1"):
        ClassBalancedFocalCrossentropy([1, 2], gamma=-1.0)


def _batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 3)).astype("float64"), rng.uniform(0.05, 0.95, (5, 3))
