"""OME-Zarr: plates, images, folders of images, versions 0.4 and 0.5, on a disk."""

import pickle
import shutil

import numpy as np
import pytest

from keras_hpa import ZarrImages, load_folder, load_ome_zarr
from tests.data.zarr_plates import new_group, tell, write_image, write_plate

pytest.importorskip("zarr")
VERSIONS = ("0.4", "0.5")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_plate_and_a_table_with_a_row_per_well(tmp_path, version):
    write_plate(tmp_path / "plate.zarr", version=version)
    samples = load_ome_zarr(tmp_path / "plate.zarr")
    assert samples.ids == ("A01_0", "A01_1", "A02_0", "A02_1", "B01_0", "B01_1", "B02_0", "B02_1")
    assert samples.channels == ("DAPI", "GFP")
    assert samples.labels is None
    assert samples.metadata["well"] == ["A01", "A01", "A02", "A02", "B01", "B01", "B02", "B02"]
    assert samples.read(3).shape == (16, 16, 2)
    assert samples.read(3)[5, 5].tolist() == [2200, 2201]
    assert samples.read(3).dtype == np.uint16
    (tmp_path / "wells.csv").write_text("Well;moa\nA01;actin\nA2;tubulin\nb01;actin\nB02;tubulin\n")
    options = {"label_columns": "moa", "groups": "well", "channels": ["GFP"]}
    samples = load_ome_zarr(tmp_path / "plate.zarr", tmp_path / "wells.csv", **options)
    assert samples.class_names == ("actin", "tubulin")
    assert samples.labels[:, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    train, test = samples.split(test_size=0.5)
    assert not set(train.groups) & set(test.groups)
    copy = pickle.loads(pickle.dumps(test))
    np.testing.assert_array_equal(copy.read(0), test.read(0))
    images, labels = samples.batches(batch_size=4, dtype="source", workers=2)[1]
    assert images[:, 0, 0, 0].tolist() == [3101, 3201, 4101, 4201]
    assert labels.shape == (4, 2)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("options", "side", "pixel_size"),
    [
        ({}, 32, 0.325),
        ({"level": 1}, 16, 0.65),
        ({"max_pixel_size": 0.65}, 16, 0.65),
        ({"max_pixel_size": 1.0}, 16, 0.65),
        ({"max_pixel_size": 99}, 8, 1.3),
        ({"max_pixel_size": 0.1}, 32, 0.325),
        ({"min_size": 9}, 16, 0.65),
        ({"min_size": (8, 8)}, 8, 1.3),
        ({"min_size": 100}, 32, 0.325),
    ],
)
def test_levels_by_number_scale_and_size(tmp_path, version, options, side, pixel_size):
    write_plate(tmp_path / "plate.zarr", version=version, wells=["A/1"], fields=1, size=32)
    samples = load_ome_zarr(tmp_path / "plate.zarr", **options)
    assert samples.read(0).shape == (side, side, 2)
    assert samples.pixel_size(0) == pytest.approx(pixel_size)


@pytest.mark.parametrize(("way", "plane"), [("max", 3), ("mean", 1.5), ("middle", 2), (0, 0), (-1, 3), ("sharpest", 0)])
def test_planes(tmp_path, way, plane):
    write_plate(tmp_path / "plate.zarr", wells=["C/12"], fields=1, planes=4)
    samples = load_ome_zarr(tmp_path / "plate.zarr", project={"Z": way})
    assert samples.ids == ("C12_0",)
    assert samples.read(0)[0, 0].tolist() == [int(1100 + 10 * plane), int(1101 + 10 * plane)]
    assert samples.select_channels(["GFP"]).read(0)[0, 0].tolist() == [int(1101 + 10 * plane)]
    with pytest.raises(ValueError, match=r"'C12_0'.*project="):
        load_ome_zarr(tmp_path / "plate.zarr").read(0)
    with pytest.raises(ValueError, match=r"`project` must choose a plane of 0 to 3, not 4"):
        load_ome_zarr(tmp_path / "plate.zarr", project={"Z": 4}).read(0)


