import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelFiles, Source, select_channels, subset
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(256, size=(5, 4, 6, 3)).astype(np.uint8)


@pytest.fixture
def source(images):
    return ArraySource(images, list("abcde"), channels=["r", "g", "b"])


def test_subset_of_subset(source, images):
    part = subset(subset(source, [4, 2, 0]), [True, False, True])
    assert isinstance(part, Source)
    assert (part.ids, len(part), part.channels) == (("e", "a"), 2, source.channels)
    np.testing.assert_array_equal(part.read(1), images[0])


@pytest.mark.parametrize("indices", [[5], [-1], [0, 0], [True], [[0]], [0.5], ["a"]])
def test_wrong_indices_are_refused(source, indices):
    with pytest.raises(ValueError, match="`indices`"):
        subset(source, indices)


def test_empty_subset(source):
    assert len(subset(source, [])) == 0


def test_channels_of_subset_and_subset_of_channels(source, images):
    one = select_channels(subset(source, [3]), ["b", "r"])
    other = subset(select_channels(source, ["b", "r"]), [3])
    assert one.channels == other.channels == ("b", "r")
    assert one.ids == other.ids == ("d",)
    for part in (one, other):
        np.testing.assert_array_equal(part.read(0), images[3][..., [2, 0]])


def test_files_of_other_channels_are_not_opened(tmp_path):
    images = write_kaggle_folder(tmp_path, 1)
    (tmp_path / "train" / "sample0_red.png").unlink()
    source = select_channels(ChannelFiles(tmp_path / "train", ["sample0"], channels=CHANNELS), ["yellow", "green"])
    np.testing.assert_array_equal(source.read(0), images[0][..., [3, 1]])


@pytest.mark.parametrize("names", [["x"], ["r", "r"], [], "x"])
def test_wrong_channels_are_refused(source, names):
    with pytest.raises(ValueError, match="`names`"):
        select_channels(source, names)


@pytest.mark.parametrize(
    ("images", "arguments"),
    [
        ([], {}),
        ([np.zeros((2, 2))], {}),
        ([np.zeros((2, 2, 3)), np.zeros((2, 2, 4))], {}),
        ([np.zeros((2, 2, 3))], {"ids": ["a", "b"]}),
        ([np.zeros((2, 2, 3))] * 2, {"ids": ["a", "a"]}),
        ([np.zeros((2, 2, 3))] * 2, {"ids": [1, 2]}),
        ([np.zeros((2, 2, 3))], {"channels": ["r", "g"]}),
        ([np.zeros((2, 2, 3))], {"channels": ["r", "g", "g"]}),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images, arguments):
    with pytest.raises(ValueError, match="Received"):
        ArraySource(images, **arguments)
