import keras
import numpy as np
import pytest

from keras_hpa.layers import MinMaxNormalization
from tests.helpers import check_constructor_arguments, check_layer

IMAGES = np.random.default_rng(0).integers(0, 60000, (2, 5, 6, 4)).astype("float32")


def test_values():
    lowest, highest = IMAGES.min((1, 2, 3), keepdims=True), IMAGES.max((1, 2, 3), keepdims=True)
    expected = (IMAGES - lowest) / (highest - lowest + 1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(MinMaxNormalization()(IMAGES)), expected, atol=1e-6)
    integers = MinMaxNormalization()(IMAGES.astype("int32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(integers), expected, atol=1e-6)


def test_an_image_without_contrast_becomes_zero():
    flat = keras.ops.convert_to_numpy(MinMaxNormalization()(np.full((1, 3, 3, 2), 0.7, "float32")))
    np.testing.assert_array_equal(flat, 0)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(MinMaxNormalization, {"epsilon": 0.5})
    check_layer(MinMaxNormalization, {}, IMAGES / 60000, tmp_path)


@pytest.mark.parametrize("epsilon", [0, -1e-4, float("inf"), float("nan")])
def test_wrong_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match=rf"`epsilon` must be positive.*Received: {epsilon}"):
        MinMaxNormalization(epsilon=epsilon)
