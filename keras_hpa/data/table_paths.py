"""Paths of the files that the rows of a table name, and whether they are there."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_hpa.data.file_patterns import FilePattern, names_in, natural
from keras_hpa.data.found_files import guess_pattern
from keras_hpa.data.sample_paths import could_leave
from keras_hpa.data.table_columns import Columns
from keras_hpa.data.tables import Table, plain_text

Paths = dict[str, list[str | None]]

SUFFIXES = (".png", ".jpg", ".jpeg", ".npy", ".tif", ".tiff", ".tif.gz", ".tiff.gz")


def row_ids(table: Table, columns: Columns, pattern: FilePattern | None, root: Path) -> list[str] | None:
    """The ids of the rows: a column, or the fields of the pattern, or the first channel's path without its suffix."""
    if columns.id is not None:
        return [plain_text(cell) for cell in table.columns[columns.id]]
    if columns.paths is not None:
        first = next(iter(columns.paths))
        paths = _of_columns(table, root, columns.paths[first])
        return [_stem(path) if path else "" for path in paths]
    if columns.is_searched or pattern is None:
        return None
    names = list(columns.fields.values())
    return ["_".join(plain_text(table.columns[name][row]) for name in names) for row in range(table.num_rows)]


def check_row_ids(table: Table, ids: Sequence[str], column: str | None) -> None:
    """Refuses ids that are empty, lead out of the folder or repeat, and names the row."""
    seen: dict[str, int] = {}
    for row, one in enumerate(ids):
        if not one or not one.isprintable():
            raise ValueError(
                f"`ids` must be printable text, not empty: mend the table, or call {table.without(row)}. "
                f"Received: {one!r} in "
                f"{table.where(row, column)}"
            )
        if could_leave(one):
            raise ValueError(
                f"`ids` must not lead out of `root`: no absolute path, no '..'; or call {table.without(row)}. "
                f"Received: {one!r} in "
                f"{table.where(row, column)}"
            )
        plain = os.path.normpath(one.replace("\\", "/"))
        if plain in seen:
            other = seen[plain]
            beside = "twice" if ids[other] == one else f"beside {ids[other]!r}"
            raise ValueError(
                f"`ids` must not repeat: mend the table, or call {table.without(row)}; where rows share images give "
                f"`key`. Received: {one!r} {beside}, in {table.where(row, column)}, and in {table.where(other, column)}"
            )
        seen[plain] = row


def paths_of_rows(
    table: Table, ids: Sequence[str], columns: Columns, pattern: FilePattern | None, root: Path, channels: Any
) -> Paths:
    """For each channel, or "" where a file holds all, the path of each row's file."""
    if columns.paths is not None:
        return {name: _of_columns(table, root, names) for name, names in columns.paths.items()}
    if pattern is None:
        return {"": [_below(root, one) for one in ids]}
    texts = {"": ""}
    if "channel" in pattern.fields:
        texts = dict(channels) if isinstance(channels, Mapping) else {name: name for name in channels}
    names = {name: columns.fields.get(name, columns.id) for name in pattern.fields if name != "channel"}
    paths: Paths = {name: [] for name in texts}
    for row in range(table.num_rows):
        values = {}
        for name, column in names.items():
            values[name] = ids[row] if column == columns.id else plain_text(table.columns[column or ""][row])
            if not values[name] or could_leave(values[name]):
                raise ValueError(
                    f"A field of `pattern` must be a name, not empty, that does not lead out of `root`; or call "
                    f"{table.without(row)}. Received: {values[name]!r} in {table.where(row, column)}"
                )
        for name, text in texts.items():
            paths[name].append(pattern.path({**values, "channel": str(text)}))
    return paths


def rows_without_files(table: Table, root: Path, paths: Paths, missing: str, pattern: FilePattern | None) -> list[int]:
    """The rows that lack a file; an error unless `missing` allows for them. Each folder is listed once."""
    names = names_in(root, (path for listed in paths.values() for path in listed if path))
    lacking = [
        (row, channel, path)
        for row in range(table.num_rows)
        for channel, listed in paths.items()
        if (path := listed[row]) is None or os.path.basename(path) not in names[os.path.dirname(path)]
    ]
    if lacking and missing == "error":
        raise _missing(table, root, lacking, names, paths, pattern)
    return list(dict.fromkeys(row for row, _, _ in lacking))