@pytest.mark.parametrize("axes", ["yx", "cyx", "czyx", "tczyx"])
def test_axes(tmp_path, axes):
    shape = {"t": 1, "c": 3, "z": 1, "y": 8, "x": 12}
    pixels = np.random.default_rng(0).random([shape[axis] for axis in axes]).astype("float32")
    names = ("a", "b", "c") if "c" in axes else ("a",)
    write_image(new_group(tmp_path / "cell.ome.zarr"), pixels, names=names, axes=axes)
    samples = load_ome_zarr(tmp_path / "cell.ome.zarr")
    assert (samples.ids, samples.channels) == (("cell",), names)
    expected = pixels.reshape(-1, 8, 12).transpose(1, 2, 0)
    np.testing.assert_array_equal(samples.read(0), expected)


def test_a_folder_of_images_with_a_table(tmp_path):
    for number in range(4):
        pixels = np.full((2, 8, 8), number + 1, "uint16")
        write_image(new_group(tmp_path / f"cell{number}.zarr"), pixels, axes="cyx", names=None)
    (tmp_path / "notes.txt").write_text("not an image")
    table = {"id": ["cell3", "cell1", "cell0", "cell2"], "label": ["x", "y", "x", "y"]}
    samples = load_ome_zarr(tmp_path, table)
    assert samples.ids == ("cell0", "cell1", "cell2", "cell3")
    assert samples.channels == ("0", "1")
    assert samples.labels[:, 0].tolist() == [1, 0, 0, 1]
    assert [samples.read(index)[0, 0, 0] for index in range(4)] == [1, 2, 3, 4]
    assert samples.pixel_size(0) == pytest.approx(0.325)


def test_a_converted_file_of_several_images(tmp_path):
    group = new_group(tmp_path / "scenes.zarr")
    tell(group, {"bioformats2raw.layout": 3})
    for number in range(3):
        pixels = np.full((1, 2, 1, 8, 8), number, "uint8")
        write_image(group.require_group(str(number)), pixels)
    samples = load_ome_zarr(tmp_path / "scenes.zarr")
    assert samples.ids == ("scenes_0", "scenes_1", "scenes_2")
    assert samples.read(2).max() == 2


def test_scale_units_and_outer_transformations(tmp_path):
    pixels = np.zeros((2, 8, 8), "uint8")
    outer = [{"type": "scale", "scale": [1, 2.0, 2.0]}]
    write_image(new_group(tmp_path / "a.zarr"), pixels, axes="cyx", coordinateTransformations=outer)
    assert load_ome_zarr(tmp_path / "a.zarr").pixel_size(0) == pytest.approx(0.65)
    group = new_group(tmp_path / "b.zarr")
    write_image(group, pixels, axes="cyx")
    said = dict(group.attrs)
    for axis in said["multiscales"][0]["axes"]:
        axis.pop("unit", None)
    group.attrs.update(said)
    assert load_ome_zarr(tmp_path / "b.zarr").pixel_size(0) is None
    with pytest.raises(ValueError, match=r"'b'.*`max_pixel_size` needs images that say"):
        load_ome_zarr(tmp_path / "b.zarr", max_pixel_size=0.65).read(0)


def test_a_folder_of_plates(tmp_path):
    for name in ("day1", "day2"):
        write_plate(tmp_path / f"{name}.zarr", wells=["A/1", "B/2"], fields=1)
    table = {"plate": ["day1", "day1", "day2", "day2"], "well": ["A01", "B02"] * 2, "label": ["x", "y", "y", "x"]}
    samples = load_ome_zarr(tmp_path, table, groups="plate")
    assert samples.ids == ("day1_A01_0", "day1_B02_0", "day2_A01_0", "day2_B02_0")
    assert samples.labels[:, 0].tolist() == [1, 0, 0, 1]
    assert [test.groups for _, test in samples.group_folds()] == [["day1"] * 2, ["day2"] * 2]
    assert samples.read(3)[0, 0].tolist() == [2100, 2101]
    write_image(new_group(tmp_path / "image.zarr"), np.zeros((2, 8, 8), "uint8"), axes="cyx")
    with pytest.raises(ValueError, match=r"plates or images, not both.*'image\.zarr'"):
        load_ome_zarr(tmp_path)


