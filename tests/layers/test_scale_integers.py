import keras
import numpy as np
import pytest

from keras_hpa import ScaleIntegers
from tests.helpers import check_constructor_arguments, check_layer


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_integers_are_divided_by_the_maximum_of_their_type(dtype, policy):
    largest = int(np.iinfo(dtype).max)
    pixels = np.array([[0, largest // 3, largest]], dtype)
    max_value = largest if arrives_signed(pixels) else None
    scaled = keras.ops.convert_to_numpy(ScaleIntegers(max_value, dtype=policy)(pixels))
    np.testing.assert_allclose(scaled, [[0, 1 / 3, 1]], atol=1e-6 if policy == "float32" else 1e-3)


def arrives_signed(pixels):
    """Torch has no full uint16, so that Keras hands the layer int32."""
    return keras.backend.standardize_dtype(keras.ops.convert_to_tensor(pixels).dtype).startswith("int")


def test_signed_integers_need_a_maximum():
    with pytest.raises(ValueError, match=r"Signed integers need a `max_value`.*dtype int32"):
        ScaleIntegers()(np.zeros((1, 4), "int32"))


def test_a_given_maximum_becomes_one():
    scaled = keras.ops.convert_to_numpy(ScaleIntegers(4095)(np.array([[0, 4095]], "uint16")))
    np.testing.assert_allclose(scaled, [[0, 1]], atol=1e-6)


def test_floats_pass_unchanged():
    values = np.array([[-1.0, 0.5, 300.0]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(ScaleIntegers(255)(values)), values)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(ScaleIntegers, {"max_value": 4095})
    check_layer(ScaleIntegers, {}, np.random.default_rng(0).integers(0, 256, (2, 3, 3, 4)).astype("uint8"), tmp_path)


@pytest.mark.parametrize("max_value", [0, -1, float("nan"), float("inf")])
def test_a_maximum_that_is_not_positive_is_refused(max_value):
    with pytest.raises(ValueError, match=r"`max_value` must be positive.*Received"):
        ScaleIntegers(max_value)
