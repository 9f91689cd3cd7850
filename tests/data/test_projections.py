"""Stacks, time series and several images in a file become one image by `project` and `scene`."""

import numpy as np
import pytest
import tifffile

from keras_hpa import ChannelFiles, ChannelStacks, load_folder
from keras_hpa.data import read_image, read_stack


@pytest.fixture
def stack():
    """Five planes of two channels; the fourth has the sharpest detail."""
    rng = np.random.default_rng(0)
    images = rng.integers(40, size=(5, 2, 16, 12)).astype(np.uint16)
    images[3] *= 20
    return images


def _hyperstack(path, images, axes):
    tifffile.imwrite(path, images, imagej=True, metadata={"axes": axes})


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("max", lambda stack: stack.max(axis=0)),
        ("mean", lambda stack: np.rint(stack.mean(axis=0)).astype(np.uint16)),
        ("middle", lambda stack: stack[2]),
        ("sharpest", lambda stack: stack[3]),
        (1, lambda stack: stack[1]),
        (np.int64(-1), lambda stack: stack[4]),
    ],
)
@pytest.mark.parametrize("kind", ["imagej", "ome", "npy"])
def test_a_stack_becomes_an_image(tmp_path, stack, way, expected, kind):
    axes = None
    if kind == "imagej":
        _hyperstack(tmp_path / "a.tif", stack, "ZCYX")
    elif kind == "ome":
        tifffile.imwrite(tmp_path / "a.tif", stack.swapaxes(0, 1), ome=True, metadata={"axes": "CZYX"})
    else:
        axes = "ZCYX"
        np.save(tmp_path / "a.npy", stack)
    path = tmp_path / ("a.npy" if kind == "npy" else "a.tif")
    image, _ = read_stack(path, project={"Z": way}, axes=axes)
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, np.moveaxis(expected(stack), 0, -1))
    source = ChannelStacks(tmp_path, ["a"], pattern="{id}" + path.suffix, project={"z": way}, axes=axes)
    np.testing.assert_array_equal(source.read(0), image)


def test_time_and_depth(tmp_path, stack):
    series = np.stack([stack, stack[::-1], stack + 1])
    _hyperstack(tmp_path / "a.tif", series, "TZCYX")
    image, _ = read_stack(tmp_path / "a.tif", project={"Z": "max", "T": 2})
    np.testing.assert_array_equal(image, np.moveaxis(series[2].max(axis=0), 0, -1))
    image, _ = read_stack(tmp_path / "a.tif", project={"Z": "sharpest", "T": 1})
    np.testing.assert_array_equal(image, np.moveaxis(series[1][1], 0, -1))
    with pytest.raises(ValueError, match=r"`project=\{\"Z\": \"max\"\}`"):
        read_stack(tmp_path / "a.tif")


def test_a_file_without_the_axis_is_read_as_it_is(tmp_path, stack):
    _hyperstack(tmp_path / "a.tif", stack[0], "CYX")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif", project={"Z": "max"})[0], np.moveaxis(stack[0], 0, -1))


def test_a_stack_per_channel(tmp_path, stack):
    for number, channel in enumerate(("dapi", "gfp")):
        _hyperstack(tmp_path / f"a_{channel}.tif", stack[:, number], "ZYX")
    np.testing.assert_array_equal(read_image(tmp_path / "a_gfp.tif", project={"Z": "max"}), stack[:, 1].max(axis=0))
    with pytest.raises(ValueError, match=r"project=\{'Z': 'max'\}"):
        read_image(tmp_path / "a_gfp.tif")
    sharpest = load_folder(tmp_path, pattern="{id}_{channel}.tif", project={"Z": "sharpest"})
    np.testing.assert_array_equal(sharpest.read(0), np.moveaxis(stack[3], 0, -1))
    source = ChannelFiles(tmp_path, ["a"], channels=["gfp"], pattern="{id}_{channel}.tif", project={"Z": "middle"})
    np.testing.assert_array_equal(source.read(0)[..., 0], stack[2, 1])


@pytest.mark.parametrize("kind", ["ome", "plain"])
def test_one_of_several_images(tmp_path, stack, kind):
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=kind == "ome") as writer:
        for number in range(3):
            images = np.ascontiguousarray(stack[number, :, : 16 - 2 * number])
            writer.write(images, photometric="minisblack", metadata={"axes": "CYX", "Name": f"well {number}"})
    for scene in (1, "well 1") if kind == "ome" else (1,):
        image, _ = read_stack(tmp_path / "a.tif", scene=scene)
        np.testing.assert_array_equal(image, np.moveaxis(stack[1, :, :14], 0, -1))
    source = ChannelStacks(tmp_path, ["a"], scene=2)
    np.testing.assert_array_equal(source.read(0), np.moveaxis(stack[2, :, :12], 0, -1))
    with pytest.raises(ValueError, match=r"`scene`.*7"):
        read_stack(tmp_path / "a.tif", scene=7)
    with pytest.raises(ValueError, match=r"3 images.*scene=0"):
        read_stack(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("project", "message"),
    [
        ("max", "mapping"),
        ({"Z": "median"}, "'median' for 'Z'"),
        ({"Y": "max"}, "'Y'"),
        ({"Z": True}, "True"),
        ({"Z": 5}, "0 to 4, not 5"),
    ],
)
def test_wrong_projection(tmp_path, stack, project, message):
    _hyperstack(tmp_path / "a.tif", stack, "ZCYX")
    with pytest.raises(ValueError, match=f"`project`.*{message}"):
        read_stack(tmp_path / "a.tif", project=project)
