import pickle

import cv2
import numpy as np
import pytest

from keras_hpa import ChannelFiles
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder


@pytest.fixture
def folder(tmp_path):
    write_kaggle_folder(tmp_path, 3)
    return tmp_path / "train"


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_channels_are_stacked_in_the_order_asked_for(tmp_path, dtype):
    images = write_kaggle_folder(tmp_path, 2, dtype=dtype)
    source = ChannelFiles(tmp_path / "train", ["sample1", "sample0"], channels=["yellow", "red"])
    assert (source.read(0).dtype, source.channels, len(source)) == (dtype, ("yellow", "red"), 2)
    np.testing.assert_array_equal(source.read(0), images[1][..., [3, 0]])


def test_any_pattern(tmp_path):
    (tmp_path / "gfp" / "p1").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "gfp" / "p1" / "w.png"), np.full((2, 3), 7, np.uint8))
    source = ChannelFiles(tmp_path, ["p1/w"], channels=["gfp"], pattern="{channel}/{id}.png")
    np.testing.assert_array_equal(source.read(0), np.full((2, 3, 1), 7))


def test_pickled_source_reads_the_same(folder):
    source = ChannelFiles(folder, ["sample0"], channels=CHANNELS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source)).read(0), source.read(0))


def test_missing_channel_names_sample_channel_and_path(folder):
    (folder / "sample1_blue.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"'sample1', channel 'blue'.*sample1_blue\.png"):
        ChannelFiles(folder, ["sample1"], channels=CHANNELS).read(0)


def test_unreadable_channel_names_sample_channel_and_path(folder):
    (folder / "sample1_blue.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"'sample1', channel 'blue'.*sample1_blue\.png"):
        ChannelFiles(folder, ["sample1"], channels=CHANNELS).read(0)


@pytest.mark.parametrize("other", [np.zeros((4, 8), np.uint8), np.zeros((8, 8), np.uint16)])
def test_channels_of_different_size_or_type_are_an_error(folder, other):
    cv2.imwrite(str(folder / "sample2_yellow.png"), other)
    with pytest.raises(ValueError, match=r"'sample2', channel 'yellow'.*sample2_yellow\.png"):
        ChannelFiles(folder, ["sample2"], channels=CHANNELS).read(0)


@pytest.mark.parametrize(
    "sample_id", ["../secret", "a/../../secret", "/etc/passwd", "..", "a\\..\\b", "C:\\x", "a\0b", "a\nb", "", 7]
)
def test_id_that_could_leave_the_root_is_refused(folder, sample_id):
    with pytest.raises(ValueError, match="`ids`"):
        ChannelFiles(folder, ["sample0", sample_id], channels=CHANNELS)


def test_link_out_of_the_root_is_refused(folder, tmp_path):
    for channel in CHANNELS:
        cv2.imwrite(str(tmp_path / f"secret_{channel}.png"), np.zeros((8, 8), np.uint8))
    (folder / "inside").symlink_to(tmp_path)
    (folder / "link_red.png").symlink_to(tmp_path / "secret_red.png")
    with pytest.raises(ValueError, match=r"inside/secret.*below `root`"):
        ChannelFiles(folder, ["inside/secret"], channels=CHANNELS).read(0)
    with pytest.raises(ValueError, match=r"'link', channel 'red'.*below `root`"):
        ChannelFiles(folder, ["link"], channels=CHANNELS).read(0)


def test_link_to_the_root_and_links_inside_it_are_followed(folder, tmp_path):
    (tmp_path / "elsewhere").symlink_to(folder)
    (folder / "copy").symlink_to(folder)
    source = ChannelFiles(tmp_path / "elsewhere", ["copy/sample0", "sample0"], channels=CHANNELS)
    np.testing.assert_array_equal(source.read(0), source.read(1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["a", "b", "a"]}, "`ids` must not repeat.*'a'"),
        ({"ids": ["a", "./a"]}, r"`ids` must not repeat.*'\./a' beside 'a'"),
        ({"ids": ["b/c", "a", "b//c"]}, "`ids` must not repeat.*'b//c' beside 'b/c'"),
        ({"ids": [1, 2]}, "`ids` must be printable text.*1"),
        ({"ids": 7}, "`ids` must be a list of names.*7"),
        ({"channels": ["red", "red"]}, "`channels` must not repeat"),
        ({"channels": []}, "`channels`"),
        ({"channels": "red"}, "`channels` must be a list of names.*'red'"),
        ({"ids": "abc"}, "`ids` must be a list of names.*'abc'"),
        ({"channels": ["../red"]}, "`channels`"),
        ({"pattern": "{id}.png"}, "`pattern`"),
        ({"pattern": "{channel}.png"}, "`pattern`"),
        ({"pattern": "{id}_{channel}_{plate}.png"}, "`pattern`"),
        ({"pattern": "{id.__class__}_{channel}.png"}, "`pattern`"),
        ({"pattern": "{id!r}_{channel}.png"}, "`pattern`"),
        ({"pattern": "{id}_{channel}_{}.png"}, "`pattern`"),
        ({"pattern": "{id_{channel}.png"}, "`pattern`"),
        ({"pattern": "../{id}_{channel}.png"}, "`pattern`"),
    ],
)
def test_wrong_argument_is_named(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        ChannelFiles(folder, **({"ids": ["sample0"], "channels": CHANNELS} | arguments))


def test_root_that_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ChannelFiles(tmp_path / "nowhere", ["a"], channels=CHANNELS)
