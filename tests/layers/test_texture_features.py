"""Measures of texture, beside the same in NumPy and SciPy."""

import itertools

import keras
import numpy as np
import pytest
import scipy.ndimage

from keras_hpa import TextureFeatures
from tests.helpers import check_constructor_arguments, check_layer

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.random((3, 40, 40, 2))
# From fine grains to coarse ones, so that no two images are alike.
IMAGES = np.stack(
    [scipy.ndimage.gaussian_filter(image, (sigma, sigma, 0)) for image, sigma in zip(NOISE, (0.5, 1, 3), strict=True)]
).astype("float32")


def features(images):
    return keras.ops.convert_to_numpy(TextureFeatures()(images))


def standardized(image):
    return (image - image.mean()) / image.std()


def of_one_channel():
    """The features of the first channel of each image, and these channels standardized, in double precision."""
    return features(IMAGES)[:, :77], [standardized(image[..., 0].astype("float64")) for image in IMAGES]


def test_power_is_that_of_a_fourier_transform():
    measured, images = of_one_channel()
    window = np.outer(np.hanning(40), np.hanning(40))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(40), np.fft.fftfreq(40), indexing="ij"))
    edges = 1 / np.geomspace(80, 2, 13)
    for row, image in zip(measured, images, strict=True):
        power = np.abs(np.fft.fft2(image * window)) ** 2 / (window**2).sum()
        for number, (low, high) in enumerate(itertools.pairwise(edges)):
            inside = (frequency >= low) & (frequency < high)
            expected = power[inside].mean() if inside.any() else 0.0
            np.testing.assert_allclose(row[number], np.log(expected + 1e-6), atol=2e-3)
    assert (np.diff(measured[:, 11]) < -1).all()  # coarser images have less of the finest structures


def test_rings_and_levels():
    measured, images = of_one_channel()
    rows, columns = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40), indexing="ij")
    inside = np.hypot(rows, columns) < 0.2
    for row, image in zip(measured, images, strict=True):
        np.testing.assert_allclose(row[19], image[inside].mean(), atol=1e-4)
        np.testing.assert_allclose(row[25], np.sqrt(image[inside].var() + 1e-4), atol=1e-3)
        np.testing.assert_allclose(row[14], (image > 0).mean(), atol=0.05)
        assert (np.diff(row[12:19]) < 0).all()


def test_moments_of_blurs():
    measured, images = of_one_channel()
    for row, image in zip(measured, images, strict=True):
        once, twice = (
            scipy.ndimage.gaussian_filter(image, sigma, mode="constant", radius=3 * sigma) for sigma in (1, 2)
        )
        for number, lost in ((31, image - once), (35, once - twice)):
            np.testing.assert_allclose(row[number], np.log((lost**2).mean() + 1e-4) / 2, atol=1e-3)
            np.testing.assert_allclose(row[number + 3], np.log(np.abs(lost).mean() + 1e-3), atol=1e-3)


def test_local_binary_patterns():
    image = RANDOM.integers(0, 8, (1, 30, 30, 1)).astype("float32") * 100  # steps far above the tolerance
    measured = features(image)[0, 47:57]
    blurred = scipy.ndimage.gaussian_filter(standardized(image[0, ..., 0]), 0.7, mode="constant", radius=2)
    around = [np.roll(blurred, (-down, -right), (0, 1)) > blurred + 0.02 for down in (-1, 0, 1) for right in (-1, 0, 1)]
    ring = np.stack([around[number] for number in (0, 1, 2, 5, 8, 7, 6, 3)])[:, 1:-1, 1:-1]
    changes = (ring != np.roll(ring, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, ring.sum(axis=0), 9)
    np.testing.assert_allclose(measured, np.bincount(pattern.ravel(), minlength=10) / pattern.size, atol=3e-3)


def test_turned_and_mirrored_images_have_the_same_texture():
    for turned in (np.rot90(IMAGES, axes=(1, 2)), IMAGES[:, ::-1], IMAGES.transpose(0, 2, 1, 3)):
        np.testing.assert_allclose(features(np.ascontiguousarray(turned)), features(IMAGES), atol=5e-3)


def test_exposure_and_the_other_channels_do_not_matter():
    other = IMAGES * np.float32(300) + np.float32(70)
    np.testing.assert_allclose(features(other), features(IMAGES), atol=5e-3)
    np.testing.assert_allclose(features(IMAGES[..., 1:]), features(IMAGES)[:, 77:], atol=1e-5)


def test_a_dark_channel_has_finite_features():
    dark = features(np.zeros((1, 20, 20, 1), "float32"))
    assert np.isfinite(dark).all()
    np.testing.assert_allclose(features(np.full((1, 20, 20, 1), 3.0, "float32")), dark, atol=1e-5)


def test_images_of_any_size_and_shape():
    model = keras.Sequential([keras.Input((None, None, 2)), TextureFeatures()])
    for images in (IMAGES, IMAGES[:, :27, 3:]):
        np.testing.assert_allclose(model.predict(images, verbose=0), features(images), atol=1e-4)


def test_as_a_keras_layer(tmp_path):
    check_constructor_arguments(TextureFeatures, {})
    check_layer(TextureFeatures, {}, IMAGES, tmp_path)


def test_too_small_images_are_refused():
    with pytest.raises(ValueError, match=r"at least 9 pixels high and wide\. Received shape: \(None, 8, 20, 1\)"):
        TextureFeatures()(keras.Input((8, 20, 1)))
    with pytest.raises(ValueError, match=r"at least 9 pixels high and wide"):
        TextureFeatures()(IMAGES[:, :, :8])
