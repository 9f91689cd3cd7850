"""Which columns of a table hold what: ids, labels, paths, groups, and what finds the row of a file."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keras_hpa.data.file_patterns import AXES, FilePattern
from keras_hpa.data.found_files import with_well
from keras_hpa.data.table_labels import find_label_columns, is_named_label
from keras_hpa.data.tables import Table

_IDS = {"id", "ids", "imageid", "image", "imagename", "imagepath", "filename", "file", "filepath", "path", "sample"}
_IDS |= {"sampleid", "samplename", "basename", "index"}


@dataclass
class Columns:
    """What the columns of a table are for.

    Attributes:
        id: the column of ids, if there is one.
        labels: the column of label texts, or the columns of one class each; `None` for no labels.
        paths: for each channel the columns that make its path, if paths are columns.
        fields: for each field of the pattern that is a column, the column.
        keys: for each field that finds a row, the column; or a function from a sample's id to that of its row.
        is_searched: whether the folder says which samples there are.
    """

    id: str | None = None
    labels: str | list[str] | None = None
    paths: dict[str, tuple[str, ...]] | None = None
    fields: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] | Callable[[str], str] = field(default_factory=dict)
    is_searched: bool = False

    @property
    def used(self) -> set[str]:
        """The columns that are no metadata."""
        paths = [name for names in (self.paths or {}).values() for name in names]
        return {*paths, *listed(self.labels), *(() if self.id is None else (self.id,))}


def listed(names: Any) -> list[str]:
    """One name or several, as a list."""
    several = [] if names is None else [names] if isinstance(names, (str, int)) else list(names)
    return [name if isinstance(name, str) else str(name) for name in several]


def find_columns(table: Table, pattern: FilePattern | None, request: Any) -> Columns:
    """Finds out which columns hold what; what could be meant in two ways is an error."""
    columns = Columns()
    own = [] if pattern is None else [name for name in pattern.fields if name not in ("channel", "label", *AXES)]
    own += [name for name in with_well(dict.fromkeys(own, "")) if name not in own]
    folded = {name.casefold(): name for name in table.columns}
    for name in own:
        if name in table.columns or name.casefold() in folded:
            columns.fields[name] = name if name in table.columns else folded[name.casefold()]
        elif name == "col" and "column" in folded:
            columns.fields[name] = folded["column"]
    free = [name for name in own if name not in columns.fields and name != "id"]
    has_axes = pattern is not None and any(name in AXES for name in pattern.fields)
    columns.is_searched = pattern is not None and (
        request.key is not None or bool(free) or has_axes or pattern.is_open or "label" in pattern.fields
    )
    if pattern is None:
        columns.paths = _path_columns(table, request.channels)
    needs_id = columns.paths is None and (pattern is None or "id" in own) and "id" not in columns.fields
    needs_id = needs_id or (callable(request.key) and not hasattr(request.key, "keys"))
    labels = request.label_columns
    others = {*listed(request.groups), *columns.fields.values(), *columns.used}
    if isinstance(request.key, Mapping):
        others |= set(request.key.values())
    if request.id_column is not None:
        table.column(request.id_column, "id_column")
        columns.id = request.id_column
    elif needs_id or columns.paths is not None:
        taken = others | set(listed(labels))
        columns.id = _id_column(table, [name for name in table.columns if name not in taken], needs_id)
        if columns.id is None and needs_id:
            left = [name for name in table.columns if name not in taken and not is_named_label(name)]
            columns.id = left[0] if len(left) == 1 else None
    elif "id" in columns.fields:
        columns.id = columns.fields["id"]
    for name in listed(request.groups):
        if name not in own:
            _group_column(table, name)
    if labels is None:
        beside = [*others, *(() if columns.id is None else (columns.id,))]
        if columns.is_searched and not columns.fields and columns.id is None:
            beside += _probable_keys(table, beside)
        found = find_label_columns(table, beside)
        columns.labels = found[0] if found else None
    else:
        for name in listed(labels):
            table.column(name, "label_columns")
        columns.labels = labels if isinstance(labels, str) else listed(labels) or None
        if len(set(listed(labels))) < len(listed(labels)):
            raise ValueError(f"`label_columns` must be different columns. Received: {labels!r}")
    if needs_id and columns.id is None:
        columns.id = _only_column(table, others | set(listed(columns.labels)))
    if columns.is_searched and pattern is not None:
        columns.keys = _keys(table, pattern, own, columns, request)
    return columns


def _path_columns(table: Table, channels: Any) -> dict[str, tuple[str, ...]] | None:
    if channels is None or isinstance(channels, str):
        return None
    if not isinstance(channels, Mapping):
        names = list(channels)
        return {name: (name,) for name in names} if names and all(name in table.columns for name in names) else None
    paths = {name: tuple(listed(columns)) for name, columns in channels.items()}
    for columns in paths.values():
        for column in columns:
            if column not in table.columns:
                raise ValueError(
                    "`channels` must map names to columns of paths where there is no `pattern`, as in "
                    f"{table.call.but(channels=dict.fromkeys(paths, next(iter(table.columns))))}. "
                    f"Received: {column!r} of columns {list(table.columns)}"
                )
    return paths


def _id_column(table: Table, free: Sequence[str], is_needed: bool) -> str | None:
    named = [name for name in free if "".join(filter(str.isalnum, name.casefold())) in _IDS]
    exact = [name for name in named if name.casefold() == "id"]
    if len(exact) == 1 or len(named) == 1:
        return (exact if len(exact) == 1 else named)[0]
    if len(named) > 1 and is_needed:
        raise ValueError(
            f"`id_column` must say which column holds the ids, as in {table.call.but(id_column=named[0])}. "
            f"Received: columns {named} of {table.name}"
        )
    return None


def _only_column(table: Table, taken: set[str]) -> str:
    left = [name for name in table.columns if name not in taken]
    if len(left) == 1:
        return left[0]
    names = left or list(table.columns)
    raise ValueError(
        f"`id_column` must say which column holds the ids, as in {table.call.but(id_column=names[0])}. "
        f"Received: columns {names} of {table.name}"
    )


def _group_column(table: Table, name: str) -> None:
    if name not in table.columns:
        shown = table.call.but(groups=list(table.columns)[:1])
        raise ValueError(
            f"{table.name} must have one column {name!r}, as `groups` says; one that it has would do, as in {shown}. "
            f"Received: columns {list(table.columns)}"
        )


def _probable_keys(table: Table, known: Sequence[str]) -> list[str]:
    """The first column, where no other tells: a key is asked for before labels are."""
    return [name for name in list(table.columns)[:1] if name not in known]


def _keys(
    table: Table, pattern: FilePattern, own: Sequence[str], columns: Columns, request: Any
) -> dict[str, str] | Callable[[str], str]:
    key = request.key
    if callable(key) and not isinstance(key, Mapping):
        return key
    if key is None:
        keys = dict(columns.fields)
        if "id" in own and "id" not in keys and columns.id is not None:
            keys["id"] = columns.id
        if keys:
            return keys
        left = [name for name in table.columns if name not in listed(columns.labels)] or list(table.columns)
        shown = table.call.but(key={own[0]: left[0]}) if own else table.call.but(pattern="{id}_{channel}.tif")
        raise ValueError(
            f"`key` must say by which of the fields {own} of `pattern` a file finds its row, as in {shown}. "
            f"Received: None, and columns {list(table.columns)}"
        )
    pairs = key.items() if isinstance(key, Mapping) else [(name, columns.fields.get(name)) for name in listed(key)]
    keys = {}
    for name, column in pairs:
        if name not in own:
            near = next((one for one in own if one in columns.fields), own[0] if own else "id")
            raise ValueError(
                f"`key` must name fields of `pattern`, {own}, as in {table.call.but(key=near)}. Received: {name!r}"
            )
        column = column if column is not None else columns.id or _only_column(table, set(listed(columns.labels)))
        keys[name] = column
        table.column(column, "key")
    return keys
