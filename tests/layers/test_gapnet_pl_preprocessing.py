import keras
import numpy as np
import pytest

from keras_hpa.gapnet_pl import GapNetPLPreprocessing
from tests.helpers import check_constructor_arguments, check_layer

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 6, 8, 4)).astype("uint8")


def test_channels_are_reordered_and_standardised():
    blue_green_red_yellow = IMAGES[..., [2, 1, 0, 3]].astype("float64")
    expected = blue_green_red_yellow - blue_green_red_yellow.mean((1, 2), keepdims=True)
    expected /= blue_green_red_yellow.std((1, 2), keepdims=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(GapNetPLPreprocessing()(IMAGES)), expected, atol=1e-5)


def test_image_is_enlarged():
    gradient = np.broadcast_to(np.arange(8.0, dtype="float32")[None, None, :, None], (1, 6, 8, 4))
    enlarged = keras.ops.convert_to_numpy(GapNetPLPreprocessing(1.5)(gradient))
    assert enlarged.shape == (1, 9, 12, 4)
    expected = (np.arange(12) + 0.5) / 1.5 - 0.5
    slope = np.polyfit(expected[2:-2], enlarged[0, 4, 2:-2, 0], 1)
    np.testing.assert_allclose(enlarged[0, 4, 2:-2, 0], np.polyval(slope, expected[2:-2]), atol=0.05)


@pytest.mark.parametrize("scale", [2, 4, 0.5])
def test_an_enlarged_image_is_tensorflow_s_on_every_backend(scale):
    tensorflow = pytest.importorskip("tensorflow")
    size = [round(side * scale) for side in IMAGES.shape[1:3]]
    expected = tensorflow.image.resize(IMAGES[..., [2, 1, 0, 3]], size, method="bicubic").numpy().astype("float64")
    expected -= expected.mean((1, 2), keepdims=True)
    expected /= expected.std((1, 2), keepdims=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(GapNetPLPreprocessing(scale)(IMAGES)), expected, atol=1e-5)


def test_unknown_size_is_kept():
    inputs = keras.Input((None, None, 4))
    assert GapNetPLPreprocessing()(inputs).shape == (None, None, None, 4)
    with pytest.raises(ValueError, match="known height and width"):
        GapNetPLPreprocessing(2)(inputs)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(GapNetPLPreprocessing, {"scale": 2.0})
    check_layer(GapNetPLPreprocessing, {"scale": 2}, IMAGES, tmp_path)


def test_wrong_argument_is_named():
    for scale in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match=rf"`scale` must be positive.*Received: {scale}"):
            GapNetPLPreprocessing(scale)
    with pytest.raises(ValueError, match=r"must have 4 channels: red, green, blue, yellow.*, 3\)"):
        GapNetPLPreprocessing()(IMAGES[..., :3])
