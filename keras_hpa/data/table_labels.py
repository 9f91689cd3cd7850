"""From columns of a table to a label matrix: texts, lists, one class per sample, or one column per class."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.tables import Table, is_nothing, plain_text
from keras_hpa.labels import check_class_names, label_number, label_rows, split_labels

_MOST_NUMBERED = 10_000  # classes; beyond that numbers are codes, and their columns would fill the memory
_COLUMNS = ("target", "targets", "label", "labels", "class", "classes", "location", "locations")
_SEPARATORS = (";", "|", ",")
_PRESENT, _ABSENT = {"1", "true", "yes", "x"}, {"0", "false", "no"}
_LISTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+))\s*,?""")

Labels = tuple[npt.NDArray[np.int8], tuple[str, ...] | None]


def find_label_columns(table: Table, others: Sequence[str]) -> list[str]:
    """The columns that hold labels; `others` hold something else. None, if there are no more."""
    free = [name for name in table.columns if name not in others]
    named = [name for name in free if is_named_label(name)]
    if len(named) == 1 or not free:
        return named
    both = named or free
    zero_one = [name for name in both if all(_presence(cell) is not None for cell in table.columns[name])]
    words = [name for name in both if any(re.search(r"[^\W\d_]", plain_text(cell)) for cell in table.columns[name])]
    shown: Any = zero_one if len(zero_one) > 1 else (words or both)[0]
    raise ValueError(
        f"`label_columns` must say which column holds the labels, or which hold 1 and 0 for a class each, as in "
        f"{table.call.but(label_columns=shown)}; or [], if there are none. Received: columns {both} of {table.name}"
    )


def is_named_label(column: str) -> bool:
    """Whether the name of a column says that it holds labels."""
    return column.strip().casefold() in _COLUMNS


def read_labels(
    table: Table,
    label_columns: str | Sequence[str],
    *,
    separator: str | None,
    class_names: Sequence[str] | None,
    num_classes: int | None,
    allow_empty: bool | str,
) -> Labels:
    """Gives the matrix, and the names of its columns unless they are numbers."""
    if class_names is not None and num_classes is not None:
        raise ValueError(f"`num_classes` must not be given beside `class_names`. Received: {num_classes!r}")
    if allow_empty not in (True, False, "unknown"):
        raise ValueError(f"`allow_empty` must be False, True or 'unknown'. Received: {allow_empty!r}")
    columns = [label_columns] if isinstance(label_columns, str) else list(label_columns)
    cells = {name: table.column(name, "label_columns") for name in columns}
    if not isinstance(label_columns, str) and (
        len(columns) > 1 or all(_presence(cell) is not None for cell in cells[columns[0]])
    ):
        names = columns if class_names is None else list(class_names)
        if sorted(names) == sorted(columns):
            cells = {name: cells[name] for name in names}
        if len(names) != len(columns):
            raise ValueError(f"`class_names` must be {len(columns)}, as `label_columns` are. Received: {names}")
        return _of_columns(table, cells, allow_empty), check_class_names(names)
    return _of_texts(table, columns[0], separator, class_names, num_classes, allow_empty)


def _of_columns(table: Table, columns: dict[str, list[Any]], allow_empty: bool | str) -> npt.NDArray[np.int8]:
    matrix = np.zeros((table.num_rows, len(columns)), np.int8)
    for number, (name, cells) in enumerate(columns.items()):
        for row, cell in enumerate(cells):
            value = _presence(cell)
            if value is None and is_nothing(cell):
                if allow_empty is False:
                    raise ValueError(
                        f"A class must have 1, 0 or -1 (unknown) in every row. Say what an empty cell means: "
                        f"{table.call.but(allow_empty='unknown')}, or `allow_empty=True` for 0. "
                        f"Received: {cell!r} in {table.where(row, name)}"
                    )
                value = -1 if allow_empty == "unknown" else 0
            if value is None:
                raise ValueError(
                    "A class must have 1, 0 or -1 (unknown) in every row; leave the row out by "
                    f"{table.without(row)}. Received: {cell!r} in {table.where(row, name)}"
                )
            matrix[row, number] = value
    return matrix


