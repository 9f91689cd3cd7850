import keras
import numpy as np
import pytest

from keras_hpa import PercentileNormalization
from tests.helpers import check_constructor_arguments, check_layer

IMAGES = np.random.default_rng(0).random((2, 9, 7, 4)).astype("float32")


@pytest.mark.parametrize("clip", [True, False])
def test_values(clip):
    low, high = (np.percentile(IMAGES, q, axis=(1, 2), keepdims=True) for q in (5, 80))
    expected = (IMAGES - low) / (high - low)
    result = keras.ops.convert_to_numpy(PercentileNormalization(5, 80, clip)(IMAGES))
    np.testing.assert_allclose(result, expected.clip(0, 1) if clip else expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 40, 50, 3), (1, 1, 2, 1), (1, 3, 1, 2)])
@pytest.mark.parametrize(("low", "high"), [(0.1, 99.9), (0, 100), (5, 6), (0, 0.1), (60, 95)])
def test_percentiles_are_numpy_s_for_images_of_any_size(shape, low, high):
    images = np.random.default_rng(1).random(shape, np.float32)
    bounds = [np.percentile(images.astype(np.float64), q, axis=(1, 2), keepdims=True) for q in (low, high)]
    expected = (images - bounds[0]) / (bounds[1] - bounds[0])
    inputs = keras.Input((None, None, shape[-1]))
    layer = PercentileNormalization(low, high, clip=False)
    for result in (layer(images), keras.Model(inputs, layer(inputs)).predict(images, verbose=0)):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=1e-3)


def test_an_image_without_contrast_becomes_zero():
    flat = keras.ops.convert_to_numpy(PercentileNormalization()(np.full((1, 3, 3, 2), 200, "uint8")))
    np.testing.assert_array_equal(flat, 0)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(PercentileNormalization, {"low": 1.0, "high": 98.0, "clip": False, "epsilon": 0.5})
    check_layer(PercentileNormalization, {}, IMAGES, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 60, "high": 40}, "`low` and `high`"),
        ({"high": 101}, "`low` and `high`"),
        ({"epsilon": 0}, "`epsilon`"),
        ({"epsilon": np.inf}, "`epsilon`"),
        ({"high": np.inf}, "`low` and `high`"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=rf"{message} must.*Received"):
        PercentileNormalization(**arguments)
