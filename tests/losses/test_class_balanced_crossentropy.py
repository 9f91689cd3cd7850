import keras
import numpy as np
import pytest

from keras_hpa import ClassBalancedCrossentropy
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient

_COUNTS = np.array([5000, 200, 11])


def test_equal_counts_are_keras_binary_crossentropy():
    labels, scores = _batch()
    expected = keras.losses.BinaryCrossentropy(label_smoothing=0.1)(labels, scores)
    loss = ClassBalancedCrossentropy([7, 7, 7], label_smoothing=0.1)
    assert float(loss(labels, scores)) == pytest.approx(float(expected), abs=1e-6)
    assert float(ClassBalancedCrossentropy([1, 2, 3], beta=0.0, label_smoothing=0.1)(labels, scores)) == pytest.approx(
        float(expected), abs=1e-6
    )


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("beta", [0.9, 0.9999])
def test_value_and_gradient(from_logits, beta):
    labels, scores = _batch()
    labels[2, 1] = -1
    sample_weight = np.array([1.0, 0.5, 2, 0, 3])

    def reference(inputs):
        p = 1 / (1 + np.exp(-inputs)) if from_logits else inputs
        y = np.maximum(labels, 0) * 0.8 + 0.1
        effective = np.array([sum(beta**k for k in range(count)) for count in _COUNTS])
        w = (1 / effective) * 3 / (1 / effective).sum()
        values = -w * (y * np.log(p) + (1 - y) * np.log(1 - p)) * sample_weight[:, None]
        return values[labels >= 0].mean()

    loss = ClassBalancedCrossentropy(_COUNTS, beta=beta, from_logits=from_logits, label_smoothing=0.2)
    check_gradient(loss, reference, labels, np.log(scores / (1 - scores)) if from_logits else scores, sample_weight)


def test_class_without_samples_weighs_as_one_with_a_single_sample():
    labels, scores = _batch()
    none, one = ClassBalancedCrossentropy([9, 9, 0]), ClassBalancedCrossentropy([9, 9, 1])
    assert float(none(labels, scores)) == float(one(labels, scores))


def test_arguments():
    check_registration(ClassBalancedCrossentropy)
    arguments = {
        "class_counts": [3.0, 4.0],
        "beta": 0.9,
        "from_logits": True,
        "label_smoothing": 0.1,
        "name": "other",
        "dtype": "float16",
    }
    check_constructor_arguments(ClassBalancedCrossentropy, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_counts": []}, r"class_counts.*\[\]"),
        ({"class_counts": [1, -1]}, r"class_counts.*-1"),
        ({"class_counts": [[1, 1]]}, r"class_counts.*\[\[1, 1\]\]"),
        ({"class_counts": [1], "beta": 1.0}, "beta.*1.0"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassBalancedCrossentropy(**arguments)


def test_batch_with_other_classes_is_named():
    with pytest.raises(ValueError, match=r"3 classes.*\(2, 4\)"):
        ClassBalancedCrossentropy(_COUNTS)(np.zeros((2, 4)), np.zeros((2, 4)))


def _batch():
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, (5, 3)).astype("float64"), rng.uniform(0.05, 0.95, (5, 3))