def _presence(cell: Any) -> int | None:
    """1, 0 or -1 for a cell of a class's own column."""
    if isinstance(cell, (bool, np.bool_)):
        return int(cell)
    text = plain_text(cell).casefold()
    if text in _PRESENT or text in _ABSENT:
        return int(text in _PRESENT)
    number = re.fullmatch(r"(-?[01])[.,]0*", text + ("" if "." in text or "," in text else "."))
    return int(number[1]) if number is not None else None


def _of_texts(
    table: Table,
    column: str,
    separator: str | None,
    class_names: Sequence[str] | None,
    num_classes: int | None,
    allow_empty: bool | str,
) -> Labels:
    cells = _as_lists(table, column)
    if not any(isinstance(cell, list) for cell in cells) and separator == "auto":
        separator = _find_separator(table, column, [str(cell) for cell in cells], class_names)
    if separator is not None and (not isinstance(separator, str) or not separator):
        raise ValueError(
            f"`separator` must be what stands between two labels, or None where each cell is one label, as in "
            f"{table.call.but(separator=None)}. Received: {separator!r}"
        )
    split = [cell if isinstance(cell, list) else _split(cell, separator) for cell in cells]
    known = {name.casefold() for name in class_names or ()}
    split = [[] if len(one) == 1 and is_nothing(one[0]) and one[0].casefold() not in known else one for one in split]
    unknown = [labels == ["-1"] or (allow_empty == "unknown" and not labels) for labels in split]
    split = [[] if is_unknown else labels for labels, is_unknown in zip(split, unknown, strict=True)]
    for row, labels in enumerate(split):
        if not labels and not allow_empty and not unknown[row]:
            raise ValueError(
                f"Every sample must have a label unless `allow_empty=True`, as in {table.call.but(allow_empty=True)}. "
                f"Received: {table.columns[column][row]!r} in {table.where(row, column)}"
            )
    classes = num_classes if class_names is None else list(class_names)
    if classes is None:
        classes = _find_classes(table, split, separator)
    matrix = label_rows(
        split,
        classes,
        where=lambda row: table.where(row, column),
        advice=lambda row: _advice(table, row, split[row], separator),
        allow_empty=True,
    ).astype(np.int8)
    matrix[unknown] = -1
    return matrix, None if isinstance(classes, (int, np.integer)) else tuple(classes)


def _advice(table: Table, row: int, labels: Sequence[str], separator: str | None) -> str:
    """What to call where a row's labels are wrong: with another separator, if that may be it, or without the row."""
    other = next((one for one in _SEPARATORS if one != separator and any(one in label for label in labels)), None)
    shown = table.without(row) if other is None else table.call.but(separator=other)
    return f"; mend the table, or call {shown}"


def _split(cell: Any, separator: str | None) -> list[str]:
    text = plain_text(cell)
    return ([text] if text else []) if separator is None else split_labels(text, separator)


def _as_lists(table: Table, column: str) -> list[Any]:
    """Cells that are lists, or lists written out, as lists of texts; others as texts."""
    cells = table.columns[column]
    texts = [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]
    is_written = bool(texts) and all(text[0] == "[" or text[-1] == "]" for text in texts)
    lists: list[Any] = []
    for row, cell in enumerate(cells):
        if not isinstance(cell, (str, bytes)) and hasattr(cell, "__iter__"):
            members = sorted(cell) if isinstance(cell, (set, frozenset)) else list(cell)
            lists.append([text for text in map(plain_text, members) if text])
        elif is_written and isinstance(cell, str) and cell.strip():
            lists.append(_written_list(table, row, column, cell.strip()))
        else:
            lists.append(plain_text(cell))
    if any(isinstance(cell, list) for cell in lists):
        return [cell if isinstance(cell, list) else [cell] if cell else [] for cell in lists]
    return _whole_numbers(lists)