def test_acquisitions_are_metadata(tmp_path):
    write_plate(tmp_path / "plate.zarr", wells=["A/1"])
    well = new_group(tmp_path / "other.zarr")  # to be rewritten in place
    tell(well, {"well": {"images": [{"path": "0", "acquisition": 1}, {"path": "1", "acquisition": 2}]}})
    (tmp_path / "other.zarr" / ".zattrs").replace(tmp_path / "plate.zarr" / "A" / "1" / ".zattrs")
    assert load_ome_zarr(tmp_path / "plate.zarr", groups="acquisition").groups == ["1", "2"]


@pytest.mark.parametrize("version", VERSIONS)
def test_label_images_at_the_level_of_the_image(tmp_path, version):
    group = new_group(tmp_path / "cells.zarr", version)
    write_image(group, np.zeros((2, 16, 16), "uint16"), axes="cyx", version=version)
    masks = np.zeros((16, 16), "int32")
    masks[:8, 8:] = 7
    tell(labels := group.require_group("labels"), {"labels": ["nuclei", "../secret"]}, version)
    write_image(labels.require_group("nuclei"), masks, axes="yx", names=None, version=version)
    source = load_ome_zarr(tmp_path / "cells.zarr").source
    assert source.label_names(0) == ("nuclei",)
    np.testing.assert_array_equal(source.read_label(0, "nuclei"), masks)
    small = load_ome_zarr(tmp_path / "cells.zarr", level=1).source
    np.testing.assert_array_equal(small.read_label(0, "nuclei"), masks[::2, ::2])
    with pytest.raises(ValueError, match=r"`name` must be one of \('nuclei',\).*'bodies'"):
        source.read_label(0, "bodies")
    write_plate(tmp_path / "plate.zarr", wells=["A/1"], fields=1)
    assert load_ome_zarr(tmp_path / "plate.zarr").source.label_names(0) == ()


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`root` must be an OME-Zarr.*none\.zarr.*not there"):
        load_ome_zarr(tmp_path / "none.zarr")
    (tmp_path / "a.tif").touch()
    with pytest.raises(FileNotFoundError, match=r"`root` must be an OME-Zarr.*\['a\.tif'\]"):
        load_ome_zarr(tmp_path)
    write_plate(tmp_path / "plate.zarr", fields=1)
    (tmp_path / "plate.zarr" / "B" / "2" / ".zattrs").unlink()
    with pytest.raises(FileNotFoundError, match=r"Every well.*'B/2'.*plate\.zarr"):
        load_ome_zarr(tmp_path / "plate.zarr")
    source = ZarrImages(tmp_path / "plate.zarr", ["x", "y"], paths=["A/1/0", "A/1/7"])
    with pytest.raises(FileNotFoundError, match=r"Sample 'y' .*plate\.zarr.*'A/1/7'.*must be there"):
        source.read(1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plate": {"wells": [{"path": "../secret"}]}}, r"Wells must lie below.*'\.\./secret'"),
        ({"plate": {"wells": [{"path": "/etc/x"}]}}, "Wells must lie below"),
        ({"plate": {"wells": [{}]}}, "must be a plate as OME-Zarr"),
        ({"plate": {"wells": []}}, "must hold fields"),
        ({"plate": 7}, "must be a plate as OME-Zarr"),
        ({"multiscales": []}, r"'bad'.*not those of an OME-Zarr image"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "../0"}]}]}, r"'bad'.*its levels below it"),
        ({"multiscales": [{"axes": ["y", "q"], "datasets": [{"path": "0"}]}]}, r"'bad'.*axes must be of t, c, z, y"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]}, r"'bad'.*level '0' is missing"),
        ({"something": "else"}, r"image or plate.*\['something'\]"),
    ],
)
def test_metadata_are_not_trusted(tmp_path, change, message):
    tell(new_group(tmp_path / "bad.zarr"), change)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_ome_zarr(tmp_path / "bad.zarr").read(0)


def test_missing_chunks(tmp_path):
    """Those of a dark channel are not written; if none is there, the image was not copied."""
    pixels = np.zeros((2, 8, 8), "uint16")
    pixels[1] = 5
    write_image(new_group(tmp_path / "a.zarr"), pixels, axes="cyx", levels=1)
    assert load_ome_zarr(tmp_path / "a.zarr").read(0)[0, 0].tolist() == [0, 5]
    for path in (tmp_path / "a.zarr" / "0").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    with pytest.raises(FileNotFoundError, match=r"'a' .*none of its chunks is there"):
        load_ome_zarr(tmp_path / "a.zarr").read(0)


