"""Every wrong table and folder gives one error that names the place, and shows a call that works."""

import re
from pathlib import Path

import pytest

from keras_hpa import load_folder, load_table
from tests.data.wrong_tables import FOLDERS, TABLES

pytest.importorskip("openpyxl")
pytest.importorskip("polars")
_CASES = [*TABLES, *FOLDERS]


def _called(case, table):
    options = {**case.base, **case.options}
    if case.function == "load_folder":
        return load_folder(options.pop("root"), table, **options)
    return load_table(table, **options)


def _shown_call(text):
    """The call in an error, to its closing bracket."""
    start = re.search(r"load_(table|folder)\(", text)
    assert start is not None, text
    depth, quote = 0, None
    for end in range(start.end() - 1, len(text)):
        letter = text[end]
        if quote is not None:
            quote = None if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
            if not depth:
                return text[start.start() : end + 1]
    raise AssertionError(text)


def test_there_are_forty():
    assert len(_CASES) >= 40
    assert len({case.name for case in _CASES}) == len(_CASES)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_error_names_the_place_and_a_call_that_works(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for name in case.files:
        Path("images", name).touch()
    if isinstance(case.table, (str, bytes)):
        Path(case.file).write_bytes(case.table if isinstance(case.table, bytes) else case.table.encode())
        table = case.file
    else:
        Path("labels.csv").write_text("Id,Target\na,0\nb,1\nc,0\nd,1\n")
        table = None if case.table is None else case.table(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        _called(case, table)
    text = str(caught.value)
    for part in case.says:
        assert part in text
    assert "Received: " in text or text.startswith("There is no table")
    if not case.mend:
        assert len(eval(_shown_call(text), {"load_table": load_table, "load_folder": load_folder, "table": table}))
