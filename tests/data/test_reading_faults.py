"""What readers once took for something else without a word: each is read right or refused."""

import numpy as np
import pytest
import tifffile

from keras_hpa.data import (
    ArraySource,
    ChannelFiles,
    ChannelStacks,
    MultiChannelSequence,
    near_duplicate_groups,
    validate,
)

STACK = np.random.default_rng(0).integers(1, 60_000, (5, 64, 48)).astype("uint16")


def _write_named(path, *names):
    tifffile.imwrite(path, STACK[: len(names)], ome=True, metadata={"axes": "CYX", "Channel": {"Name": list(names)}})


@pytest.mark.parametrize(
    "second", [("rfp", "dapi", "gfp"), ("GFP", "DAPI", "RFP"), (" gfp", "Dapi ", "rfp"), ("DAPI", "RFP", "GFP")]
)
def test_channels_in_another_order_are_refused(tmp_path, second):
    _write_named(tmp_path / "a.tif", "DAPI", "GFP", "RFP")
    _write_named(tmp_path / "b.tif", *second)
    with pytest.raises(ValueError, match="Sample 'b' must have the channels"):
        ChannelStacks(tmp_path, ["a", "b"]).read(1)


def test_own_names_in_another_order_are_refused(tmp_path):
    _write_named(tmp_path / "a.tif", "DAPI", "GFP", "RFP")
    with pytest.raises(ValueError, match="Sample 'a' must have the channels"):
        ChannelStacks(tmp_path, ["a"], channels=["gfp", "dapi", "rfp"]).read(0)
    assert ChannelStacks(tmp_path, ["a"], channels=[" dapi", "gfp", "Rfp"]).read(0).shape == (64, 48, 3)


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<u4", ">u4", ">f4"])
@pytest.mark.parametrize("image_size", [None, 32])
def test_byte_order_of_arrays(dtype, image_size):
    array = np.full((1, 64, 48, 2), 7).astype(dtype)
    batch = np.asarray(MultiChannelSequence(ArraySource(array), image_size=image_size, dtype="source")[0])
    np.testing.assert_allclose(batch, 7, rtol=1e-6)  # floats are resized with weights of float32


@pytest.mark.parametrize("dtype", ["uint64", "int64", "uint32", "int32", "int8"])
def test_resizing_keeps_the_ends_of_a_type(dtype):
    for value in (np.iinfo(dtype).min, np.iinfo(dtype).max):
        array = np.full((1, 8, 8, 1), value, dtype)
        batch = np.asarray(MultiChannelSequence(ArraySource(array), image_size=4, dtype="source")[0])
        assert batch.dtype == dtype
        assert (batch == array.flat[0]).all()


@pytest.mark.parametrize("num_channels", [5, 8, 9])
def test_five_channels_and_more_are_resized_as_each_alone(num_channels):
    images = np.random.default_rng(1).integers(256, size=(1, 50, 40, num_channels), dtype="uint8")
    together = np.asarray(MultiChannelSequence(ArraySource(images), image_size=16, dtype="source")[0])
    for channel in range(num_channels):
        alone = MultiChannelSequence(ArraySource(images[..., [channel]]), image_size=16, dtype="source")[0]
        np.testing.assert_array_equal(together[..., [channel]], np.asarray(alone))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "./a"], "repeat"),
        (["x/a", "x//a"], "repeat"),
        (["a", "x/../a"], "lead out"),
        ([1, 2], "Received: 1"),
        ("ab", "list"),
    ],
)
def test_ids_that_are_one_file_or_none(tmp_path, ids, message):
    with pytest.raises(ValueError, match=rf"`ids`.*{message}"):
        ChannelFiles(tmp_path, ids, channels=["a"], pattern="{id}.png")


@pytest.mark.parametrize("value", [0, 9])
def test_blank_channels_make_no_duplicates(value):
    images = np.full((6, 64, 64, 4), value, "uint8")
    images[..., 0] = np.random.default_rng(1).integers(256, size=(6, 64, 64))
    assert near_duplicate_groups(ArraySource(images), verbose=0).tolist() == list(range(6))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[1]], "Received: list"),
        (None, "Received: NoneType"),
        (np.full((4, 4, 1), np.nan, "float32"), "NaN"),
        (np.ones((4, 4, 1), bool), "Received: bool"),
        (np.ones((4, 4, 1), object), "Received: object"),
        (np.ones((4, 4, 2), "uint8"), "shape"),
    ],
)
def test_validate_goes_on(image, message):
    class One:
        ids, channels = ("a", "b"), ("x",)

        def __len__(self):
            return 2

        def read(self, index):
            return np.ones((4, 4, 1), "uint8") if index else image

    ((sample, error),) = validate(One(), verbose=0).errors
    assert sample == "a"
    assert message in error