def test_damaged_files_and_unknown_stores_are_named(tmp_path):
    write_plate(tmp_path / "plate.zarr", wells=["A/1"], fields=1)
    (tmp_path / "plate.zarr" / ".zattrs").write_text("{")
    with pytest.raises(ValueError, match=r"`root` must be OME-Zarr that can be read.*plate\.zarr"):
        load_ome_zarr(tmp_path / "plate.zarr")
    with pytest.raises((OSError, ValueError), match=r"`root` must be OME-Zarr that can be read.*nosuch://a"):
        load_ome_zarr("nosuch://a/b.zarr")


def test_other_loaders_say_what_opens_it(tmp_path):
    write_plate(tmp_path / "plate.zarr", wells=["A/1"], fields=1)
    with pytest.raises(ValueError, match=r"OME-Zarr is opened by load_ome_zarr\('.*plate\.zarr'\)"):
        load_folder(tmp_path / "plate.zarr", pattern="{id}.tif")


def test_pickled_objects_and_huge_images_are_refused(tmp_path):
    import numcodecs
    import zarr

    def write(name, **options):
        group = new_group(tmp_path / name)
        write_image(group, np.zeros((1, 8, 8), "uint8"), axes="cyx", names=None, levels=1)
        zarr.create_array(group.store, name="0", zarr_format=2, overwrite=True, **options)
        return load_ome_zarr(tmp_path / name)

    with pytest.raises(ValueError, match=r"'pickled'.*(plain numbers|object_codec_id)"):
        write("pickled.zarr", shape=(1, 8, 8), dtype="uint8", filters=[numcodecs.Pickle()])
    huge = write("huge.zarr", shape=(1, 2**20, 2**20), chunks=(1, 512, 512), dtype="uint8")
    with pytest.raises(ValueError, match=r"'huge'.*1 x 1048576 x 1048576 values.*more than"):
        huge.read(0)
    with pytest.raises(ValueError, match=r"'chunk'.*1 x 131072 x 131072 values.*more than"):
        write("chunk.zarr", shape=(1, 8, 8), chunks=(1, 2**17, 2**17), dtype="uint8")


def test_channels_are_compared_by_name(tmp_path):
    for number, names in enumerate((("DAPI", "GFP"), ("GFP", "DAPI"), ("DAPI", "RFP"))):
        pixels = np.stack([np.full((8, 8), name == "GFP", "uint8") for name in names])
        write_image(new_group(tmp_path / f"{number}.zarr"), pixels, axes="cyx", names=names)
    samples = load_ome_zarr(tmp_path)
    assert samples.read(0)[0, 0].tolist() == samples.read(1)[0, 0].tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"'2'.*must hold \('DAPI', 'GFP'\), but are \('DAPI', 'RFP'\)"):
        samples.read(2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": -1}, "`level`.*-1"),
        ({"level": True}, "`level`.*True"),
        ({"level": 0, "min_size": 8}, "exclude each other"),
        ({"max_pixel_size": 0}, "`max_pixel_size`.*0"),
        ({"min_size": "8"}, "`min_size`.*'8'"),
        ({"missing": "zeros"}, "`missing` must be 'error' or 'drop'.*'zeros'"),
        ({"channels": ["RFP"]}, r"'A01_0'.*must hold \('RFP',\), but are \('DAPI', 'GFP'\)"),
        ({"level": 9}, "`level` must lie in 0 to 2, not 9"),
        ({"table": {"well": ["A01"], "label": ["x"]}}, r"must have a row.*missing='drop'.*'A02'"),
        ({"table": {"well": ["A01", "A02", "H12"], "label": ["x"] * 3}}, "no file for .*H12.*row 2"),
    ],
)
def test_wrong_arguments(tmp_path, options, message):
    write_plate(tmp_path / "plate.zarr", wells=["A/1", "A/2"], fields=1)
    with pytest.raises(ValueError, match=message):
        load_ome_zarr(tmp_path / "plate.zarr", **options).read(0)
