import os
import pickle
import struct
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import tifffile

from keras_hpa import ArraySource, ChannelFiles, PackedSource, Samples, select_channels, subset, validate
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder


def _damage(folder):
    """Ten kinds of damage, one to each of the samples 1 to 10; gives what the report must say of each."""
    file = {number: folder / f"sample{number}_green.png" for number in range(1, 11)}
    file[1].unlink()
    file[2].write_bytes(b"")
    file[3].write_bytes(file[3].read_bytes()[:60])
    file[4].write_bytes(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes())
    cv2.imwrite(str(file[5]), np.zeros((8, 8), np.uint16))
    cv2.imwrite(str(file[6]), np.random.default_rng(0).integers(256, size=(8, 8, 3)))
    cv2.imwrite(str(file[7]), np.zeros((8, 4), np.uint8))
    content = bytearray(file[8].read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    file[8].write_bytes(content)
    file[9].unlink()
    os.symlink(folder.parent / "train.csv", file[9])
    content = bytearray(file[10].read_bytes())
    content[50] ^= 255
    file[10].write_bytes(content)
    return {
        1: "no file",
        2: "empty",
        3: "truncated",
        4: "JPEG",
        5: "uint16",
        6: "colours differ",
        7: r"(8, 4)",
        8: "60000 x 60000",
        9: "below `root`",
        10: "damaged",
    }


def test_ten_kinds_of_damage_are_all_named(tmp_path):
    write_kaggle_folder(tmp_path, 12)
    expected = _damage(tmp_path / "train")
    source = ChannelFiles(tmp_path / "train", [f"sample{number}" for number in range(12)], channels=CHANNELS)
    report = validate(source, verbose=0)
    assert not report.is_valid
    assert [sample_id for sample_id, _ in report.errors] == [f"sample{number}" for number in range(1, 11)]
    for (sample_id, message), number in zip(report.errors, range(1, 11), strict=True):
        assert expected[number] in message
        assert sample_id in message
        assert f"{sample_id}_green.png" in message
        assert f"{sample_id}: {message}" in str(report)
    assert report.shapes == {(8, 8): 2}


def test_unused_range_and_mixed_sizes_are_reported(tmp_path):
    images = [np.full((4, 4, 2), 4095, "uint16"), np.full((5, 4, 2), 65535, "uint16"), np.full((4, 4, 2), 9.0)]
    report = validate(ArraySource(images, ["a", "b", "c"], channels=["x", "y"]), verbose=0)
    assert report.is_valid
    assert report.dark == (("a", "x", 4095), ("a", "y", 4095))
    assert report.shapes == {(4, 4): 2, (5, 4): 1}
    assert report.dtypes == {"uint16": 2, "float64": 1}
    assert "4 x 4 (2), 5 x 4 (1) - give `image_size`" in str(report)


def _handed_on(source, tmp_path):
    """The ways in which a source reaches `validate`, and how many of sample1's red and green each has."""
    samples = Samples(source, np.eye(3))
    pack = PackedSource.build(source, tmp_path / "pack", verbose=0)
    yield source, 2
    yield samples, 2
    yield subset(source, [1]), 2
    yield subset(source, [0, 2]), 0
    yield samples[:2].select_channels(["blue", "red"]), 1
    yield select_channels(subset(subset(source, [2, 1]), [1]), ["green", "blue"]), 1
    yield pack, 2
    yield PackedSource(tmp_path / "pack"), 2
    yield samples[::-1].packed(tmp_path / "other", image_size=4, verbose=0)[1:], 2
    yield select_channels(pack, ["red"]), 1
    yield pickle.loads(pickle.dumps(samples)), 2


def test_filled_channels_are_counted_however_the_source_is_handed_on(tmp_path):
    write_kaggle_folder(tmp_path, 3)
    (tmp_path / "train" / "sample1_red.png").unlink()
    (tmp_path / "train" / "sample1_green.png").unlink()
    source = ChannelFiles(tmp_path / "train", ["sample0", "sample1", "sample2"], channels=CHANNELS, missing="zeros")
    for handed_on, expected in _handed_on(source, tmp_path):
        report = validate(handed_on, verbose=0)
        assert report.filled == expected, handed_on
        assert (f"{expected} missing channels were read as zeros" in str(report)) == (expected > 0)


def test_filled_channels_of_samples_that_processes_read_are_counted(tmp_path):
    write_kaggle_folder(tmp_path, 2)
    (tmp_path / "train" / "sample1_red.png").unlink()
    source = ChannelFiles(tmp_path / "train", ["sample0", "sample1"], channels=CHANNELS, missing="zeros")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        images = list(pool.map(source.read, range(2)))
    assert not images[1][..., 0].any()
    assert source.filled == {("sample1", "red")}
    assert validate(source, verbose=0).filled == 1


def test_what_a_source_of_ones_own_has_filled_is_counted():
    class _Filling(ArraySource):
        filled = (("1", "channel2"), ("2", "channel1"))

    source = _Filling(np.zeros((3, 2, 2, 2)))
    assert validate(source, verbose=0).filled == 2
    assert validate(subset(source, [0, 2]), verbose=0).filled == 1


def test_whatever_a_source_raises_is_reported():
    class _Broken(ArraySource):
        def read(self, index):
            if index == 1:
                raise KeyError("tile")
            return super().read(index)[..., : 4 - index // 2]

    report = validate(_Broken(np.zeros((3, 2, 2, 4))), verbose=0)
    assert report.errors[0] == ("1", "'tile'")
    assert report.errors[1][1].endswith("(height, width, 4). Received: float64 of shape (2, 2, 3)")


def test_damaged_tiff_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a_x.tif", np.array([[np.nan, 0]], "float32"))
    source = ChannelFiles(tmp_path, ["a"], channels=["x"], pattern="{id}_{channel}.tif")
    assert "NaN" in validate(source, verbose=0).errors[0][1]


def test_ten_errors_are_printed_and_all_kept(tmp_path):
    write_kaggle_folder(tmp_path, 1)
    ids = [f"missing{number}" for number in range(12)]
    report = validate(ChannelFiles(tmp_path / "train", ids, channels=CHANNELS), verbose=0)
    assert len(report.errors) == 12
    assert sum("missing" in line for line in str(report).splitlines()) == 10
    assert "  ..." in str(report).splitlines()
