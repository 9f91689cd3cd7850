"""The example that says what each cell of a field shows."""

import csv

import cells
import pytest


@pytest.mark.slow
@pytest.mark.usefixtures("_without_graphs")
def test_from_drawings_to_a_table_and_pictures(tmp_path, capsys):
    pytest.importorskip("skimage", reason="the extra `cells` is not installed")
    out = tmp_path / "out"
    small = [
        "--fields=8",
        "--image-size=128",
        "--crop-size=32",
        "--batch-size=2",
        "--bag-size=4",
        "--epochs=1",
        "--workers=1",
    ]
    cells.main([f"--output={out}", *small])
    assert " cells in 8 fields" in capsys.readouterr().out
    with open(out / "cells.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    fields = {row["field"] for row in rows}
    assert 1 <= len(fields) <= 4
    assert all(row["id"] == f"{row['field']}/{row['cell']}" for row in rows)
    assert {"labels", "touches_border", "score Golgi apparatus"} <= set(rows[0])
    assert len(list(out.glob("cells_*.png"))) == len(fields)
    assert (out / "report.html").is_file()
