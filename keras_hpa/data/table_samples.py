"""The one way from a table, and what a folder holds, to samples."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from keras_hpa.data.channel_files import ChannelFiles
from keras_hpa.data.channel_stacks import ChannelStacks
from keras_hpa.data.file_patterns import FilePattern, names_in
from keras_hpa.data.found_files import Found, find_samples, guess_pattern
from keras_hpa.data.samples import Samples
from keras_hpa.data.source import Source
from keras_hpa.data.table_columns import Columns, find_columns, listed
from keras_hpa.data.table_keys import find_rows
from keras_hpa.data.table_labels import read_labels
from keras_hpa.data.table_metadata import groups_of, pixel_sizes_of
from keras_hpa.data.table_paths import SUFFIXES, check_row_ids, paths_of_rows, row_ids, rows_without_files
from keras_hpa.data.tables import Call, Table, open_table


@dataclass
class Request:
    """The options of `load_table`, of which `load_folder` has some."""

    pattern: Any = None
    channels: Any = None
    label_columns: Any = None
    id_column: str | None = None
    groups: Any = None
    key: Any = None
    separator: str | None = "auto"
    class_names: Sequence[str] | None = None
    num_classes: int | None = None
    allow_empty: bool | str = False
    leave_out: Sequence[int | str] = ()
    missing: Literal["error", "zeros", "drop"] = "error"
    project: Mapping[str, Any] | None = None
    scene: int | str | None = None
    pixel_size: float | str | None = None
    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    opener: Any = None  # finds samples and opens them where they are no files

    def given(self) -> dict[str, Any]:
        """The options that are not as they are by default."""
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value is not default and value != default}


def samples_of_table(
    table: Any, root: str | os.PathLike[str] | None, request: Request, call: Call, *, id_format: str | None = None
) -> Samples:
    """Opens a table and makes samples of it; `root` is the table's own folder unless given."""
    own = () if request.pattern is None else FilePattern(request.pattern).fields
    named = [request.id_column, *listed(request.label_columns), *listed(request.groups)]
    opened = open_table(
        table,
        call,
        delimiter=request.delimiter,
        encoding=request.encoding,
        sheet=request.sheet,
        leave_out=request.leave_out,
        needed=[name for name in named if name and name not in own],
    )
    if root is None:
        if not isinstance(table, (str, os.PathLike)):
            raise ValueError(
                f"`root` must be given where `table` is no file, as in {call.rooted('images')}. Received: None"
            )
        root = Path(table).parent
    return _make_samples(opened, Path(root), request, id_format=id_format)


def _make_samples(table: Table, root: Path, request: Request, *, id_format: str | None = None) -> Samples:
    """Makes samples of the rows of a table, or of the files in a folder, each with its row."""
    _check_missing(request.missing)
    pattern = None if request.pattern is None else FilePattern(request.pattern)
    columns = find_columns(table, pattern, request)
    table = _without_ids(table, row_ids(table, columns, pattern, root), request, columns.is_searched)
    ids = row_ids(table, columns, pattern, root)
    if columns.is_searched and pattern is not None:
        table.ids = ids if callable(columns.keys) else None
        found = _find(root, request, table.call, id_format)
        rows = find_rows(table, ids, columns, found, request.missing)
        _tell([sample.id for sample, row in zip(found.samples, rows, strict=True) if row is None], "row in the table")
        unused = sorted(set(range(table.num_rows)).difference(rows)) if request.missing == "drop" else []
        _tell([table.where(row) if ids is None else ids[row] for row in unused], "file", of="row")
        found.samples = [sample for sample, row in zip(found.samples, rows, strict=True) if row is not None]
        positions = [row for row in rows if row is not None]
        _check_some_are_left(len(positions), len(rows), request)
        return _joined(table, columns, root, found, positions, request)
    if ids is None:
        raise ValueError(f"`pattern` must hold {{id}} or a column. Received: {request.pattern!r}")
    table.ids = ids
    check_row_ids(table, ids, columns.id)
    labels, class_names = _labels(table, columns, request)
    groups = groups_of(table, request.groups, table.columns)
    if not root.is_dir():
        raise FileNotFoundError(f"`root` must be a folder. Received: {os.fspath(root)!r}")
    _check_channels(table, columns, pattern, root, request)
    paths = paths_of_rows(table, ids, columns, pattern, root, request.channels)
    kept = _rows_with_files(table, root, paths, pattern, request)
    _check_some_are_left(len(kept), table.num_rows, request)
    if len(kept) < table.num_rows:
        _tell([ids[row] for row in sorted(set(range(table.num_rows)).difference(kept))], "file of some channel")
        ids = [ids[row] for row in kept]
        paths = {channel: [files[row] for row in kept] for channel, files in paths.items()}
        labels = None if labels is None else labels[kept]
        groups = None if groups is None else [groups[row] for row in kept]
    is_plain = pattern is not None and pattern.is_plain and not isinstance(request.channels, Mapping)
    channels = None if columns.paths is not None else request.channels
    source = _source_of(root, ids, channels, paths, request, pattern.text if is_plain and pattern is not None else None)
    metadata = {name: [cells[row] for row in kept] for name, cells in table.columns.items() if name not in columns.used}
    sizes = pixel_sizes_of(
        table, request.pixel_size, {name: [cells[row] for row in kept] for name, cells in table.columns.items()}
    )
    return Samples(source, labels, class_names=class_names, groups=groups, metadata=metadata, pixel_sizes=sizes)


