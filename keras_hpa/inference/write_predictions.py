"""Predictions as a table for a colleague."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt

from keras_hpa.data import needs, prediction_columns
from keras_hpa.files import replacing, write_csv

_MOST_ROWS, _MOST_COLUMNS = 2**20, 2**14  # of a worksheet


def write_predictions(
    path: str | os.PathLike[str],
    samples: Any,
    scores: npt.ArrayLike,
    decide: Any,
    *,
    class_names: Sequence[str] | None = None,
    separator: str = ";",
    escape_formulas: bool = True,
) -> None:
    """Writes a table of scores and decisions, with a row per sample.

    A row has the sample's id, its metadata, the names of its classes, and for each class the score, the decision (1 or
    0), and the margin by which the score passes.

    What ids and metadata hold is never run as a formula by a spreadsheet. The file appears whole or not at all.

    Args:
        path: a file `.csv`, `.xlsx` or `.parquet`; the latter two need `pip install "keras-hpa[tables]"`.
        samples: the samples, or any source, or a list of ids.
        scores: a matrix of shape `(num_samples, num_classes)`.
        decide: a fitted `ThresholdCalibrator`, whose margins are differences of log-odds; or "argmax" where a sample
            has one class, whose margin is the difference from the best other score.
        class_names: the names of the classes; those of `samples`, or of the calibrator, unless given.
        separator: what stands between two names.
        escape_formulas: whether a text of a CSV file that a spreadsheet would run gets an apostrophe in front. In a
            workbook all texts are marked as such.

    Raises:
        ValueError: if the numbers of samples, scores and names differ, a score is not finite, or the suffix is another.
        ImportError: if the library that writes the file is not installed.

    Example:
        >>> import os, tempfile
        >>> from pathlib import Path
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = os.path.join(folder.name, "predictions.csv")
        >>> write_predictions(path, ["a", "b"], [[0.75, 0.25], [0.0, 1.0]], "argmax", class_names=["ER", "Golgi"])
        >>> print(Path(path).read_text())
        id,labels,score ER,score Golgi,decision ER,decision Golgi,margin ER,margin Golgi
        a,ER,0.75,0.25,1,0,0.5,-0.5
        b,Golgi,0.0,1.0,0,1,-1.0,1.0
        <BLANKLINE>
        >>> folder.cleanup()
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in (".csv", ".xlsx", ".parquet"):
        raise ValueError(f"`path` must end in .csv, .xlsx or .parquet. Received: {os.fspath(path)!r}")
    columns = prediction_columns(samples, scores, decide, class_names=class_names, separator=separator)
    if suffix == ".csv":
        rows = zip(*columns.values(), strict=True)
        write_csv(target, [list(columns), *map(list, rows)], escape_formulas=escape_formulas)
    elif suffix == ".xlsx":
        _write_workbook(target, columns)
    else:
        arrow = needs("pyarrow", "A Parquet file is asked for")
        parquet = needs("pyarrow.parquet", "A Parquet file is asked for")
        with replacing(target) as temporary:
            parquet.write_table(arrow.table(columns), temporary)


def _write_workbook(target: Path, columns: dict[str, list[Any]]) -> None:
    openpyxl = needs("openpyxl", "A workbook is asked for")
    num_rows = len(next(iter(columns.values())))
    if num_rows >= _MOST_ROWS or len(columns) > _MOST_COLUMNS:
        raise ValueError(
            f"A worksheet must have at most {_MOST_ROWS} rows and {_MOST_COLUMNS} columns; write a CSV file. "
            f"Received: {num_rows + 1} and {len(columns)}"
        )
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("predictions")
    cell_type = openpyxl.cell.WriteOnlyCell

    def cell(value: Any) -> Any:
        one = cell_type(sheet, value if isinstance(value, (str, int, float)) or value is None else str(value))
        if isinstance(one.value, str):
            one.data_type = "s"  # never "f", a formula
        return one

    try:
        for row in [list(columns), *map(list, zip(*columns.values(), strict=True))]:
            sheet.append([cell(value) for value in row])
    except openpyxl.utils.exceptions.IllegalCharacterError as error:
        raise ValueError(f"`samples` must hold text that a workbook can. Received: {error}") from None
    with replacing(target) as temporary:
        book.save(temporary)
