"""A table of anybody's: a pandas or polars DataFrame, or a file of CSV, Excel or Parquet."""

import os
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_hpa.data.table_files import Rows, read_table_file
from keras_hpa.labels import is_missing

_NOTHING = {"", "nan", "n/a", "#n/a", "<na>", "null"}

_TABLE = object()
"""What stands for a DataFrame in a call that is shown."""


class Call:
    """What the user called, so that an error can show a call that works."""

    def __init__(self, function: str, arguments: Sequence[Any], options: Mapping[str, Any]):
        self.function = function
        self.arguments = arguments
        self.options = options

    def but(self, **changes: Any) -> str:
        """The call with some options changed; those that are None are left out."""
        options = {**self.options, **changes}
        tables = [
            value if isinstance(value, (str, os.PathLike)) else _TABLE for value in self.arguments if value is not None
        ]
        texts = [_shown(value) for value in tables]
        texts += [
            f"{name}={_shown(value)}" for name, value in options.items() if value is not None or name == "separator"
        ]
        return f"{self.function}({', '.join(texts)})"

    def rooted(self, root: str) -> str:
        """The call with another folder."""
        if self.function == "load_table":
            return self.but(root=root)
        return Call(self.function, [root, *self.arguments[1:]], self.options).but()


class Table:
    """The columns of a table, and where each cell stands, for messages.

    Args:
        name: the file, or what else it is.
        columns: for each name the cells.
        call: what the user called.
        lines: the number in the file of each row, from 1 on, unless the table is no file.
        letters: the column letters of a worksheet.
        numbers: the number of each row among the rows that the table has, leaving out nothing.
    """

    def __init__(
        self,
        name: str,
        columns: dict[str, list[Any]],
        call: Call,
        lines: Sequence[int] | None = None,
        letters: Mapping[str, str] | None = None,
        numbers: Sequence[int] | None = None,
    ):
        self.name = name
        self.columns = columns
        self.call = call
        self.lines = lines
        self.letters = letters
        self.num_rows = len(next(iter(columns.values()), ()))
        self.numbers: Sequence[int] = range(self.num_rows) if numbers is None else numbers
        self.ids: Sequence[str] | None = None

    def where(self, row: int, column: str | None = None) -> str:
        """Names a row or a cell."""
        text = f"row {self.numbers[row]}" + (f" (id {self.ids[row]!r})" if self.ids is not None else "")
        if self.lines is None:
            return text if column is None else f"{text}, column {column!r}"
        if column is not None and self.letters is not None:
            return f"{text}, cell {self.letters[column]}{self.lines[row]}, column {column!r} of {self.name!r}"
        return f"{text}, line {self.lines[row]}{'' if column is None else f', column {column!r}'} of {self.name!r}"

    def without(self, row: int) -> str:
        """The call that leaves a row out."""
        known = self.call.options.get("leave_out") or []
        return self.call.but(leave_out=[*known, self.numbers[row]])

    def column(self, name: str, argument: str) -> list[Any]:
        """The cells of a column that an argument names."""
        if name not in self.columns:
            near = _nearest(name, self.columns)
            raise ValueError(
                f"{self.name} must have one column {name!r}, as `{argument}` says{self._such_as(argument, near)}. "
                f"Received: columns {list(self.columns)}"
            )
        return self.columns[name]

    def _such_as(self, argument: str, near: str | None) -> str:
        if near is None:
            return ""
        return f", such as {self.call.but(**{argument: near})}"

    def taken(self, rows: Sequence[int]) -> "Table":
        """The table with some of its rows."""
        table = Table(
            self.name,
            {name: [cells[row] for row in rows] for name, cells in self.columns.items()},
            self.call,
            None if self.lines is None else [self.lines[row] for row in rows],
            self.letters,
            [self.numbers[row] for row in rows],
        )
        table.num_rows = len(rows)
        return table


def open_table(
    table: Any,
    call: Call,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
    leave_out: Sequence[int | str] = (),
    needed: Sequence[str] = (),
) -> Table:
    """Gives the columns of a file or a DataFrame; `needed` names columns that tell which delimiter is right."""
    if isinstance(table, (str, os.PathLike)):
        path = Path(table)
        rows = read_table_file(path, call, delimiter=delimiter, encoding=encoding, sheet=sheet, needed=needed)
        return _of_rows(os.fspath(path), rows, call, leave_out)
    for name, value in (("delimiter", delimiter), ("encoding", encoding), ("sheet", sheet)):
        if value is not None:
            raise ValueError(f"`{name}` must not be given where `table` is no file. Received: {value!r}")
    columns = {name: list(cells) for name, cells in _columns_of_frame(table)}
    opened = Table("`table`", columns, call)
    if not opened.num_rows:
        raise ValueError(f"`table` must have a row per sample. Received: no rows, and columns {list(columns)}")
    return _left_out(opened, leave_out)


def is_nothing(value: Any) -> bool:
    """Whether a cell is empty, or says in the way of pandas, R or Excel that it is."""
    text = plain_text(value)
    return text.casefold() in _NOTHING or text == "NA"


