"""The code of docs/how-to/tables-and-plates.md."""

import csv
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tifffile

import keras_hpa
from tests.data.plates import write_harmony, write_metaxpress
from tests.docs.quoted_messages import check_quoted_messages
from tests.docs.trained import train_and_predict

pd = pytest.importorskip("pandas")


@pytest.fixture(autouse=True)
def _data(tmp_path, monkeypatch):
    """What laboratories have, small."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)

    def image(*shape):
        return random.integers(4000, size=shape).astype(np.uint16)

    for folder in ("stacks", "new_stacks"):
        Path(folder).mkdir()
        for number in range(6):
            tifffile.imwrite(f"{folder}/cell{number}.tif", image(5, 2, 16, 16), imagej=True, metadata={"axes": "ZCYX"})
    rows = [[f"cell{number}", number % 2, 1 - number % 3 % 2, "ab"[number // 3]] for number in range(6)]
    with open("stacks.csv", "w", newline="") as file:
        csv.writer(file).writerows([["cell", "Golgi", "Mitochondria", "patient"], *rows])
    for number, label in enumerate(["Golgi", "Plasma membrane"] * 3):
        Path("classes", label).mkdir(parents=True, exist_ok=True)
        path = f"classes/{label}/{number}.ome.tif"
        tifffile.imwrite(path, image(2, 16, 16), metadata={"axes": "CYX", "Channel": {"Name": ["DAPI", "GFP"]}})
    write_harmony(Path("harmony"), wells=[(row, column) for row in (2, 3) for column in (2, 3, 4)])
    write_metaxpress(Path("metaxpress"), wells=[f"{row}0{column}" for row in "AB" for column in (1, 2, 3)])
    for name, wells in (("harmony", "B02 B03 B04 C02 C03 C04"), ("metaxpress", "A01 A02 A03 B01 B02 B03")):
        table = pd.DataFrame({"well": wells.split(), "moa": ["actin", "tubulin"] * 3, "dose": [0.5, 1, 2] * 2})
        table.to_csv(f"{name}.csv", sep=";", decimal=",", index=False)
        if pytest.importorskip("openpyxl"):
            table.to_excel(f"{name}.xlsx", index=False)
    Path("cells").mkdir()
    for number in range(6):
        for color in "rgb":
            tifffile.imwrite(f"cells/{number}_{color}.tif", image(16, 16))


def test_stacks():
    # --8<-- [start:stacks]
    samples = keras_hpa.load_table(
        "stacks.csv",
        root="stacks",
        pattern="{cell}.tif",
        label_columns=["Golgi", "Mitochondria"],
        groups="patient",
        project={"Z": "max"},
    )
    new = keras_hpa.load_folder("new_stacks", pattern="{id}.tif", project={"Z": "max"})
    # --8<-- [end:stacks]
    assert samples.read(0).shape == (16, 16, 2)
    train_and_predict(samples, new)


def test_a_folder_per_class():
    # --8<-- [start:classes]
    samples = keras_hpa.load_folder("classes", layout="class folders")
    # --8<-- [end:classes]
    assert samples.class_names == ("Golgi", "Plasma membrane")
    assert samples.channels == ("DAPI", "GFP")
    train_and_predict(samples, samples)


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_plates(suffix):
    # --8<-- [start:harmony]
    samples = keras_hpa.load_folder("harmony", "harmony.csv", layout="harmony", label_columns="moa", groups="well")
    # --8<-- [end:harmony]
    samples = keras_hpa.load_folder(
        "harmony", f"harmony.{suffix}", layout="harmony", label_columns="moa", groups="well"
    )
    assert (len(samples), samples.class_names) == (12, ("actin", "tubulin"))
    train_and_predict(samples, keras_hpa.load_folder("harmony", layout="harmony"))
    # --8<-- [start:metaxpress]
    channels = {"dapi": "1", "gfp": "2"}
    samples = keras_hpa.load_folder(
        "metaxpress", "metaxpress.csv", layout="metaxpress", channels=channels, label_columns="moa", groups="well"
    )
    new = keras_hpa.load_folder("metaxpress", layout="metaxpress", channels=channels)
    # --8<-- [end:metaxpress]
    samples = keras_hpa.load_folder(
        "metaxpress", f"metaxpress.{suffix}", layout="metaxpress", channels=channels, label_columns="moa", groups="well"
    )
    assert (len(samples), samples.metadata["dose"][:3]) == (
        12,
        [0.5, 0.5, 1] if suffix == "xlsx" else ["0,5", "0,5", "1,0"],
    )
    train_and_predict(samples, new)
    # --8<-- [start:named]
    named = keras_hpa.load_table(
        "metaxpress.csv",
        root="metaxpress",
        pattern="{well}_s{field}_w{channel}.TIF",
        channels=channels,
        label_columns="moa",
        groups="well",
    )
    # --8<-- [end:named]
    np.testing.assert_array_equal(named.labels, samples.labels)
    # --8<-- [start:folds]
    for train, test in named.group_folds():
        print("trained without", test.groups[0], "on", len(train))
    # --8<-- [end:folds]


def test_paths():
    # --8<-- [start:paths]
    table = pd.DataFrame(
        {
            "nucleus": [f"{number}_b.tif" for number in range(6)],
            "protein": [f"{number}_g.tif" for number in range(6)],
            "location": ["Golgi;Nuclei", "Nuclei", "Golgi"] * 2,
            "antibody": ["HPA1", "HPA1", "HPA2", "HPA2", "HPA3", "HPA3"],
        }
    )
    samples = keras_hpa.load_table(table, root="cells", channels=["nucleus", "protein"], groups="antibody")
    # --8<-- [end:paths]
    assert samples.channels == ("nucleus", "protein")
    assert samples.labels.tolist() == [[1, 1], [0, 1], [1, 0]] * 2
    train_and_predict(samples, samples)
    # --8<-- [start:frame]
    print(samples.to_frame())
    # --8<-- [end:frame]


def test_five_channels_of_12_bits():
    # --8<-- [start:drawn]
    keras_hpa.SyntheticAtlas(12, image_size=32).save("drawn", layout="five channels")
    # --8<-- [end:drawn]
    # --8<-- [start:five]
    samples = keras_hpa.load_table(
        "drawn/labels.csv",
        root="drawn/images",
        pattern="{id}.tif",
        channels=["tubulin", "protein", "dapi", "er", "brightfield"],
        separator="|",
    )
    batches = samples.batches(image_size=16, max_value=4095)
    # --8<-- [end:five]
    assert samples.read(0).dtype == np.uint16
    assert 0.5 < batches[0][0].max() <= 1
    train_and_predict(samples, keras_hpa.load_folder("drawn/images", pattern="{id}.tif", channels=samples.channels))


def test_one_class_per_image():
    # --8<-- [start:one]
    samples = keras_hpa.load_folder("classes", layout="class folders")
    num_classes = len(samples.class_names)
    model = keras.Sequential(
        [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(num_classes, activation="softmax")]
    )
    model.compile("adam", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit(samples.batches(image_size=16, shuffle=True), epochs=1)
    scores = keras_hpa.predict_scores(model, samples.batches(image_size=16))
    keras_hpa.write_predictions("predictions.xlsx", samples, scores, "argmax")
    # --8<-- [end:one]
    sheet = pytest.importorskip("openpyxl").load_workbook("predictions.xlsx")["predictions"]
    assert [row[0] for row in sheet.iter_rows(values_only=True)][1:] == list(samples.ids)


class _BioImage:
    """Does what bioio's does with an OME-TIFF of axes CZYX."""

    def __init__(self, path):
        with tifffile.TiffFile(path) as file:
            self.pixels = file.asarray()
        self.channel_names = [np.str_("DAPI"), np.str_("GFP")]
        self.physical_pixel_sizes = SimpleNamespace(X=0.325)

    def get_image_data(self, dimension_order_out, **chosen):
        assert (dimension_order_out, chosen) == ("ZYXC", {"T": 0})
        return np.moveaxis(self.pixels, 0, -1)


