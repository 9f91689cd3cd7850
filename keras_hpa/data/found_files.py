"""Samples that a folder holds: the files whose names fit a pattern, put together by what the names say."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_hpa.data.file_patterns import AXES, FilePattern, list_files, natural
from keras_hpa.data.projections import check_project, choose_planes
from keras_hpa.data.tables import Call

Files = dict[str, str | tuple[str, tuple[str, ...]]]


@dataclass
class FoundSample:
    """A sample's id, what its files' names say, and for each channel ("" for files of several) its file or planes."""

    id: str
    fields: dict[str, str]
    files: Files = field(default_factory=dict)


@dataclass
class Found:
    """The samples of a folder; `lacking` names for each incomplete one the channels that have no file."""

    channels: tuple[str, ...] | None
    samples: list[FoundSample]
    lacking: dict[str, list[str]]


def find_samples(
    root: Path,
    pattern: FilePattern,
    channels: Sequence[str] | Mapping[str, str] | None,
    call: Call,
    *,
    project: Mapping[str, Any] | None = None,
    id_format: str | None = None,
) -> Found:
    """Lists a folder; each folder below it once, and no file is opened.

    Args:
        root: the folder.
        pattern: how files are named.
        channels: the channels' names, or what stands in the files for each name; found unless given.
        call: what the user called.
        project: how planes in files of their own become images.
        id_format: how ids are made of fields; those other than channel, plane and label are joined unless given.
    """
    if not root.is_dir():
        raise FileNotFoundError(_no_folder(root, call))
    check_project(project)
    texts = _texts(channels)
    listed = _Listed(pattern, texts)
    for path in list_files(root, None if pattern.text is None else pattern.text.count("/") + 1):
        listed.add(path)
    if not listed.planes:
        if any((root / name).is_file() for name in (".zattrs", ".zgroup", "zarr.json")):
            raise ValueError(
                "`root` must be a folder of image files; OME-Zarr is opened by "
                f"load_ome_zarr({os.fspath(root)!r}). Received: {os.fspath(root)!r}"
            )
        if listed.seen:
            raise _no_channel(channels, listed, call)
        raise _nothing_found(root, pattern, channels, listed.others, call)
    if "channel" not in pattern.fields:
        texts = {"": ""}
    elif texts is None:
        texts = {text: text for text in sorted(listed.seen, key=natural)}
    if not set(texts) <= listed.seen:
        raise _no_channel(channels, listed, call)
    samples, lacking = [], {}
    ids = _ids(listed, id_format)
    for sample_id, (identity, files) in zip(ids, listed.planes.items(), strict=True):
        sample = FoundSample(sample_id, with_well(dict(zip(listed.names, identity, strict=True))))
        for text, name in texts.items():
            if text in files:
                sample.files[name] = choose_planes(files[text], [AXES[axis] for axis in listed.axes], project, call)
        samples.append(sample)
        if len(sample.files) < len(texts):
            lacking[sample.id] = [name for name in texts.values() if name not in sample.files]
    names = None if "channel" not in pattern.fields and channels is None else tuple(channels or texts.values())
    return Found(names, samples, lacking)


def with_well(fields: dict[str, str]) -> dict[str, str]:
    """Adds the well, as people write it, to row and column: "02" and "03", or "B" and "3", are "B03"."""
    if "well" in fields or not {"row", "col"} <= fields.keys():
        return fields
    row, column = fields["row"].lstrip("Rr") or fields["row"], fields["col"].lstrip("Cc")
    if row.isdigit() and 0 < int(row) < 27:
        row = chr(64 + int(row))
    return {**fields, "well": f"{row.upper()}{column.zfill(2)}"}


class _Listed:
    """Files as they are found: for each sample, by the values of `names`, its channels and their planes."""

    def __init__(self, pattern: FilePattern, texts: Mapping[str, str] | None):
        self.pattern = pattern
        self.texts = None if texts is None or "channel" not in pattern.fields else {"channel": list(texts)}
        self.names = [name for name in pattern.fields if name not in ("channel", *AXES)]
        self.axes = [name for name in pattern.fields if name in AXES]
        self.planes: dict[tuple[str, ...], dict[str, dict[tuple[int, ...], str]]] = {}
        self.seen: set[str] = set()
        self.others: list[str] = []

    def add(self, path: str) -> None:
        values = self.pattern.match(path, self.texts)
        if values is None:
            loose = self.pattern.match(path) if self.texts is not None else None
            if loose is not None:
                self.seen.add(loose["channel"])
            elif len(self.others) < 5:
                self.others.append(path)
            return
        channel = values.get("channel", "")
        self.seen.add(channel)
        identity = tuple(values[name] for name in self.names)
        place = tuple(int("".join(filter(str.isdigit, values[axis])) or 0) for axis in self.axes)
        files = self.planes.setdefault(identity, {}).setdefault(channel, {})
        if place in files:
            raise ValueError(
                "`pattern` must tell the files of a sample apart by {channel}, {z} or {t}, or samples by further "
                f"fields. Received: {files[place]!r} and {path!r} for sample {'_'.join(identity)!r}"
            )
        files[place] = path


def _ids(listed: _Listed, id_format: str | None) -> list[str]:
    """Ids made of what names say; the class stands in them only where they would repeat without it."""
    ids = []
    for with_label in (False, True):
        names = [name for name in listed.names if with_label or name != "label"]
        said = [dict(zip(listed.names, identity, strict=True)) for identity in listed.planes]
        ids = ["_".join(filter(None, (one[name] for name in names))) for one in said]
        if id_format is not None:
            ids = [id_format.format(**one).strip("_") for one in said]
        if len(set(ids)) == len(ids):
            break
    return [one or "sample" for one in ids]


def _no_channel(channels: Any, listed: _Listed, call: Call) -> ValueError:
    seen = sorted(listed.seen, key=natural)
    absent = [name for text, name in (_texts(channels) or {}).items() if text not in listed.seen]
    known = seen if len(listed.planes) else [text for text in seen if text not in absent]
    return ValueError(
        "`channels` must be such as stand in the files' names, or a mapping to what stands there, as in "
        f"{call.but(channels=known)}. Received: no file for {absent}; files have {seen}"
    )


def _texts(channels: Sequence[str] | Mapping[str, str] | None) -> dict[str, str] | None:
    """For what stands in files' names, the channels' names."""
    if channels is None:
        return None
    if isinstance(channels, str):
        raise ValueError(f"`channels` must be a list of names, or a mapping. Received: {channels!r}")
    pairs = channels.items() if isinstance(channels, Mapping) else [(name, name) for name in channels]
    texts: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(text, (str, int)) or not isinstance(name, str) or str(text) in texts:
            raise ValueError(f"`channels` must map different names to different texts. Received: {channels!r}")
        texts[str(text)] = name
    return texts


def _no_folder(root: Path, call: Call) -> str:
    near = []
    if root.parent.is_dir():
        with os.scandir(root.parent) as entries:
            near = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    text = f"`root` must be a folder. Received: {os.fspath(root)!r}"
    if not near:
        return text
    return (
        f"`root` must be a folder, as in {call.rooted(os.fspath(root.parent / near[0]))}. Received: {os.fspath(root)!r}"
    )


def _nothing_found(root: Path, pattern: FilePattern, channels: Any, others: Sequence[str], call: Call) -> Exception:
    shown = list(others)
    if not shown:
        shown = [path for path, _ in zip(list_files(root, None), range(5), strict=False)]
    if not shown:
        return FileNotFoundError(f"`root` must hold images. Received: the empty folder {os.fspath(root)!r}")
    guess = guess_pattern(shown, channels)
    advice = "" if guess is None else f", as in {call.but(pattern=guess, layout=None)}"
    return ValueError(
        f"`pattern` must fit the files' names{advice}. Received: {pattern!r}, and files such as {shown[:3]}"
    )


def guess_pattern(paths: Sequence[str], channels: Any = None, sample_id: str | None = None) -> str | None:
    """A pattern of `{id}` and `{channel}` that files may have been named by."""
    texts = list(_texts(channels) or ())
    for path in paths:
        stem, dot, suffix = path.rpartition(".")
        text = next((text for text in texts if text and text in stem), None)
        if text is not None:
            before, _, after = stem.rpartition(text)
            if sample_id and sample_id in before:
                before = before.replace(sample_id, "{id}")
            else:
                before = before.rstrip("_-. /") and "{id}" + before[len(before.rstrip("_-. /")) :]
            if "{id}" in before:
                return f"{before}{{channel}}{after}{dot}{suffix}"
        elif sample_id and stem.startswith(sample_id):
            rest = stem[len(sample_id) :]
            return f"{{id}}{rest[:1]}{{channel}}{dot}{suffix}" if len(rest) > 1 else f"{{id}}{rest}{dot}{suffix}"
    return None
