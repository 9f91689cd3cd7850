"""Samples whose ids, metadata and classes are what the names of files say."""

import os
import pickle
import re

import numpy as np
import pytest
import tifffile

from keras_hpa import load_folder, load_table
from tests.data.plates import write_harmony, write_metaxpress


def test_harmony(tmp_path):
    write_harmony(tmp_path)
    samples = load_folder(tmp_path, layout="harmony", groups="well")
    assert samples.channels == ("Hoechst 33342", "Alexa 488")
    assert samples.ids[:3] == ("r02c03f01", "r02c03f02", "r02c04f01")
    assert samples.labels is None
    assert samples.groups == ["B03", "B03", "B04", "B04", "C03", "C03"]
    assert samples.metadata["field"] == ["01", "02"] * 3
    assert samples.read(2)[0, 0].tolist() == [4111, 4112]
    renamed = load_folder(tmp_path / "Images", layout="harmony", channels={"dapi": 1})
    assert renamed.channels == ("dapi",)
    pickle.loads(pickle.dumps(samples))


@pytest.mark.parametrize(
    "table",
    [
        "well;moa\nB03;tubulin\nB04;actin\nC03;tubulin\n",
        "Well;moa;dose\nb3;tubulin;0,5\nb4;actin;1\nC3;tubulin;2\n",
        "Row;Column;moa\n2;3;tubulin\n2;4;actin\n3;3;tubulin\n",
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_harmony_with_a_row_per_well(tmp_path, table, suffix):
    write_harmony(tmp_path)
    path = tmp_path / f"wells.{suffix}"
    if suffix == "xlsx":
        book = pytest.importorskip("openpyxl").Workbook()
        for line in table.splitlines():
            book.active.append([int(cell) if cell.isdigit() else cell for cell in line.split(";")])
        book.save(path)
    else:
        path.write_text(table)
    samples = load_folder(tmp_path, path, layout="harmony", label_columns="moa", groups="well")
    assert samples.class_names == ("actin", "tubulin")
    assert samples.labels[:, 0].tolist() == [0, 0, 1, 1, 0, 0]
    assert samples.read(5)[0, 0].tolist() == [3211, 3212]
    train, test = samples.split(test_size=0.34)
    assert not set(train.groups) & set(test.groups)


@pytest.mark.parametrize(("way", "value"), [("max", 3), ("mean", 2), ("middle", 2), (0, 1), (-1, 3)])
def test_harmony_planes(tmp_path, way, value):
    write_harmony(tmp_path, planes=(1, 2, 3))
    samples = load_folder(tmp_path, layout="harmony", project={"Z": way})
    assert samples.read(0)[0, 0].tolist() == [3101 + 10 * value, 3102 + 10 * value]


def test_sharpest_plane_is_one_for_all_channels(tmp_path):
    rng = np.random.default_rng(0)
    for plane in range(1, 4):
        for channel in ("dapi", "gfp"):
            sharp = rng.integers(900, size=(16, 16)).astype(np.uint16) if plane == 2 else np.zeros((16, 16), np.uint16)
            tifffile.imwrite(tmp_path / f"a_z{plane}_{channel}.tif", sharp + np.uint16(plane))
    samples = load_folder(tmp_path, pattern="{id}_z{z}_{channel}.tif", project={"Z": "sharpest"})
    expected = [tifffile.imread(tmp_path / f"a_z2_{channel}.tif") for channel in ("dapi", "gfp")]
    np.testing.assert_array_equal(samples.read(0), np.stack(expected, axis=-1))


@pytest.mark.parametrize("guid", ["", "7FD93C16-26B6-4A5B-B3F5-8F4E9A3D2C11"])
@pytest.mark.parametrize("folder", [".", "TimePoint_1", "2023-05-04/1234/TimePoint_1"])
def test_metaxpress(tmp_path, guid, folder):
    write_metaxpress(tmp_path / folder, guid=guid)
    (tmp_path / folder / "A01_s1_w1_thumb12345678-26B6-4A5B-B3F5-8F4E9A3D2C11.tif").touch()
    samples = load_folder(tmp_path, layout="metaxpress", channels={"dapi": "1", "gfp": "2"})
    assert samples.ids == ("A01_1", "A01_2", "A02_1", "A02_2", "B01_1", "B01_2")
    assert samples.metadata == {"well": ["A01"] * 2 + ["A02"] * 2 + ["B01"] * 2, "field": ["1", "2"] * 3}
    assert samples.read(3)[0, 0].tolist() == [221, 222]


def test_metaxpress_with_a_row_per_well(tmp_path):
    write_metaxpress(tmp_path / "images")
    (tmp_path / "wells.csv").write_text("plate_well;ER;Golgi\nA1;1;0\nA2;0;1\nB1;1;-1\n")
    options = {"root": tmp_path / "images", "channels": {"dapi": "1", "gfp": "2"}, "label_columns": ["ER", "Golgi"]}
    by_field = load_table(
        tmp_path / "wells.csv", pattern="{well}_s{field}_w{channel}.TIF", key={"well": "plate_well"}, **options
    )
    assert by_field.labels.tolist() == [[1, 0]] * 2 + [[0, 1]] * 2 + [[1, -1]] * 2
    assert by_field.metadata["field"] == ["1", "2"] * 3
    group = re.compile(r"(?P<well>[A-P]\d\d)_s(?P<site>\d)_w(?P<channel>\d)\.TIF")
    by_group = load_table(tmp_path / "wells.csv", pattern=group, key="well", id_column="plate_well", **options)
    by_function = load_table(
        tmp_path / "wells.csv",
        pattern="{id}_w{channel}.TIF",
        key=lambda sample_id: f"{sample_id[0]}{int(sample_id[1:3])}",
        id_column="plate_well",
        **options,
    )
    assert by_function.ids == ("A01_s1", "A01_s2", "A02_s1", "A02_s2", "B01_s1", "B01_s2")
    for other in (by_group, by_function):
        np.testing.assert_array_equal(other.labels, by_field.labels)
        np.testing.assert_array_equal(other.read(5), by_field.read(5))


@pytest.mark.parametrize(("layout", "suffix"), [("kaggle2018", "png"), ("kaggle2021", "png"), ("hpa", "jpg")])
def test_the_atlas(tmp_path, layout, suffix):
    names = ["4109/24_H11_1", "4109/24_H11_2"] if layout == "hpa" else ["000a6c98-bb9b-11e8", "00537262-bbbe-11e8"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        for color in ("red", "green", "blue", "yellow"):
            (tmp_path / f"{name}_{color}.{suffix}").touch()
    (tmp_path / "train.csv").touch()
    samples = load_folder(tmp_path, layout=layout)
    assert samples.channels == ("red", "green", "blue", "yellow")
    if layout == "hpa":
        assert samples.ids == ("4109_24_H11_1", "4109_24_H11_2")
        assert samples.metadata["antibody"] == ["4109", "4109"]
    else:
        assert samples.ids == tuple(names)


def test_a_folder_per_class(tmp_path):
    for name in ("Golgi/1", "Golgi/2", "Plasma membrane/1", "Plasma membrane/3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif",
            np.zeros((2, 8, 8), np.uint16),
            metadata={"axes": "CYX", "Channel": {"Name": ["dapi", "gfp"]}},
        )
    for options in ({"layout": "class folders"}, {"pattern": "{label}/{id}.ome.tif"}):
        samples = load_folder(tmp_path, **options)
        assert samples.class_names == ("Golgi", "Plasma membrane")
        assert samples.labels.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
        assert samples.channels == ("dapi", "gfp")
        assert len(set(samples.ids)) == 4
        assert samples.read(0).shape == (8, 8, 2)
    wider = load_folder(tmp_path, layout="class folders", class_names=["ER", "Golgi", "Plasma membrane"])
    assert wider.labels[0].tolist() == [0, 1, 0]


def test_fields_side_by_side(tmp_path):
    (tmp_path / "p1").mkdir()
    for name in ("r02c03f04-ch1", "r02c03f04-ch2", "r12c13f10-ch1", "r12c13f10-ch2"):
        np.save(tmp_path / "p1" / f"{name}.npy", np.zeros((4, 4), np.uint8))
    samples = load_folder(
        tmp_path, pattern="{plate}/{row}{col}{field}-{channel}.npy", channels={"dapi": "ch1", "gfp": "ch2"}
    )
    assert samples.ids == ("p1_r02_c03_f04", "p1_r12_c13_f10")
    assert samples.metadata["row"] == ["r02", "r12"]
    assert samples.metadata["well"] == ["B03", "L13"]
    with pytest.raises(ValueError, match=r"say where \{treatment\} ends"):
        load_folder(tmp_path, pattern="{plate}/{treatment}{field}-{channel}.npy")


def test_a_folder_to_predict(tmp_path):
    for name in ("a_b", "c"):
        for channel in ("dapi", "gfp"):
            np.save(tmp_path / f"{name}_{channel}.npy", np.zeros((4, 4), np.uint8))
    (tmp_path / "notes.txt").touch()
    samples = load_folder(tmp_path, pattern="{id}_{channel}.npy")
    assert (samples.ids, samples.channels, samples.labels) == (("a_b", "c"), ("dapi", "gfp"), None)
    assert load_folder(tmp_path, pattern="{id}_{channel}.npy", channels=["gfp", "dapi"]).channels == ("gfp", "dapi")


def test_incomplete_samples_are_listed(tmp_path, caplog):
    write_metaxpress(tmp_path)
    (tmp_path / "A02_s1_w2.TIF").unlink()
    (tmp_path / "B01_s2_w1.TIF").unlink()
    options = {"layout": "metaxpress", "channels": {"dapi": "1", "gfp": "2"}}
    with pytest.raises(FileNotFoundError, match=r"4 complete.*'A02_1' without \['gfp'\], 'B01_2' without \['dapi'\]"):
        load_folder(tmp_path, **options)
    assert len(load_folder(tmp_path, missing="drop", **options)) == 4
    assert "'A02_1', 'B01_2'" in caplog.text
    filled = load_folder(tmp_path, missing="zeros", **options)
    assert filled.filled == {("A02_1", "gfp"), ("B01_2", "dapi")}
    assert filled.read(2)[0, 0].tolist() == [211, 0]


def test_a_plate_is_listed_once(tmp_path, monkeypatch):
    """384 wells of 9 fields and 5 channels: each folder is listed once, and no file is looked at."""
    for row in range(16):
        for column in range(24):
            well = f"{chr(65 + row)}{column + 1:02}"
            for field in range(9):
                for channel in range(5):
                    os.close(os.open(tmp_path / f"{well}_s{field}_w{channel}.TIF", os.O_CREAT))
    listed, touched = [], []
    scandir, listdir, stat = os.scandir, os.listdir, os.stat
    monkeypatch.setattr(os, "scandir", lambda path=".": listed.append(os.fspath(path)) or scandir(path))
    monkeypatch.setattr(os, "listdir", lambda path=".": listed.append(os.fspath(path)) or listdir(path))
    monkeypatch.setattr(os, "stat", lambda path, **options: touched.append(os.fspath(path)) or stat(path, **options))
    table = {
        "well": [f"{chr(65 + row)}{column + 1:02}" for row in range(16) for column in range(24)],
        "label": [0, 1] * 192,
    }
    channels = {f"c{number}": str(number) for number in range(5)}
    samples = load_table(table, root=tmp_path, pattern="{well}_s{field}_w{channel}.TIF", channels=channels)
    assert len(samples) == 384 * 9
    assert [os.path.normpath(path) for path in listed] == [str(tmp_path)]
    assert all(os.path.normpath(path) == str(tmp_path) for path in touched)
    listed.clear()
    named = {"id": samples.ids, "label": [0] * len(samples)}
    direct = load_table(
        {**named, "well": samples.metadata["well"], "field": samples.metadata["field"]},
        root=tmp_path,
        pattern="{well}_s{field}_w{channel}.TIF",
        channels=channels,
    )
    assert direct.ids == samples.ids
    assert len(listed) <= 2
    assert all(os.path.normpath(path) == str(tmp_path) for path in touched)
    listed.clear()
    found = load_folder(tmp_path, layout="metaxpress", channels=channels)
    assert found.ids == samples.ids
    assert [os.path.normpath(path) for path in listed] == [str(tmp_path)]
    assert all(os.path.normpath(path) == str(tmp_path) for path in touched)


@pytest.mark.parametrize("left_behind", ["Thumbs.db", "desktop.ini", ".DS_Store"])
def test_what_an_operating_system_leaves_behind_is_no_image(tmp_path, left_behind):
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8))
    (tmp_path / left_behind).touch()
    assert load_folder(tmp_path, pattern="{id}.*", channels=["gray"]).ids == ("a", "b")