def test_formats_of_makers(monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", SimpleNamespace(BioImage=_BioImage))
    os.mkdir("nd2")
    for number in range(4):
        pixels = np.full((2, 3, 16, 16), number, "uint16")
        tifffile.imwrite(f"nd2/well{number}.nd2", pixels, ome=True, metadata={"axes": "CZYX"})
    # --8<-- [start:bioio]
    from pathlib import Path

    from bioio import BioImage

    class BioImages:
        """Each file is a sample; of a stack the brightest plane at each place."""

        reads_in_processes = True

        def __init__(self, folder, pattern):
            self.files = sorted(Path(folder).glob(pattern))
            self.ids = [file.stem for file in self.files]
            self.channels = tuple(BioImage(self.files[0]).channel_names)

        def __len__(self):
            return len(self.files)

        def read(self, index):
            return BioImage(self.files[index]).get_image_data("ZYXC", T=0).max(axis=0)

        def pixel_size(self, index):
            return BioImage(self.files[index]).physical_pixel_sizes.X

    samples = keras_hpa.Samples(BioImages("nd2", "*.nd2"))
    # --8<-- [end:bioio]
    assert samples.ids == ("well0", "well1", "well2", "well3")
    assert samples.pixel_size(1) == 0.325
    batch = samples.batches(pixel_size=0.65, dtype="source", workers=0)[0]
    assert batch.shape == (4, 8, 8, 2)
    assert batch[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_what_goes_wrong():
    Path("words.csv").write_text("cell,location\ncell0,Plasma membrane\ncell1,Golgi\n")
    Path("metaxpress/A02_s1_w2.TIF").unlink()
    stacks = {"root": "stacks", "pattern": "{cell}.tif"}
    check_quoted_messages(
        "how-to/tables-and-plates.md",
        [
            (ValueError, lambda: keras_hpa.load_table("stacks.csv", **stacks)),
            (ValueError, lambda: keras_hpa.load_table("words.csv", **stacks)),
            (
                FileNotFoundError,
                lambda: keras_hpa.load_folder("metaxpress", layout="metaxpress", channels={"dapi": "1", "gfp": "2"}),
            ),
        ],
    )
