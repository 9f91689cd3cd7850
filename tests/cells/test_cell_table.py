import csv

import numpy as np
import pytest

import keras_hpa
from keras_hpa.cells import CellCrops, cell_table, class_image, write_cell_submission
from tests.cells.fields import fields
from tests.cells.test_encode_mask import decode


@pytest.fixture
def crops():
    samples, masks = fields(labels=[[1, 0, 0], [0, 1, 1], [1, 1, 0]], class_names=["ER", "Golgi", "Cytosol"])
    return CellCrops(samples, masks, size=16)


def _scores(crops):
    return np.random.default_rng(0).uniform(size=(len(crops), 3))


def test_it_is_what_is_written(crops, tmp_path):
    scores = _scores(crops)
    calibrator = keras_hpa.ThresholdCalibrator("fixed").fit(scores, crops.labels)
    table = cell_table(crops, scores, calibrator)
    assert list(table)[:11] == ["id", *crops.metadata]
    assert table["field"].tolist() == crops.metadata["field"]
    np.testing.assert_array_equal(table[[f"decision {name}" for name in crops.class_names]], calibrator.predict(scores))
    keras_hpa.write_predictions(tmp_path / "cells.parquet", crops, scores, calibrator)
    pandas = pytest.importorskip("pandas")
    pandas.testing.assert_frame_equal(table, pandas.read_parquet(tmp_path / "cells.parquet"))
    keras_hpa.write_predictions(tmp_path / "cells.csv", crops, scores, calibrator)
    written = pandas.read_csv(tmp_path / "cells.csv", keep_default_na=False)
    pandas.testing.assert_frame_equal(table, written, check_exact=False)


def test_intervals_are_columns_of_their_classes(crops):
    scores = _scores(crops)
    table = cell_table(crops, scores, "argmax", intervals=(scores / 2, scores * 2))
    for column in table:
        if column.startswith("score "):
            name = column.removeprefix("score ")
            np.testing.assert_allclose(table[f"low {name}"] * 2, table[column])
            np.testing.assert_allclose(table[f"high {name}"] / 2, table[column])


def test_cells_at_the_border_count_less(crops):
    scores = _scores(crops)
    calibrator = keras_hpa.ThresholdCalibrator("fixed").fit(scores, crops.labels)
    at_border = np.array(crops.metadata["touches_border"])
    table = cell_table(crops, scores, calibrator, border_weight=0, negative="Negative")
    weighted = scores * ~at_border[:, None]
    np.testing.assert_array_equal(table[[f"score {name}" for name in crops.class_names]], weighted)
    is_negative = ~calibrator.predict(weighted).any(axis=1)
    assert at_border.sum() <= is_negative.sum() < len(crops)
    assert ((table["labels"] == "Negative") == is_negative).all()
    part = crops[at_border]
    assert (cell_table(part, scores[at_border], calibrator)["cell"] == part.metadata["cell"]).all()


def test_back_onto_the_image(crops):
    scores = _scores(crops)
    table = cell_table(crops, scores, "argmax")
    of_field = table[table["field"] == "field2"]
    image = class_image(crops.label_image("field2"), dict(zip(of_field["cell"], of_field["score Golgi"], strict=True)))
    for index in np.flatnonzero(np.array(crops.metadata["field"]) == "field2"):
        cell = crops.label_image("field2") == crops.metadata["cell"][index]
        assert (image[cell] == scores[index, 1]).all()


def _rows(path):
    csv.field_size_limit(10**9)
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_submission(crops, tmp_path):
    scores = _scores(crops)
    write_cell_submission(tmp_path / "submission.csv", crops, scores)
    rows = _rows(tmp_path / "submission.csv")
    assert [row["ID"] for row in rows] == ["field0", "field1", "field2"]
    index = 0
    for row in rows:
        assert (row["ImageWidth"], row["ImageHeight"]) == ("50", "40")
        words = row["PredictionString"].split(" ")
        for first in range(0, len(words), 9):
            numbers, given, masks = (words[first + place : first + 9 : 3] for place in range(3))
            assert numbers == ["0", "1", "2"]
            np.testing.assert_allclose(np.array(given, float), scores[index], rtol=1e-6)
            assert len(set(masks)) == 1
            cell = crops.label_image(row["ID"]) == crops.metadata["cell"][index]
            np.testing.assert_array_equal(decode(masks[0], (40, 50)), cell)
            index += 1
    assert index == len(crops)


def test_a_submission_without_what_scores_little(tmp_path):
    samples, masks = fields(2)
    masks["field0"][:] = 0
    crops = CellCrops(samples, masks, size=16)
    at_border = np.array(crops.metadata["touches_border"])
    write_cell_submission(
        tmp_path / "submission.csv", crops, np.full((len(crops), 2), 0.8), border_weight=0.5, smallest_score=0.5
    )
    empty, other = _rows(tmp_path / "submission.csv")
    assert empty["PredictionString"] == ""
    assert len(other["PredictionString"].split(" ")) == 6 * (~at_border).sum()


def test_wrong_arguments(crops, tmp_path):
    scores, path = _scores(crops), tmp_path / "submission.csv"
    with pytest.raises(TypeError, match="`cells` must be `CellCrops`, whose masks are at hand"):
        write_cell_submission(path, crops[:3], scores[:3])
    with pytest.raises(ValueError, match=r"`scores` must have shape \(\d+, num_classes\)"):
        write_cell_submission(path, crops, scores[1:])
    with pytest.raises(ValueError, match=r"`scores` must be finite\. Received: nan"):
        write_cell_submission(path, crops, scores * np.nan)
    with pytest.raises(ValueError, match=r"`border_weight` must be a number from 0 to 1\. Received: 2"):
        cell_table(crops, scores, "argmax", border_weight=2)
    with pytest.raises(ValueError, match=r"`cells` must be `CellCrops`, or come from them"):
        cell_table(keras_hpa.ArraySource(np.ones((1, 8, 8, 1))), [[1.0]], "argmax")
    with pytest.raises(ValueError, match="`decide` must be a fitted calibrator or 'argmax'"):
        cell_table(crops, scores, "best")
    with pytest.raises(ValueError, match=r"`intervals` must be two matrices of shape .* Received: shape \(1, 1\)"):
        cell_table(crops, scores, "argmax", intervals=([[0.0]], [[1.0]]))
    assert not path.exists()
