import keras
import numpy as np
import pytest

from keras_hpa import PixelSize
from keras_hpa.graphs import scales_integers
from tests.helpers import check_constructor_arguments, check_layer


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(PixelSize, {"micrometres": 0.65})
    check_layer(PixelSize, {"micrometres": 0.65}, np.random.default_rng(0).random((2, 3, 3, 4), "float32"), tmp_path)


def test_images_pass_unchanged():
    images = np.array([[0.1, 70000.0], [-3.0, 0.0]], "float32")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(PixelSize(0.5)(images)), images)


@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf"), True])
def test_what_is_no_size_is_refused(size):
    with pytest.raises(ValueError, match=r"`micrometres`.*Received"):
        PixelSize(size)


def test_a_model_that_scales_behind_it_still_does():
    layers = [keras.Input((8, 8, 3)), PixelSize(0.5), keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(1, 3)]
    assert scales_integers(keras.Sequential(layers))
    assert not scales_integers(keras.Sequential([layers[0], PixelSize(0.5), keras.layers.Conv2D(1, 3)]))