def plain_text(value: Any) -> str:
    """A cell as text: 1.0, as spreadsheets and pandas make of 1, is "1"; nothing is ""."""
    if isinstance(value, str):
        return value.strip()
    if is_missing(value):
        return ""
    if hasattr(value, "is_integer") and not isinstance(value, int) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _columns_of_frame(table: Any) -> Iterator[tuple[str, Sequence[Any]]]:
    if hasattr(table, "collect") and hasattr(table, "lazy"):
        raise TypeError(f"`table` must be a DataFrame: `table.collect()` makes one. Received: {type(table)}")
    if hasattr(table, "to_pydict"):  # Arrow
        table = table.to_pydict()
    if isinstance(table, Mapping):
        named = [(name, list(table[name])) for name in table]
        if len({len(cells) for _, cells in named}) > 1:
            sizes = {name: len(cells) for name, cells in named}
            raise ValueError(f"`table` must have columns of one length. Received: {sizes}")
    elif hasattr(table, "iloc") and hasattr(table, "columns"):  # pandas
        index = table.index
        levels = [index.get_level_values(level) for level in range(index.nlevels)]
        named = [(level.name, level.tolist()) for level in levels if level.name is not None]
        if not named and index.dtype.kind not in "iu" and "index" not in list(table.columns):
            named = [("index", index.tolist())]
        named = [(name, cells) for name, cells in named if name not in list(table.columns)]
        named += [(name, table.iloc[:, number].tolist()) for number, name in enumerate(table.columns)]
    elif hasattr(table, "get_columns"):  # polars
        named = [(column.name, column.to_list()) for column in table.get_columns()]
    else:
        raise TypeError(
            "`table` must be the path of a table (.csv, .tsv, .txt, .xlsx, .parquet), or a pandas or polars DataFrame. "
            f"Received: {type(table)}"
        )
    names = [str(name).strip() for name, _ in named]
    for position, (name, text) in enumerate(zip((name for name, _ in named), names, strict=True)):
        if isinstance(name, tuple) or not isinstance(name, Hashable):
            raise ValueError(f"`table` must have columns with one name each, not several levels. Received: {name!r}")
        if text in names[:position]:
            raise ValueError(
                f"`table` must have columns with different names. Received: {text!r} as columns "
                f"{names.index(text) + 1} and {position + 1}"
            )
    return iter([(text, cells) for text, (_, cells) in zip(names, named, strict=True)])


def _of_rows(name: str, rows: Rows, call: Call, leave_out: Sequence[int | str]) -> Table:
    """Makes columns of rows, once the header and the number of cells in each row are right."""
    header = rows.header
    for position, text in enumerate(header):
        if text in header[:position]:
            raise ValueError(
                f"{name} must have one column {text!r}: rename one of them. Received: columns "
                f"{header.index(text) + 1} and {position + 1} of that name"
            )
    letters = {text: _letter(position) for position, text in enumerate(header)} if rows.is_sheet else None
    if not rows.rows:
        raise ValueError(f"{name} must have a row per sample. Received: no rows below columns {header}")
    left_out = {number for number in leave_out if not isinstance(number, str)}
    table = Table(name, {}, call, [line for line, _ in rows.rows], letters, range(len(rows.rows)))
    for number, (_, cells) in enumerate(rows.rows):
        if len(cells) != len(header) and number not in left_out:
            raise ValueError(
                f"{name} must have {len(header)} cells in each row, or leave the row out: {table.without(number)}. "
                f"Received: {len(cells)} in {table.where(number)}: {cells}"
            )
    empty = [""] * len(header)
    table.columns = {
        text: [(cells + empty)[position] for _, cells in rows.rows] for position, text in enumerate(header)
    }
    table.num_rows = len(rows.rows)
    return _left_out(table, leave_out)


def _left_out(table: Table, leave_out: Sequence[int | str]) -> Table:
    numbers = {number for number in leave_out if not isinstance(number, str)}
    for number in numbers:
        if number not in range(table.num_rows):
            raise ValueError(f"`leave_out` must hold rows from 0 to {table.num_rows - 1}, or ids. Received: {number!r}")
    return table.taken([row for row in range(table.num_rows) if row not in numbers]) if numbers else table


def _nearest(name: str, columns: Mapping[str, Any]) -> str | None:
    import difflib

    folded = {column.casefold(): column for column in columns}
    near = difflib.get_close_matches(str(name).casefold(), folded, 1, 0.6)
    return folded[near[0]] if near else None


def _letter(position: int) -> str:
    """The letters of a worksheet's column: A to Z, AA, AB, ..."""
    text = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        text = chr(65 + rest) + text
    return text


def _shown(value: Any) -> str:
    if value is _TABLE:
        return "table"
    if isinstance(value, (str, int, float)) or value is None:
        return repr(value)
    if isinstance(value, os.PathLike):
        return repr(os.fspath(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_shown(key)}: {_shown(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return getattr(value, "__name__", None) or repr(value)
