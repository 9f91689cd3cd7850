import numpy as np
import pytest
import tifffile

from keras_hpa import ChannelFiles, ChannelStacks
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder


def _write(path, image, names=None):
    metadata = {"axes": "CYX"} | ({} if names is None else {"Channel": {"Name": names}})
    tifffile.imwrite(path, image, ome=True, metadata=metadata, photometric="minisblack")


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(65536, size=(3, 8, 6)).astype(np.uint16)


def test_channels_are_named_by_the_file(tmp_path, image):
    _write(tmp_path / "a.ome.tif", image, ["dapi", "gfp", "er"])
    source = ChannelStacks(tmp_path, ["a"], pattern="{id}.ome.tif")
    assert source.channels == ("dapi", "gfp", "er")
    np.testing.assert_array_equal(source.read(0), np.moveaxis(image, 0, -1))


def test_other_order_of_channels_is_an_error_and_other_names_are_not(tmp_path, image):
    _write(tmp_path / "a.tif", image, ["dapi", "gfp", "er"])
    with pytest.raises(ValueError, match=r"Sample 'a'.*\('dapi', 'gfp', 'er'\) in .*a\.tif"):
        ChannelStacks(tmp_path, ["a"], channels=["gfp", "dapi", "er"]).read(0)
    assert ChannelStacks(tmp_path, ["a"], channels=["nucleus", "protein", "net"]).read(0).shape == (8, 6, 3)


def test_file_with_other_channels_is_an_error(tmp_path, image):
    np.save(tmp_path / "a.npy", image)
    np.save(tmp_path / "b.npy", image[:2])
    source = ChannelStacks(tmp_path, ["a", "b"], pattern="{id}.npy", axes="CYX")
    assert source.channels == ("0", "1", "2")
    with pytest.raises(ValueError, match=r"Sample 'b'.*2 channels.*b\.npy"):
        source.read(1)


def test_missing_or_damaged_file_is_named(tmp_path):
    (tmp_path / "b.tif").write_bytes(b"x")
    source = ChannelStacks(tmp_path, ["a", "b"], channels=["x"])
    with pytest.raises(FileNotFoundError, match=r"Sample 'a'.*a\.tif"):
        source.read(0)
    with pytest.raises(ValueError, match=r"Sample 'b'.*b\.tif"):
        source.read(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["../a"]}, "`ids`"),
        ({"ids": []}, "`channels`"),
        ({"channels": ["x", "x"]}, "`channels`"),
        ({"channels": "xy"}, "`channels`"),
        ({"pattern": "{id}_{channel}_{z}.tif"}, "`pattern`"),
        ({"pattern": "a.tif"}, "`pattern`"),
    ],
)
def test_wrong_argument_is_named(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ChannelStacks(tmp_path, **({"ids": ["a"]} | arguments))


def test_root_that_is_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ChannelStacks(tmp_path / "nowhere", ["a"])


def test_missing_channels_become_zeros_only_when_asked_and_are_counted(tmp_path):
    images = write_kaggle_folder(tmp_path, 2)
    (tmp_path / "train" / "sample1_blue.png").unlink()
    source = ChannelFiles(tmp_path / "train", ["sample0", "sample1"], channels=CHANNELS, missing="zeros")
    np.testing.assert_array_equal(source.read(0), images[0])
    np.testing.assert_array_equal(source.read(1), images[1] * np.array([1, 1, 0, 1], "uint8"))
    assert source.filled == {("sample1", "blue")}
    for channel in ("red", "green", "yellow"):
        (tmp_path / "train" / f"sample1_{channel}.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"'sample1'.*none of.*sample1_red\.png"):
        source.read(1)
