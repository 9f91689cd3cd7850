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
    read_image,
    read_stack,
    validate,
)

STACK = np.random.default_rng(0).integers(1, 60_000, (5, 64, 48)).astype("uint16")
LAST = np.moveaxis(STACK, 0, -1)


def _declares_more(path):
    tifffile.imwrite(path, STACK[:3], ome=True, metadata={"axes": "CYX"})
    content = path.read_bytes()
    assert b'SizeC="3"' in content
    path.write_bytes(content.replace(b'SizeC="3"', b'SizeC="5"'))


def _truncated(path):
    tifffile.imwrite(path, STACK, ome=True)
    path.write_bytes(path.read_bytes()[:-1])


def _pages(*pages, **options):
    def write(path):
        with tifffile.TiffWriter(path) as file:
            for page in pages:
                file.write(page, contiguous=False, **options)

    return write


def _two_compressions(path):
    with tifffile.TiffWriter(path) as file:
        file.write(STACK[0])
        file.write(STACK[1, :32], compression="zlib")


def _thumbnail_first(path):
    with tifffile.TiffWriter(path) as file:
        file.write(STACK[0, ::8, ::8], subfiletype=1)
        file.write(STACK[0], subfiletype=0)


def _image(array, **options):
    return lambda path: tifffile.imwrite(path, array, **options)


BYTES = (LAST >> 8).astype("uint8")


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(_image(LAST), LAST, id="axes: the smallest one last"),
        pytest.param(_image(STACK), LAST, id="axes: the smallest one first"),
        pytest.param(_image(STACK, byteorder=">"), LAST, id="byte order: big-endian file"),
        pytest.param(_image(STACK, ome=True, metadata={"axes": "CYX"}), LAST, id="zeros: a whole OME-TIFF"),
        pytest.param(_pages(*STACK[:4]), LAST[..., :4], id="series: pages one by one"),
        pytest.param(_thumbnail_first, LAST[..., :1], id="series: a thumbnail first"),
        pytest.param(_image(STACK[0], photometric="miniswhite"), 65535 - LAST[..., :1], id="meaning: 0 is white"),
        pytest.param(
            _image(STACK[0], extratags=[(274, 3, 1, 3, True)]), LAST[::-1, ::-1, :1], id="meaning: orientation"
        ),
    ],
)
def test_read_right(tmp_path, write, expected):
    write(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif")[0], expected)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        pytest.param(_declares_more, "declares 5 planes", id="zeros: more planes than pages"),
        pytest.param(_truncated, "truncated", id="zeros: one byte short"),
        *(
            pytest.param(_image(STACK, metadata={"axes": f"{axis}YX"}), f"it has {axis}=5", id=f"axes: {axis}")
            for axis in "RPAHMVLEZT"
        ),
        pytest.param(_image(np.zeros((1000, 16, 16), "uint8")), "axes must be", id="axes: 1,000 frames"),
        pytest.param(_pages(STACK[0], BYTES[..., 1]), "holds 2 images", id="series: two types"),
        pytest.param(_pages(STACK[0], STACK[1, :32]), "holds 2 images", id="series: two sizes"),
        pytest.param(_two_compressions, "holds 2 images", id="series: two compressions and sizes"),
        pytest.param(_image(BYTES[..., :4], photometric="separated"), "colours", id="meaning: CMYK"),
        pytest.param(_image(BYTES[..., :3], photometric="cielab"), "colours", id="meaning: CIELab"),
        pytest.param(
            _image(BYTES[..., :4], photometric="rgb", extrasamples=["unassalpha"]), "transparency", id="meaning: alpha"
        ),
        pytest.param(_image(STACK[0] > 9, photometric="minisblack"), "bool|bits", id="bits: 1"),
    ],
)
def test_refused(tmp_path, write, message):
    write(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"a\.tif.*({message})"):
        read_stack(tmp_path / "a.tif")


@pytest.mark.parametrize(("name", "format_"), [("a.png", "PNG"), ("a.jpg", "MPO")])
def test_several_frames_are_refused(tmp_path, name, format_):
    image = pytest.importorskip("PIL.Image")
    first, second = (image.fromarray(np.ascontiguousarray(BYTES[..., number])) for number in (0, 1))
    first.save(tmp_path / name, format=format_, save_all=True, append_images=[second])
    with pytest.raises(ValueError, match="several images"):
        read_image(tmp_path / name)


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
        ([[1]], "gave list"),
        (None, "gave NoneType"),
        (np.full((4, 4, 1), np.nan, "float32"), "NaN"),
        (np.ones((4, 4, 1), bool), "holds bool"),
        (np.ones((4, 4, 1), object), "holds object"),
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