def samples_of_folder(root: Path, request: Request, call: Call, *, id_format: str | None = None) -> Samples:
    """Makes samples of the files in a folder, of which their names alone tell."""
    _check_missing(request.missing)
    for name in ("label_columns", "id_column", "key", "delimiter", "encoding"):
        if getattr(request, name) is not None:
            raise ValueError(f"`{name}` must be left out where there is no table. Received: {getattr(request, name)!r}")
    found = _find(root, request, call, id_format)
    names = found.samples[0].fields if found.samples else {}
    columns = {name: [sample.fields[name] for sample in found.samples] for name in names}
    columns = {name: cells for name, cells in columns.items() if name == "label" or any(cells)}
    columns["id"] = [sample.id for sample in found.samples]
    table = Table(os.fspath(root), columns, call)
    table.ids = columns["id"]
    labelled = "label" in names
    request = replace(request, separator=None if labelled and request.separator in (" ", "auto") else request.separator)
    return _joined(
        table, Columns(id="id", labels="label" if labelled else None), root, found, range(table.num_rows), request
    )


def _check_missing(missing: str) -> None:
    if missing not in ("error", "zeros", "drop"):
        raise ValueError(f"`missing` must be 'error', 'zeros' or 'drop'. Received: {missing!r}")


def _find(root: Path, request: Request, call: Call, id_format: str | None) -> Found:
    """Finds the samples of a folder, each with all its files."""
    if request.opener is not None:
        return _complete(request.opener.found, request, call)
    pattern = FilePattern(request.pattern)
    found = find_samples(root, pattern, request.channels, call, project=request.project, id_format=id_format)
    return _complete(found, request, call)


def _complete(found: Found, request: Request, call: Call) -> Found:
    """Refuses or drops samples that lack a channel, and drops those that are left out."""
    left_out = {one for one in request.leave_out if isinstance(one, str)}
    lacking = {name: channels for name, channels in found.lacking.items() if name not in left_out}
    if lacking and request.missing == "error":
        first, channels = next(iter(lacking.items()))
        sample = next(sample for sample in found.samples if sample.id == first)
        beside = next(iter(sample.files.values()))
        whole = len(found.samples) - len(lacking)
        raise FileNotFoundError(
            f"Every sample must have its files; leave incomplete ones out by {call.but(missing='drop')}, or take dark "
            f"images by `missing='zeros'`. Received: {whole} complete samples, and {len(lacking)} that are not: "
            + ", ".join(f"{name!r} without {channels}" for name, channels in list(lacking.items())[:10])
            + f"; {first!r} has {beside!r}, and no file for {channels[0]!r}{_would_be(found, first, channels[0])}"
        )
    if request.missing == "drop":
        left_out |= set(lacking)
        _tell(list(lacking), "file of some channel")
    samples = [sample for sample in found.samples if sample.id not in left_out]
    _check_some_are_left(len(samples), len(found.samples), request)
    return Found(found.channels, samples, lacking if request.missing == "zeros" else {})


def _source_of(
    root: Path,
    ids: Sequence[str],
    channels: Any,
    files: Mapping[str, Sequence[Any]],
    request: Request,
    pattern: str | None = None,
) -> Source:
    """A source of listed files, one per channel, or one ("") for all; `pattern` stands for them if it can."""
    options: dict[str, Any] = {"project": request.project, "scene": request.scene}
    names = None if channels is None else list(channels)
    if "" in files and (names is None or len(names) != 1):
        options["pattern" if pattern else "files"] = pattern or files[""]
        return ChannelStacks(root, ids, channels=names, **options)
    if "" in files and names is not None:
        files = {names[0]: files[""]}
    options["pattern" if pattern else "files"] = pattern or files
    missing: Literal["zeros", "error"] = "zeros" if request.missing == "zeros" else "error"
    return ChannelFiles(root, ids, channels=list(files), missing=missing, **options)


