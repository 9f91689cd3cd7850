"""Predictions as a table for a colleague."""

import csv

import numpy as np
import pytest

from keras_hpa import ArraySource, Samples, ThresholdCalibrator, write_predictions

SCORES = np.array([[0.9, 0.2], [0.4, 0.6], [0.1, 0.3]])


@pytest.fixture
def samples():
    source = ArraySource(np.zeros((3, 4, 4, 1), np.uint8), ids=["a", "=1+1", "c"])
    return Samples(
        source, class_names=["ER", "Plasma membrane"], metadata={"well": ["A1", "@x", "A3"], "dose": [1, 2.5, 3]}
    )


@pytest.fixture
def calibrator():
    return ThresholdCalibrator("fixed").fit(SCORES, [[1, 0], [0, 1], [0, 0]])


def _read(path):
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.reader(file))
    if path.suffix == ".xlsx":
        sheet = pytest.importorskip("openpyxl").load_workbook(path)["predictions"]
        assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
        return [["" if value is None else value for value in row] for row in sheet.iter_rows(values_only=True)]
    columns = pytest.importorskip("pyarrow.parquet").read_table(path).to_pydict()
    return [list(columns), *map(list, zip(*columns.values(), strict=True))]


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_one_row_a_sample(tmp_path, samples, calibrator, suffix):
    path = tmp_path / f"predictions.{suffix}"
    write_predictions(path, samples, SCORES, calibrator)
    header, *rows = _read(path)
    kinds = [f"{kind} {name}" for kind in ("score", "decision", "margin") for name in ("ER", "Plasma membrane")]
    assert header == ["id", "well", "dose", "labels", *kinds]
    guard = "'" if suffix == "csv" else ""
    assert [row[0] for row in rows] == ["a", f"{guard}=1+1", "c"]
    assert [row[1] for row in rows] == ["A1", f"{guard}@x", "A3"]
    assert [row[3] for row in rows] == ["ER", "Plasma membrane", ""]
    numbers = np.array([row[4:] for row in rows], float)
    np.testing.assert_allclose(numbers[:, :2], SCORES)
    np.testing.assert_array_equal(numbers[:, 2:4], calibrator.predict(SCORES))
    np.testing.assert_allclose(numbers[:, 4:], calibrator.transform(SCORES))


def test_one_class_per_image(tmp_path, samples):
    write_predictions(tmp_path / "p.csv", samples, SCORES, "argmax")
    _, *rows = _read(tmp_path / "p.csv")
    assert [row[3] for row in rows] == ["ER", "Plasma membrane", "Plasma membrane"]
    np.testing.assert_allclose(np.array([row[-2:] for row in rows], float), [[0.7, -0.7], [-0.2, 0.2], [-0.2, 0.2]])


@pytest.mark.parametrize(
    ("name", "scores", "decide", "names", "message"),
    [
        ("p.txt", SCORES, "argmax", None, "`path`"),
        ("p.csv", SCORES[:2], "argmax", None, r"\(3, num_classes\)"),
        ("p.csv", SCORES * np.nan, "argmax", None, "finite"),
        ("p.csv", SCORES, "softmax", None, "`decide`"),
        ("p.csv", SCORES, "argmax", ["ER"], "`class_names`"),
    ],
)
def test_wrong_predictions(tmp_path, samples, name, scores, decide, names, message):
    with pytest.raises(ValueError, match=message):
        write_predictions(tmp_path / name, samples, scores, decide, class_names=names)
    assert not list(tmp_path.iterdir())
