import keras
import numpy as np
import pytest

from keras_hpa import AsymmetricLoss
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient


def test_without_asymmetry_it_is_keras_crossentropy_or_focal():
    labels, scores = _batch()
    plain = AsymmetricLoss(gamma_negative=0.0, gamma_positive=0.0, margin=0.0)(labels, scores)
    assert float(plain) == pytest.approx(float(keras.losses.BinaryCrossentropy()(labels, scores)), abs=1e-6)
    focal = AsymmetricLoss(gamma_negative=2.0, gamma_positive=2.0, margin=0.0)(labels, scores)
    assert float(focal) == pytest.approx(float(keras.losses.BinaryFocalCrossentropy()(labels, scores)), abs=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("margin", [0.0, 0.2])
@pytest.mark.parametrize("gamma_negative", [0.0, 0.5, 4.0])
def test_value_and_gradient(from_logits, margin, gamma_negative):
    labels, scores = _batch()
    labels[2, 1] = -1
    assert (np.abs(scores - margin) > 1e-3).all(), "differences would step over the kink"

    def reference(inputs):
        p = 1 / (1 + np.exp(-inputs)) if from_logits else inputs
        q = np.maximum(p - margin, 0)
        y = np.maximum(labels, 0) * 0.8 + 0.1
        values = y * (1 - p) ** 1.5 * np.log(p) + (1 - y) * q**gamma_negative * np.log(1 - q)
        return -values[labels >= 0].mean()

    loss = AsymmetricLoss(
        gamma_negative=gamma_negative,
        gamma_positive=1.5,
        margin=margin,
        from_logits=from_logits,
        label_smoothing=0.2,
    )
    check_gradient(loss, reference, labels, np.log(scores / (1 - scores)) if from_logits else scores)


def test_absent_label_below_the_margin_costs_nothing():
    gradient = check_gradient(AsymmetricLoss(margin=0.2), None, np.zeros((1, 2)), np.array([[0.19, 0.21]]))
    assert gradient[0, 0] == 0
    assert gradient[0, 1] > 0


def test_arguments():
    check_registration(AsymmetricLoss)
    arguments = {
        "gamma_negative": 3.0,
        "gamma_positive": 0.5,
        "margin": 0.1,
        "from_logits": True,
        "label_smoothing": 0.1,
        "name": "other",
        "dtype": "float16",
    }
    check_constructor_arguments(AsymmetricLoss, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma_negative": -1.0}, "gamma_negative.*-1.0"),
        ({"gamma_positive": float("inf")}, "gamma_positive.*inf"),
        ({"gamma_positive": float("nan")}, "gamma_positive.*nan"),
        ({"margin": 1.0}, "margin.*1.0"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        AsymmetricLoss(**arguments)


def _batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 3)).astype("float64"), rng.uniform(0.05, 0.95, (5, 3))