def _missing(
    table: Table,
    root: Path,
    lacking: Sequence[tuple[int, str, str | None]],
    names: Mapping[str, set[str]],
    paths: Paths,
    pattern: FilePattern | None,
) -> Exception:
    row, channel, path = lacking[0]
    rows = list(dict.fromkeys(one for one, _, _ in lacking))
    some = rows if len(rows) < table.num_rows else [row]
    advice = table.call.but(
        leave_out=[*(table.call.options.get("leave_out") or ()), *(table.numbers[one] for one in some)]
    )
    there = "its cell is empty"
    if path is not None:
        near = sorted(names[os.path.dirname(path)], key=natural)
        other = _renamed(path, near, pattern, table.ids[row] if table.ids else "", paths)
        if other is not None:
            advice = table.call.but(pattern=other)
        texts = _channels_of(path, near, pattern, table.ids[row] if table.ids else "")
        if texts and channel not in texts:
            advice = table.call.but(channels=texts)
        alike = [name for name in near if name.casefold() == os.path.basename(path).casefold()]
        begins = [name for name in near if table.ids and name.startswith(table.ids[row])]
        shown = (alike or begins or near)[:3]
        where = os.fspath(root / os.path.dirname(path))
        there = f"{where!r} holds {len(near)} names, such as {shown}" if near else f"{where!r} is empty or no folder"
        if not near and path.split("/")[0] == root.name and (root.parent / path).is_file():
            advice = table.call.rooted(os.fspath(root.parent))
    which = f", channel {channel!r}" if channel else ""
    more = f", and {len(lacking) - 1} more files" if len(lacking) > 1 else ""
    received = "no path" if path is None else f"no file {path!r}"
    return FileNotFoundError(
        f"Every sample must have its files; `missing='drop'` leaves incomplete ones out, and this call may be what you "
        f"meant: {advice}. Received: {received} for {table.where(row)}{which}{more}; {there}"
    )


def _channels_of(path: str, near: Sequence[str], pattern: FilePattern | None, sample_id: str) -> list[str]:
    """What stands for the channel in the files that a sample has."""
    if pattern is None or not pattern.is_plain or "channel" not in pattern.fields:
        return []
    folder = os.path.dirname(path)
    found = (pattern.match(f"{folder}/{name}" if folder else name, {"id": [sample_id]}) for name in near)
    return [values["channel"] for values in found if values is not None]


def _renamed(path: str, near: Sequence[str], pattern: FilePattern | None, sample_id: str, paths: Paths) -> str | None:
    """A pattern by which the file would be there: with zeros in front of numbers, or another suffix."""
    if pattern is None or pattern.text is None or not pattern.is_plain:
        return None
    base, folder = os.path.basename(path), os.path.dirname(path)
    if sample_id.isdigit() and "/" not in pattern.text:
        for width in range(len(sample_id) + 1, 10):
            if base.replace(sample_id, sample_id.zfill(width), 1) in near:
                return pattern.text.replace("{id}", f"{{id:0{width}}}")
    stem = _stem(base)
    suffixes = [name[len(stem) :] for name in near if name.startswith(stem) and name[len(stem) :] in SUFFIXES]
    if suffixes:
        return _stem(pattern.text) + suffixes[0]
    begins = [name for name in near if sample_id and name.startswith(sample_id)]
    guess = guess_pattern(begins, list(paths), sample_id) if "" not in paths else None
    return None if guess is None or folder or guess == pattern.text else guess


def _of_columns(table: Table, root: Path, names: Sequence[str]) -> list[str | None]:
    paths: list[str | None] = []
    for row in range(table.num_rows):
        parts = [plain_text(table.columns[name][row]) for name in names]
        if not all(parts):
            paths.append(None)
            continue
        path = _below(root, "/".join(part.replace("\\", "/").rstrip("/") for part in parts))
        if could_leave(path):
            raise ValueError(
                f"A path must lie below `root`, {os.fspath(root)!r}, as in {table.call.rooted(os.path.dirname(path))}. "
                f"Received: {path!r} in {table.where(row, names[-1])}"
            )
        paths.append(path)
    return paths


def _below(root: Path, path: str) -> str:
    """A path below the folder; an absolute one that lies there is cut."""
    if os.path.isabs(path):
        inside = os.path.relpath(path, os.path.abspath(root))
        return path if inside.startswith("..") else inside
    return os.path.normpath(path) if path.startswith("./") else path


def _stem(path: str) -> str:
    suffix = max((suffix for suffix in SUFFIXES if path.lower().endswith(suffix)), key=len, default="")
    return path[: len(path) - len(suffix)]
