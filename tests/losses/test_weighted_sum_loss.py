import keras
import numpy as np
import pytest

from keras_hpa import AsymmetricLoss, MacroF1Loss, WeightedSumLoss
from tests.helpers import check_registration


def test_is_the_weighted_sum():
    rng = np.random.default_rng(0)
    labels, scores, weights = rng.integers(0, 2, (4, 3)), rng.random((4, 3)), rng.random(4)
    parts = [keras.losses.BinaryCrossentropy(), MacroF1Loss("report")]
    for given, numbers in ((None, [1, 1]), ([0.5, 3], [0.5, 3])):
        value = WeightedSumLoss(parts, given)(labels, scores, weights)
        expected = sum(n * float(part(labels, scores, weights)) for n, part in zip(numbers, parts, strict=True))
        assert float(value) == pytest.approx(expected, abs=1e-6)


def test_survives_json():
    check_registration(WeightedSumLoss)
    inner = WeightedSumLoss([AsymmetricLoss(margin=0.1)], [2.0], name="inner")
    loss = WeightedSumLoss([inner, keras.losses.BinaryCrossentropy(label_smoothing=0.1)], [1.0, 0.25], name="outer")
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert restored.get_config() == loss.get_config()
    assert restored.name == "outer"
    assert restored.weights == [1.0, 0.25]
    assert restored.losses[0].losses[0].margin == 0.1
    assert restored.losses[1].label_smoothing == 0.1


@pytest.mark.parametrize(
    ("losses", "weights", "error", "message"),
    [
        ([], None, ValueError, r"at least one.*\(\)"),
        (["mse"], None, TypeError, "'mse'"),
        ([keras.losses.MeanSquaredError(reduction=None, name="each")], None, ValueError, "'each'"),
        ([MacroF1Loss()], [1, 2], ValueError, r"each of 1 losses.*\[1, 2\]"),
        ([MacroF1Loss()], [float("nan")], ValueError, "finite.*nan"),
    ],
)
def test_wrong_argument_is_named(losses, weights, error, message):
    with pytest.raises(error, match=message):
        WeightedSumLoss(losses, weights)