def _written_list(table: Table, row: int, column: str, text: str) -> list[str]:
    inner = text[1:-1].strip()
    if text[0] != "[" or text[-1] != "]":
        raise ValueError(
            f"A list of labels must be closed, such as \"['a', 'b']\". Received: {text!r} in {table.where(row, column)}"
        )
    if "'" not in inner and '"' not in inner:
        return inner.split() if re.fullmatch(r"[\d\s]*", inner) else [one.strip() for one in inner.split(",")]
    labels, end = [], 0
    while end < len(inner):
        found = _LISTED.match(inner, end)
        if found is None:
            raise ValueError(
                f"A list of labels must be such as \"['a', 'b']\". Received: {text!r} in {table.where(row, column)}"
            )
        label = next(group for group in found.groups() if group is not None)
        labels.append(re.sub(r"\\(.)", r"\1", label).strip())
        end = found.end()
    return labels


def _whole_numbers(texts: list[str]) -> list[str]:
    """Turns "3.0" into "3" where all cells are such, as pandas writes whole numbers if one is missing."""
    filled = [text for text in texts if text]
    if filled and all(re.fullmatch(r"-?\d+\.0", text) for text in filled):
        return [text.removesuffix(".0") for text in texts]
    return texts


def _find_separator(table: Table, column: str, cells: list[str], class_names: Sequence[str] | None) -> str | None:
    """What stands between labels: the one sign that occurs, or the one by which all labels are of `class_names`."""
    if class_names is not None:
        known = {name.strip().casefold() for name in class_names} | set(map(str, range(len(class_names))))
        for separator in (None, *_SEPARATORS, "\n", " "):
            if all(label.casefold() in known for cell in cells for label in _split(cell, separator)):
                return separator
    signs = [sign for sign in (*_SEPARATORS, "\n") if any(sign in cell for cell in cells)]
    if len(signs) > 1:
        examples = {sign: next(cell for cell in cells if sign in cell) for sign in signs}
        raise ValueError(
            "`separator` must say what stands between two labels, or be None where each cell is one label, as in "
            f"{table.call.but(separator=signs[0])}. Received: "
            + " and ".join(f"{sign!r} in {cell!r}" for sign, cell in examples.items())
            + f", column {column!r} of {table.name!r}"
        )
    if signs:
        return signs[0]
    spaced = next((row for row, cell in enumerate(cells) if len(cell.split()) > 1), None)
    if spaced is None:
        return None
    if all(label_number(label) is not None for cell in cells for label in cell.split()):
        return " "
    raise ValueError(
        "`separator` must say whether words are labels of their own: None where each cell is one label, as in "
        f"{table.call.but(separator=None)}, or ' ' between labels. "
        f"Received: {cells[spaced]!r} in {table.where(spaced, column)}"
    )


def _find_classes(table: Table, split: list[list[str]], separator: str | None) -> list[str] | int:
    """Gives the names of the classes that occur, or how many there are where all labels are numbers."""
    labels = list(dict.fromkeys(label for one in split for label in one))
    if not labels:
        raise ValueError("`class_names` or `num_classes` must be given where the table has no label. Received: neither")
    numbers = [number for label in labels if (number := label_number(label)) is not None]
    if len(numbers) == len(labels):
        if max(numbers) >= _MOST_NUMBERED:
            raise ValueError(
                f"`num_classes` or `class_names` must be given where labels are numbers from {_MOST_NUMBERED} on. "
                f"Received: a label {max(numbers)}"
            )
        return max(numbers) + 1
    for label in labels if separator is not None else ():
        sign = next((sign for sign in _SEPARATORS if sign in label), None)
        if separator in (" ", *_SEPARATORS) and sign is not None:
            raise ValueError(
                f"`separator` must be what stands between two labels, as in {table.call.but(separator=sign)}; or give "
                f"`class_names`. Received: {separator!r}, and {label!r} in the table"
            )
    names = {label.casefold(): label for label in reversed(labels) if label}
    return [names[folded] for folded in sorted(names)]
