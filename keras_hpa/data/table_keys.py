"""Which row of a table belongs to each sample that a folder holds."""

import re
from collections.abc import Sequence
from typing import Any

from keras_hpa.data.found_files import Found
from keras_hpa.data.table_columns import Columns
from keras_hpa.data.tables import Table, plain_text

_WELL = re.compile(r"([A-Za-z]{1,2})0*([1-9]\d{0,2})")


def find_rows(
    table: Table, ids: Sequence[str] | None, columns: Columns, found: Found, missing: str
) -> list[int | None]:
    """Gives for each sample of the folder the position of its row; `None` where there is none and it is dropped."""
    keys = columns.keys
    if callable(keys):
        cells = [[text] for text in ids or ()]
        wanted = [[str(keys(sample.id))] for sample in found.samples]
        names = [columns.id or ""]
    else:
        names = list(keys.values())
        cells = [[plain_text(table.columns[column][row]) for column in names] for row in range(table.num_rows)]
        wanted = [[sample.fields[name] for name in keys] for sample in found.samples]
    row_of: dict[tuple[str, ...], int] = {}
    for row, cell in enumerate(cells):
        empty = next((name for name, text in zip(names, cell, strict=True) if not text), None)
        if empty is not None:
            raise ValueError(
                f"A row must have what finds it, or be left out by {table.without(row)}. Received: an empty cell in "
                f"{table.where(row, empty)}"
            )
        folded = tuple(map(_fold, cell))
        if folded in row_of:
            raise ValueError(
                f"A table must have one row for each {_joined(names)}; {_tell_apart(table, keys, found, row)}. "
                f"Received: {_joined(cell)} in {table.where(row)}, and in {table.where(row_of[folded])}"
            )
        row_of[folded] = row
    rows = [row_of.get(tuple(map(_fold, one))) for one in wanted]
    if missing != "drop":
        without = {
            _joined(one): sample.id for one, row, sample in zip(wanted, rows, found.samples, strict=True) if row is None
        }
        if without:
            raise ValueError(
                f"Every sample of the folder must have a row in {table.name}, or be left out by "
                f"{table.call.but(missing='drop')}. Received: none for {list(without)[:10]}, such as sample "
                f"{next(iter(without.values()))!r}; {table.name} has {[_joined(cell) for cell in cells[:5]]}, ..."
            )
        unused = sorted(set(range(table.num_rows)).difference(rows))
        if unused:
            raise ValueError(
                f"Every row must have files, or be left out by {table.call.but(missing='drop')}. Received: no file for "
                f"{[_joined(cells[row]) for row in unused[:10]]}, in {table.where(unused[0])}"
            )
    return rows


def _tell_apart(table: Table, keys: Any, found: Found, row: int) -> str:
    """What to call where two rows are found by the same: with one more field, such as the plate, or without a row."""
    fields = found.samples[0].fields if found.samples and not callable(keys) else {}
    folded = {column: [_fold(plain_text(cell)) for cell in cells] for column, cells in table.columns.items()}
    for field in fields:
        values = {_fold(sample.fields[field]) for sample in found.samples}
        for column, cells in folded.items():
            found_by = set(zip(*(folded[name] for name in keys.values()), cells, strict=True))
            if field not in keys and len(found_by) == len(cells) and values <= set(cells):
                return f"tell them apart by {table.call.but(key={**keys, field: column})}"
    return f"leave one out by {table.without(row)}"


def _fold(text: str) -> str:
    """What finds a row, as people write it: "B3" and "b03" are one well, 7 and "007" one number."""
    well = _WELL.fullmatch(text)
    if well is not None:
        return f"{well[1].upper()}{int(well[2])}"
    return str(int(text)) if text.isascii() and text.isdigit() else text.casefold()


def _joined(texts: Sequence[str]) -> str:
    return repr(texts[0]) if len(texts) == 1 else repr(tuple(texts))
