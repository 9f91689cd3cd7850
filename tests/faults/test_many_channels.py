"""Images of any number of channels and any type are resized, packed, compared and scored."""

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence, PackedSource, near_duplicate_groups, predict_scores
from keras_hpa.data.resizing import resize_image

_CHANNELS = [1, 2, 4, 5, 6, 7, 8, 9, 41]


def _images(num_channels, dtype="uint8", count=2):
    values = np.random.default_rng(0).integers(0, 100, (count, 20, 24, num_channels))
    return values.astype(dtype)


@pytest.mark.parametrize("num_channels", _CHANNELS)
@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic", "nearest"])
def test_each_channel_is_resized_as_if_it_were_alone(num_channels, interpolation):
    for dtype in ("uint8", "uint16", "int16", "float32", "float64", "float16", "int32"):
        image = _images(num_channels, dtype)[0]
        for size in ((10, 12), (7, 31)):
            resized = resize_image(image, size, interpolation)
            alone = [resize_image(image[..., one : one + 1], size, interpolation) for one in range(num_channels)]
            assert resized.shape == (*size, num_channels)
            np.testing.assert_allclose(resized, np.concatenate(alone, axis=-1), rtol=1e-3, atol=1)


@pytest.mark.parametrize("num_channels", _CHANNELS)
@pytest.mark.parametrize("dtype", ["float32", "source"])
def test_batches_of_many_channels(num_channels, dtype):
    source = ArraySource(_images(num_channels))
    batch = MultiChannelSequence(source, image_size=10, dtype=dtype, augment="dihedral", workers=1)[0]
    assert batch.shape == (2, 10, 10, num_channels)
    expected = source.images.mean((0, 1, 2)) / (255 if dtype == "float32" else 1)
    np.testing.assert_allclose(batch.mean((0, 1, 2)), expected, rtol=0.1)


@pytest.mark.parametrize("num_channels", [5, 9])
def test_packs_of_many_channels(num_channels, tmp_path):
    source = ArraySource(_images(num_channels, "uint16"))
    packed = PackedSource.build(source, tmp_path / "pack", image_size=10, verbose=0)
    expected = MultiChannelSequence(source, image_size=10, dtype="source")[0]
    np.testing.assert_array_equal(np.stack([packed.read(0), packed.read(1)]), expected)


@pytest.mark.parametrize("num_channels", [5, 9])
def test_duplicates_of_many_channels(num_channels):
    images = _images(num_channels, count=4)
    images[3] = images[1]
    assert near_duplicate_groups(ArraySource(images), verbose=0).tolist() == [0, 1, 2, 1]


def test_scores_of_cell_painting():
    model = keras.Sequential([keras.Input((10, 10, 5)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)])
    sequence = MultiChannelSequence(ArraySource(_images(5)), image_size=10)
    assert predict_scores(model, sequence, "dihedral", verbose=0).shape == (2, 3)
