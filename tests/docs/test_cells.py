"""The code of docs/how-to/cells.md."""

import csv
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import DOCS, check_quoted_messages

_CORNERS = [(6, 6), (8, 70), (68, 2), (70, 72)]  # of four cells; the third is cut off


@pytest.fixture(autouse=True)
def fields(tmp_path, monkeypatch):
    """Twelve fields in two channels, their masks as Cellpose names them, and the table of what was seen in each."""
    monkeypatch.chdir(tmp_path)
    Path("fields").mkdir()
    Path("masks").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(12):
        mask, gfp = np.zeros((128, 128), np.uint16), rng.integers(0, 20, (128, 128)).astype(np.uint8)
        for cell, (top, left) in enumerate(_CORNERS, start=1):
            center = (left + 20 - 24 * (left == 2), top + 24)
            for picture, size, value in ((mask, 22, cell), (gfp, 22 if number % 2 else 9, 160)):
                cv2.ellipse(picture, center, (size, size - 3), 0, 0, 360, value, -1)
        cv2.imwrite(f"fields/A{number:02}_gfp.tif", gfp)
        cv2.imwrite(f"fields/A{number:02}_er.tif", ((mask > 0) * 120).astype(np.uint8))
        cv2.imwrite(f"masks/A{number:02}_er_cp_masks.tif", mask)
        rows.append((f"A{number:02}", ("Nucleus", "Cytosol")[number % 2]))
    with open("fields.csv", "w", newline="") as file:
        csv.writer(file).writerows([("field", "location"), *rows])


