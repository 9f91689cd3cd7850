"""Pieces of augmentation: for any type and number of channels, a function of image and generator alone."""

import pickle

import numpy as np
import pytest
from scipy import ndimage

from keras_hpa import (
    ArraySource,
    ChannelDropout,
    ChannelGain,
    ChannelShift,
    RandomAffine,
    RandomBlur,
    RandomCrop,
    RandomNoise,
    Samples,
)

_NAMES = tuple("abcdefg")
_PIECES = {
    "gain": ChannelGain(),
    "crop": RandomCrop((12, 10)),
    "affine": RandomAffine(20, 0.2),
    "shift": ChannelShift(2),
    "blur": RandomBlur(2),
    "blur per channel": RandomBlur(2, per_channel=True),
    "noise": RandomNoise(0.01, 0.02),
}
_TYPES = ["uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64", "float16", "float32", "float64"]


def _image(dtype, channels, shape=(20, 16)):
    values = np.random.default_rng(7).random((*shape, channels))
    return (values * 100 if np.dtype(dtype).kind in "iu" else values).astype(dtype)


@pytest.mark.parametrize("dtype", _TYPES)
@pytest.mark.parametrize("name", _PIECES)
def test_any_type_and_number_of_channels(name, dtype):
    for channels in (1, 3, 5, 7):
        image = _image(dtype, channels)
        before = image.copy()
        piece = pickle.loads(pickle.dumps(_PIECES[name]))
        one, other, third = (piece(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
        assert (one.dtype, one.shape[2]) == (image.dtype, channels)
        assert one.shape == (12, 10, channels) if name == "crop" else one.shape == image.shape
        assert np.isfinite(one.astype(float)).all()
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(image, before)
        assert not np.array_equal(one, third)


@pytest.mark.parametrize("name", _PIECES)
def test_a_sequence_takes_it_from_processes_too(name):
    samples = Samples(ArraySource(np.stack([_image("uint8", 3)] * 2)))
    options = {"augment": ["dihedral", _PIECES[name]] if name == "crop" else _PIECES[name], "image_size": 20}
    here = samples.batches(workers=0, **options)[0]
    assert here.shape == ((2, 12, 10, 3) if name == "crop" else (2, 20, 20, 3))
    np.testing.assert_array_equal(here, samples.batches(workers=2, **options)[0])


def test_a_crop_is_anywhere_and_whole():
    image = np.arange(30).reshape(5, 6, 1)
    crops = [RandomCrop((4, 4))(image, np.random.default_rng(seed)) for seed in range(60)]
    corners = {int(crop[0, 0, 0]) for crop in crops}
    assert corners == {0, 1, 2, 6, 7, 8}
    for crop in crops:
        np.testing.assert_array_equal(crop, image[crop[0, 0, 0] // 6 :, crop[0, 0, 0] % 6 :][:4, :4])
    with pytest.raises(ValueError, match=r"as large as `size`, \(6, 6\).*\(5, 6\)"):
        RandomCrop(6)(image, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(33, 33), (30, 41)])
def test_turning_and_scaling_is_scipys(shape):
    image = _image("float64", 5, shape)
    image = ndimage.gaussian_filter(image, (2, 2, 0))
    for seed in range(4):
        angle, factor = np.random.default_rng(seed).uniform(size=2) * 2 - 1
        angle, factor = np.radians(15 * angle), np.exp(np.log1p(0.2) * factor)
        # SciPy's matrix leads from the result to the image, rows first.
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        inverse = np.linalg.inv(turn * factor)
        middle = (np.array(shape) - 1) / 2
        expected = [
            ndimage.affine_transform(image[..., channel], inverse, middle - inverse @ middle, order=1, mode="mirror")
            for channel in range(5)
        ]
        changed = RandomAffine(15, 0.2)(image, np.random.default_rng(seed))
        np.testing.assert_allclose(changed, np.stack(expected, axis=-1), atol=5e-3)  # OpenCV's steps are 1/32 pixel


def test_channels_shift_one_by_one():
    image = ndimage.gaussian_filter(_image("float64", 3, (40, 40)), (2, 2, 0))
    shifts = np.random.default_rng(3).uniform(-1.5, 1.5, size=(3, 2))
    shifted = ChannelShift(1.5)(image, np.random.default_rng(3))
    for channel, (x, y) in enumerate(shifts):
        expected = ndimage.shift(image[..., channel], (y, x), order=1, mode="mirror")
        np.testing.assert_allclose(shifted[..., channel], expected, atol=5e-3)


@pytest.mark.parametrize("per_channel", [False, True])
def test_blurring_is_scipys(per_channel):
    image = _image("float64", 5, (40, 40))
    sigmas = np.random.default_rng(3).uniform(0, 2.5, size=5 if per_channel else ())
    blurred = RandomBlur(2.5, per_channel=per_channel)(image, np.random.default_rng(3))
    for channel, sigma in enumerate(np.broadcast_to(sigmas, 5)):
        expected = ndimage.gaussian_filter(image[..., channel], sigma, mode="mirror", truncate=5)
        np.testing.assert_allclose(blurred[..., channel], expected, atol=2e-3)


def test_noise_is_as_strong_as_it_says():
    image = np.zeros((200, 200, 40), "float32")
    image[:, 100:] = 0.25
    noisy = RandomNoise(0.02, 0.2)(image, np.random.default_rng(0))
    dark, light = noisy[:, :100].std(axis=(0, 1)), noisy[:, 100:].std(axis=(0, 1))
    assert 0.015 < dark.max() <= 0.021
    assert dark.min() < 0.004
    shot = np.sqrt(np.maximum(light**2 - dark**2, 0)) / 0.5  # of the root of .25
    assert 0.17 < shot.max() < 0.21
    np.testing.assert_allclose(noisy.mean(axis=(0, 1)), 0.125, atol=0.002)
    saturated = RandomNoise(0.5, 0.0)(np.full((50, 50, 2), 255, "uint8"), np.random.default_rng(0))
    assert saturated.max() == 255  # and none turned over to the dark
    assert 60 < saturated.mean() < 255


def test_noise_leaves_a_stain_that_is_absent_dark():
    image = np.full((20, 20, 3), 9, "uint8")
    image[..., 1] = 0
    noisy = RandomNoise(0.1, 0.1)(image, np.random.default_rng(0))
    assert not noisy[..., 1].any()
    assert noisy[..., ::2].std(axis=(0, 1)).min() > 0


def test_channel_dropout_by_name():
    dropout = ChannelDropout(_NAMES, keep=["c"], rate=0.4)
    image = np.ones((2, 2, 7), "uint16")
    rng = np.random.default_rng(0)
    there = np.array([dropout(image, rng)[0, 0] for _ in range(2000)])
    assert there.dtype == np.uint16
    assert there[:, 2].all()
    np.testing.assert_allclose(np.delete(there, 2, axis=1).mean(axis=0), 0.6, atol=0.04)
    correlation = np.corrcoef(np.delete(there, 2, axis=1).T)
    assert np.abs(correlation - np.eye(6)).max() < 0.1
    assert (image == 1).all()


def test_one_channel_always_stays():
    everything = ChannelDropout(["x", "y"], keep=(), rate=1.0)
    there = np.array([everything(np.ones((1, 1, 2)), np.random.default_rng(seed))[0, 0] for seed in range(50)])
    assert (there.sum(axis=1) == 1).all()
    assert 10 < there[:, 0].sum() < 40
    assert ChannelDropout(["x", "y"], keep=["y"], rate=1.0)(np.ones((1, 1, 2)), np.random.default_rng(0)).tolist() == [
        [[0, 1]]
    ]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomCrop(0), "`size`.*0"),
        (lambda: RandomAffine(rotation=-1), "`rotation`.*-1"),
        (lambda: RandomAffine(scale=np.inf), "`scale`.*inf"),
        (lambda: ChannelShift("2"), "`pixels`.*'2'"),
        (lambda: RandomBlur(float("nan")), "`sigma`.*nan"),
        (lambda: RandomNoise(shot=-0.1), "`shot`.*-0.1"),
        (lambda: RandomNoise(read=True), "`read`.*True"),
        (lambda: ChannelDropout("abc", keep=()), "`channels`.*'abc'"),
        (lambda: ChannelDropout(["a", "a"], keep=()), r"`channels` must be different.*\['a', 'a'\]"),
        (lambda: ChannelDropout(["a", "b"], keep="a"), "`keep`.*'a'"),
        (lambda: ChannelDropout(["a", "b"], keep=["c"]), r"`keep` must be names of \('a', 'b'\).*\['c'\]"),
        (lambda: ChannelDropout(["a", "b"], keep=["a"], rate=1.5), "`rate`.*1.5"),
        (
            lambda: ChannelDropout(["a"], keep=())(np.ones((2, 2, 3)), np.random.default_rng(0)),
            r"must have the channels \('a',\).*3 channels",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
