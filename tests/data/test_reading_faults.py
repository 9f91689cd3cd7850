"""What readers once silently took for something else: each is read right or refused."""

import tracemalloc

import keras
import numpy as np
import pytest
import tifffile

from keras_hpa.data import (
    ArraySource,
    ChannelFiles,
    ChannelGain,
    ChannelStacks,
    MultiChannelSequence,
    PackedSource,
    near_duplicate_groups,
    validate,
)
from keras_hpa.data.resizing import resize_image

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


@pytest.mark.parametrize("dtype", [">u2", ">i2", ">u8", ">f4", ">f8", "<u2"])
@pytest.mark.parametrize("image_size", [None, 8])
def test_byte_order_of_packs(tmp_path, dtype, image_size):
    images = np.random.default_rng(0).integers(0, 99, (3, 16, 16, 2)).astype(dtype)
    packed = PackedSource.build(ArraySource(images), tmp_path / "pack", image_size=image_size, verbose=0)
    plain = MultiChannelSequence(ArraySource(images.astype(images.dtype.newbyteorder("="))), image_size=image_size)
    assert packed.dtype.isnative
    assert packed.dtype == images.dtype.newbyteorder("=")
    np.testing.assert_array_equal(packed.read(2), resize_image(images[2].astype(packed.dtype), (image_size or 16,) * 2))
    if packed.dtype.kind == "f" or packed.dtype == np.uint16:
        np.testing.assert_array_equal(np.asarray(MultiChannelSequence(packed)[0]), np.asarray(plain[0]))


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", ">f2"])
def test_byte_order_through_augmentation_and_a_network(dtype):
    images = np.random.default_rng(0).integers(0, 99, (4, 8, 8, 2)).astype(dtype)
    model = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.GlobalAveragePooling2D()])
    batches = MultiChannelSequence(ArraySource(images), dtype="source", batch_size=2, augment=lambda image, rng: image)
    np.testing.assert_allclose(model.predict(batches, verbose=0), images.astype(float).mean(axis=(1, 2)), rtol=2e-3)


@pytest.mark.parametrize("dtype", ["uint64", "int64", "uint32", "int32", "uint16", "int8"])
@pytest.mark.parametrize("gain", [0.0, 3.0])
def test_gain_keeps_inside_the_range_of_a_type(dtype, gain):
    limits = np.iinfo(dtype)
    image = np.array([limits.min, limits.max // 2, limits.max], dtype).reshape(1, 3, 1)
    for seed in range(20):
        changed = ChannelGain(gain, offset=0.0 if gain == 0 else 0.3)(image, np.random.default_rng(seed))
        assert changed.dtype == dtype
        assert (np.diff(changed[0, :, 0].astype(object)) >= 0).all()  # what overflows comes back from the other end
        if gain == 0:
            assert changed[0, 0, 0] == limits.min
            assert changed[0, 2, 0] == limits.max


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
        (["a", "././a"], "repeat"),
        (["x/a", "x/./a"], "repeat"),
        (["x/a", "x\\a"], "repeat"),
        (["a", "/a"], "lead out"),
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


@pytest.mark.parametrize("value", [0, 7])
def test_8000_samples_that_are_blank_take_little_memory(value):
    """All pairs at once would take 3.2 GB."""
    source = ArraySource(np.full((8000, 8, 8, 1), value, "uint8"))
    tracemalloc.start()
    groups = near_duplicate_groups(source, workers=1, verbose=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (groups == 0).all()
    assert peak < 100e6
