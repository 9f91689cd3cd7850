import keras
import numpy as np
import pytest

from keras_hpa import ImageStandardization
from tests.helpers import check_constructor_arguments, check_layer

IMAGES = np.random.default_rng(0).integers(0, 60000, (2, 5, 6, 4)).astype("float32")


@pytest.mark.parametrize(("per_channel", "axes"), [(True, (1, 2)), (False, (1, 2, 3))])
def test_values(per_channel, axes):
    expected = (IMAGES - IMAGES.mean(axes, keepdims=True)) / IMAGES.std(axes, keepdims=True)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ImageStandardization(per_channel)(IMAGES)), expected, atol=1e-5
    )
    integers = ImageStandardization(per_channel)(IMAGES.astype("int32"))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(integers), expected, atol=1e-5)


def test_an_image_without_contrast_becomes_zero():
    flat = keras.ops.convert_to_numpy(ImageStandardization()(np.full((1, 3, 3, 2), 0.7, "float32")))
    np.testing.assert_allclose(flat, 0, atol=1e-3)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(ImageStandardization, {"per_channel": False, "epsilon": 0.5})
    check_layer(ImageStandardization, {}, IMAGES / 60000, tmp_path)


@pytest.mark.parametrize("epsilon", [0, -1e-4, float("inf"), float("nan")])
def test_wrong_epsilon_is_refused(epsilon):
    with pytest.raises(ValueError, match=rf"`epsilon` must be positive.*Received: {epsilon}"):
        ImageStandardization(epsilon=epsilon)