def _joined(table: Table, columns: Columns, root: Path, found: Found, rows: Sequence[int], request: Request) -> Samples:
    """Samples of a folder, each with its row of the table."""
    labels, class_names = _labels(table, columns, request)
    ids = [sample.id for sample in found.samples]
    files = {
        channel: [sample.files.get(channel) for sample in found.samples]
        for channel in dict.fromkeys(name for sample in found.samples for name in sample.files)
    }
    said: dict[str, list[Any]] = {
        name: [sample.fields[name] for sample in found.samples] for name in (found.samples[0].fields if ids else ())
    }
    said = {name: cells for name, cells in said.items() if name not in ("id", "label") and any(cells)}
    keys = set() if callable(columns.keys) else set(columns.keys.values())
    of_rows = {name: [cells[row] for row in rows] for name, cells in table.columns.items()}
    taken = {name: cells for name, cells in of_rows.items() if name not in columns.used and name not in keys}
    channels = request.channels if found.channels is None or "" in files else found.channels
    source = (
        _source_of(root, ids, channels, files, request)
        if request.opener is None
        else request.opener.source(found.samples)
    )
    return Samples(
        source,
        None if labels is None else labels[rows],
        class_names=class_names,
        groups=groups_of(table, request.groups, {**of_rows, **said}, rows),
        metadata={**taken, **said},
        pixel_sizes=pixel_sizes_of(table, request.pixel_size, {**of_rows, **said}),
    )


def _labels(table: Table, columns: Columns, request: Request) -> Any:
    if columns.labels is None:
        return None, request.class_names
    return read_labels(
        table,
        columns.labels,
        separator=request.separator,
        class_names=request.class_names,
        num_classes=request.num_classes,
        allow_empty=request.allow_empty,
    )


def _without_ids(table: Table, ids: Sequence[str] | None, request: Request, is_searched: bool) -> Table:
    """The table without the rows whose ids are left out; in a folder the ids may be those of its samples."""
    names = [one for one in request.leave_out if isinstance(one, str)]
    unknown = [one for one in names if ids is None or one not in ids]
    if unknown and not is_searched:
        raise ValueError(f"`leave_out` must hold rows, or ids of {table.name}. Received: {unknown[0]!r}")
    if not names or ids is None:
        return table
    return table.taken([row for row, one in enumerate(ids) if one not in names])


def _check_channels(table: Table, columns: Columns, pattern: FilePattern | None, root: Path, request: Request) -> None:
    """Refuses images that neither a pattern, nor columns, nor ids name."""
    if pattern is not None and request.channels is None and "channel" in pattern.fields:
        raise ValueError(
            f"`channels` must name what stands for {{channel}} in `pattern`, as in "
            f"{table.call.but(channels=['dapi', 'gfp'])}. Received: None"
        )
    ids = table.ids or ()
    if pattern is not None or columns.paths is not None or (ids and all(one.lower().endswith(SUFFIXES) for one in ids)):
        return
    near = sorted(name for name in names_in(root, [""])[""] if ids and name.startswith(ids[0]))
    guess = guess_pattern(near, request.channels, ids[0] if ids else None)
    changes: dict[str, Any] = {"pattern": guess or "{id}_{channel}.png"}
    if "{channel}" in changes["pattern"] and request.channels is None and ids:
        before, _, after = changes["pattern"].replace("{id}", ids[0]).partition("{channel}")
        changes["channels"] = [name[len(before) : len(name) - len(after)] for name in near if name.endswith(after)]
    raise ValueError(
        f"`pattern` must say how files are named, as in {table.call.but(**changes)}; or `channels` must be columns of "
        f"paths. Received: None, and {near[:3] or sorted(names_in(root, [''])[''])[:3]} for {table.where(0)}"
    )


def _rows_with_files(table: Table, root: Path, paths: Any, pattern: FilePattern | None, request: Request) -> list[int]:
    with os.scandir(root) as entries:
        if next(entries, None) is None:
            raise FileNotFoundError(f"`root` must hold images. Received: the empty folder {os.fspath(root)!r}")
    if request.missing == "zeros":
        return list(range(table.num_rows))
    lacking = set(rows_without_files(table, root, paths, request.missing, pattern))
    return [row for row in range(table.num_rows) if row not in lacking]


def _would_be(found: Found, sample_id: str, channel: str) -> str:
    """Where the file would be, after the example of another sample."""
    sample = next(sample for sample in found.samples if sample.id == sample_id)
    for other in found.samples:
        if {channel, *sample.files} <= other.files.keys():
            path, beside = other.files[channel], next(iter(sample.files.values()))
            if isinstance(path, str) and isinstance(beside, str):
                for name in sample.fields:
                    path = path.replace(other.fields[name], sample.fields[name])
                return f", such as {path!r}"
    return ""


def _check_some_are_left(num_left: int, num_found: int, request: Request) -> None:
    if num_found and not num_left and request.missing == "drop":
        raise ValueError(
            f"`missing='drop'` must leave samples; without it, the error says what is not found. Received: none of "
            f"{num_found} is complete, by the pattern {request.pattern!r}"
        )


def _tell(ids: Sequence[str], what: str, of: str = "sample") -> None:
    if ids:
        lack = f"1 {of} lacks a {what} and is" if len(ids) == 1 else f"{len(ids)} {of}s lack a {what} and are"
        logging.getLogger(__name__).warning("%s left out: %s", lack, ", ".join(map(repr, ids[:20])))
