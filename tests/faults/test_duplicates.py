"""Different fields stay apart however dark they are, blank ones cost nothing, and one file is one sample."""

import tracemalloc

import cv2
import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelFiles, ChannelStacks, near_duplicate_groups


def _fields(count, channels, seed=0):
    noise = np.random.default_rng(seed).normal(size=(count, 96, 96, channels)).astype("float32")
    smooth = np.stack([cv2.GaussianBlur(one, (0, 0), 5).reshape(96, 96, channels) for one in noise])
    return ((smooth - smooth.min()) / np.ptp(smooth) * 255).astype("uint8")


def _groups(images, **options):
    return near_duplicate_groups(ArraySource(images), verbose=0, **options).tolist()


@pytest.mark.parametrize("dark", [[1, 2, 3], [0], [0, 1], []])
@pytest.mark.parametrize("value", [0, 7, 255])
def test_different_fields_with_blank_channels_stay_apart(dark, value):
    images = _fields(6, 4)
    images[..., dark] = value
    assert _groups(images) == list(range(6))
    assert _groups(np.concatenate([images, images // 2 if not value else images])) == [*range(6)] * 2


def test_different_fields_of_many_dark_channels_stay_apart():
    images = _fields(6, 1)
    assert _groups(np.concatenate([images, *[np.zeros_like(images)] * 9], axis=-1)) == list(range(6))


def test_a_channel_that_is_blank_in_one_sample_alone_keeps_the_two_apart():
    images = np.concatenate([_fields(1, 2)] * 2)
    images[1, ..., 1] = 0
    assert _groups(images) == [0, 1]


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_dim_fields_are_told_apart_as_bright_ones_are(dtype):
    images = _fields(6, 3).astype(dtype) * np.asarray([1, 0.02, 0.01]).astype(dtype)
    images[..., 2] = 0 if dtype == "uint16" else images[..., 2]
    assert _groups(images) == list(range(6))


@pytest.mark.parametrize("value", [0, 3])
def test_thousands_of_blank_samples_take_little_memory(value):
    source = ArraySource(np.broadcast_to(np.uint8(value), (8_000, 8, 8, 1)))
    tracemalloc.start()
    try:
        groups = near_duplicate_groups(source, verbose=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert not groups.any()
    assert peak < 100e6


@pytest.mark.slow
def test_thousands_of_different_samples_take_little_memory():
    images = np.random.default_rng(0).integers(256, size=(4_000, 8, 8, 1)).astype("uint8")
    images[1::2] = images[::2]
    tracemalloc.start()
    try:
        groups = near_duplicate_groups(ArraySource(images), max_distance=0.0, verbose=0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(groups, np.arange(4_000) // 2)
    assert peak < 200e6


_SAME = [["a", "./a"], ["a", ".//a"], ["x/b", "x/./b"], ["x/b", "x//b"], ["a", "a"], ["x/b", "x\\b"]]
_UPWARDS = [["a", "x/../a"], ["../a"], ["x/.."], ["/a"], ["C:/a"], ["..\\a"]]
_SOURCES = {
    "files": lambda root, ids: ChannelFiles(root, ids, channels=["y"], pattern="{id}.npy"),
    "stacks": lambda root, ids: ChannelStacks(root, ids, pattern="{id}.npy", channels=["y"]),
}
_sources = pytest.mark.parametrize("make", _SOURCES.values(), ids=_SOURCES.keys())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x").mkdir()
    for path in ("a.npy", "x/b.npy", "x/a.npy"):
        np.save(tmp_path / path, np.zeros((4, 4, 1), "uint8"))
    return tmp_path


@_sources
@pytest.mark.parametrize("ids", _SAME, ids=str)
def test_one_file_is_one_sample_however_its_path_is_written(make, ids, folder):
    with pytest.raises(ValueError, match=r"`ids` must not repeat\. Received: "):
        make(folder, ids)


@_sources
@pytest.mark.parametrize("ids", _UPWARDS, ids=str)
def test_ids_lead_neither_upwards_nor_elsewhere(make, ids, folder):
    with pytest.raises(ValueError, match=r"`ids` must not lead out of `root`"):
        make(folder, ids)


@_sources
def test_files_of_one_name_in_two_folders_are_two_samples(make, folder):
    assert len(make(folder, ["a", "x/a", "x/b"])) == 3