@pytest.mark.usefixtures("_short_trainings")
def test_from_masks_to_a_table():
    # --8<-- [start:crop]
    fields = keras_hpa.load_folder(
        "fields", "fields.csv", channels=["er", "gfp"], pattern="{id}_{channel}.tif", label_columns="location"
    )
    crops = keras_hpa.cells.CellCrops(fields, "masks/{id}_er_cp_masks.tif", size=80, border="flag")
    print(len(crops), "cells in", len(fields), "fields;", sum(crops.metadata["touches_border"]), "at a border")
    # --8<-- [end:crop]
    assert len(crops) == 48
    # --8<-- [start:look]
    keras_hpa.plots.plot_channels(crops.read(0), crops.channels).savefig(f"{crops.metadata['field'][0]}.png")
    print(crops.to_frame().groupby("field")["area"].describe())
    # --8<-- [end:look]
    # --8<-- [start:split]
    train, validation = crops.packed("cells_pack").split(validation_size=0.25, seed=0)
    train_bags = keras_hpa.cells.CellBags(train, bag_size=8, shuffle=True, augment="dihedral")
    validation_bags = keras_hpa.cells.CellBags(validation, bag_size=8)
    # --8<-- [end:split]
    assert not set(train.metadata["field"]) & set(validation.metadata["field"])
    # --8<-- [start:train]
    classifier = keras_hpa.GapNet((80, 80, 2), num_classes=2)
    model = keras_hpa.BagOfCells(classifier)
    loss = keras_hpa.BinaryCrossentropy()
    model.compile("adam", loss={"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.1})
    model.fit(train_bags, validation_data=validation_bags, epochs=100)
    # --8<-- [end:train]
    # --8<-- [start:decide]
    validation_scores = keras_hpa.predict_scores(classifier, validation)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=crops.class_names).fit(validation_scores, validation.labels)
    # --8<-- [end:decide]
    # --8<-- [start:table]
    scores = keras_hpa.predict_scores(classifier, crops)
    intervals = keras_hpa.evaluation.probability_intervals(
        keras_hpa.thresholds.ProbabilityCalibrator(),
        validation_scores,
        validation.labels,
        scores,
        groups=validation.groups,
    )
    table = keras_hpa.cells.cell_table(
        crops, scores, calibrator, border_weight=0.8, negative="Negative", intervals=intervals
    )
    keras_hpa.write_predictions("cells.parquet", crops, scores, calibrator)  # or .csv, .xlsx
    # --8<-- [end:table]
    assert Path("cells.parquet").exists()
    assert (table["low Cytosol"] <= table["high Cytosol"]).all()
    assert list(table["field"]) == [f"A{number:02}" for number in range(12) for _ in range(4)]
    # --8<-- [start:image]
    in_field = table[table["field"] == "A03"]
    score_of_cell = dict(zip(in_field["cell"], in_field["score Cytosol"], strict=True))
    image = keras_hpa.cells.class_image(crops.label_image("A03"), score_of_cell)
    # --8<-- [end:image]
    assert image.shape == (128, 128)
    assert set(np.unique(image)) == {0, *in_field["score Cytosol"]}
    # --8<-- [start:submission]
    keras_hpa.cells.write_cell_submission("submission.csv", crops, scores, border_weight=0.8)
    # --8<-- [end:submission]
    assert len(Path("submission.csv").read_text().splitlines()) == 13


def test_other_masks():
    pytest.importorskip("skimage", reason="the extra `cells` is not installed")
    drawn = keras_hpa.SyntheticAtlas(2, image_size=256)
    fields = drawn.samples

    # --8<-- [start:function]
    def find_cells(image):
        stains = {"nuclei": "blue", "bodies": ["red", "yellow"], "channels": fields.channels}
        return keras_hpa.cells.split_cells(image, **stains)[1]  # of nuclei and cells

    crops = keras_hpa.cells.CellCrops(fields, find_cells, size=96, outside="zero", border="drop", pieces="largest")
    # --8<-- [end:function]
    expected = keras_hpa.cells.split_cells(drawn.read(0), nuclei=2, bodies=(0, 3))[1]
    np.testing.assert_array_equal(crops.label_image(drawn.ids[0]), expected)


@pytest.mark.usefixtures("_short_trainings")
def test_without_bags():
    fields = keras_hpa.load_folder(
        "fields", "fields.csv", channels=["er", "gfp"], pattern="{id}_{channel}.tif", label_columns="location"
    )
    crops = keras_hpa.cells.CellCrops(fields, "masks/{id}_er_cp_masks.tif", size=80)
    train, validation = crops.split(validation_size=0.25, seed=0)
    # --8<-- [start:alike]
    classifier = keras_hpa.GapNet((80, 80, 2), num_classes=2)
    classifier.compile("adam", loss=keras_hpa.BinaryCrossentropy(), metrics=[keras_hpa.MacroF1()])
    classifier.fit(train.batches(shuffle=True, augment="dihedral"), validation_data=validation.batches(), epochs=30)
    # --8<-- [end:alike]


def test_eight_steps_at_most():
    assert len(re.findall(r"^## \d", (DOCS / "how-to/cells.md").read_text(), re.MULTILINE)) <= 8


def test_what_goes_wrong():
    fields = keras_hpa.load_folder("fields", channels=["er", "gfp"], pattern="{id}_{channel}.tif")
    mask = cv2.imread("masks/A00_er_cp_masks.tif", cv2.IMREAD_UNCHANGED)

    def crop(first):
        masks = dict.fromkeys(fields.ids, mask)
        return keras_hpa.cells.CellCrops(fields, masks | {"A00": first}, size=80)

    np.save("A00_seg.npy", {"masks": mask}, allow_pickle=True)
    pieces = mask.copy()
    pieces[:2, :2] = 4
    check_quoted_messages(
        "how-to/cells.md",
        [
            (FileNotFoundError, lambda: keras_hpa.cells.CellCrops(fields, "masks", size=80)),
            (ValueError, lambda: crop(mask[:64])),
            (ValueError, lambda: crop(mask > 0)),
            (ValueError, lambda: crop(pieces)),
            (ValueError, lambda: crop(Path("A00_seg.npy"))),
        ],
    )
