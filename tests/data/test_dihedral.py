import itertools

import keras
import numpy as np
import pytest

from keras_hpa import apply_symmetry, inverse_symmetry
from keras_hpa.data.augmentation import ChannelGain, random_symmetry

_IMAGES = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype("float32")


@pytest.mark.parametrize("symmetry", range(8))
def test_equals_numpy_and_inverts_exactly(symmetry):
    start = _IMAGES[:, :, ::-1] if symmetry >= 4 else _IMAGES
    expected = np.rot90(start, symmetry % 4, axes=(1, 2))
    np.testing.assert_array_equal(apply_symmetry(_IMAGES, symmetry), expected)
    np.testing.assert_array_equal(apply_symmetry(_IMAGES[0], symmetry), expected[0])
    tensor = apply_symmetry(keras.ops.convert_to_tensor(_IMAGES), symmetry)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(tensor), expected)
    back = apply_symmetry(tensor, inverse_symmetry(symmetry))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(back), _IMAGES)


def test_all_eight_differ():
    square = _IMAGES[0, :3, :3]
    for one, other in itertools.combinations(range(8), 2):
        assert not np.array_equal(apply_symmetry(square, one), apply_symmetry(square, other))


@pytest.mark.parametrize("symmetry", [-1, 8, 0.5, "1"])
def test_other_symmetries_are_refused(symmetry):
    with pytest.raises(ValueError, match="`symmetry`"):
        apply_symmetry(_IMAGES, symmetry)
    with pytest.raises(ValueError, match="`symmetry`"):
        inverse_symmetry(symmetry)


def test_image_without_channels_is_refused():
    with pytest.raises(ValueError, match="2 axes"):
        apply_symmetry(np.zeros((3, 3)), 1)


@pytest.mark.parametrize(("shape", "number"), [((4, 4, 1), 8), ((4, 6, 1), 4)])
def test_random_symmetry_takes_each_that_keeps_the_shape(shape, number):
    image = np.arange(np.prod(shape)).reshape(shape)
    drawn = [random_symmetry(image, np.random.default_rng(seed)) for seed in range(400)]
    assert {image.shape for image in drawn} == {shape}
    counts = np.unique([image.tobytes() for image in drawn], return_counts=True)[1]
    assert len(counts) == number
    assert counts.min() > 400 / number / 2


def test_gain_and_offset_are_of_each_channel_and_within_their_limits():
    image = np.random.default_rng(0).random((4, 4, 3)).astype("float32")
    slopes, intercepts = [], []
    for seed in range(200):
        changed = ChannelGain(0.5, offset=0.1)(image, np.random.default_rng(seed))
        for channel in range(3):
            slope, intercept = np.polyfit(image[..., channel].ravel(), changed[..., channel].ravel(), 1)
            slopes.append(slope)
            intercepts.append(intercept)
    assert 1 / 1.5 - 1e-3 <= min(slopes) < 0.7
    assert 1.45 < max(slopes) <= 1.5 + 1e-3
    assert -0.1 - 1e-3 <= min(intercepts) < -0.09
    assert 0.09 < max(intercepts) <= 0.1 + 1e-3
    assert abs(np.corrcoef(slopes[::3], slopes[1::3])[0, 1]) < 0.3


def test_gain_keeps_integers_in_their_range():
    image = np.array([[[0, 65535]]], "uint16")
    for seed in range(20):
        changed = ChannelGain(0.5, offset=0.1)(image, np.random.default_rng(seed))
        assert changed.dtype == np.uint16
        assert changed[0, 0, 0] <= 6554
        assert changed[0, 0, 1] >= 65535 / 1.5 - 6554


@pytest.mark.parametrize("arguments", [{"gain": -1}, {"offset": -0.1}])
def test_negative_gain_is_refused(arguments):
    with pytest.raises(ValueError, match="not negative"):
        ChannelGain(**arguments)
