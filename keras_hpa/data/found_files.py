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
    texts = _texts(channels)
    planes: dict[tuple[str, ...], dict[str, dict[tuple[int, ...], str]]] = {}
    said: dict[tuple[str, ...], dict[str, str]] = {}
    names = [name for name in pattern.fields if name not in ("channel", "label", *AXES)]
    axes = [name for name in pattern.fields if name in AXES]
    others: list[str] = []
    for path in list_files(root, None if pattern.text is None else pattern.text.count("/") + 1):
        values = pattern.match(path)
        if values is None:
            others += [path] if len(others) < 5 else []
            continue
        identity = tuple(values[name] for name in names)
        place = tuple(int("".join(filter(str.isdigit, values[axis])) or 0) for axis in axes)
        if "channel" in values and texts is not None and values["channel"] not in texts:
            channel_files = planes.setdefault(identity, {}).setdefault(f"\0{values['channel']}", {})
        else:
            channel_files = planes.setdefault(identity, {}).setdefault(values.get("channel", ""), {})
        known = said.setdefault(identity, {name: values[name] for name in (*names, "label") if name in values})
        if place in channel_files or known.get("label") != values.get("label"):
            raise ValueError(
                f"`pattern` must tell the files of a sample apart by {{channel}}, {{z}} or {{t}}, or samples by further "
                f"fields. Received: {channel_files.get(place, known.get('label'))!r} and {path!r} for sample "
                f"{'_'.join(identity)!r}"
            )
        channel_files[place] = path
    if not planes:
        raise _nothing_found(root, pattern, channels, others, call)
    seen = sorted({text.removeprefix("\0") for files in planes.values() for text in files}, key=natural)
    if "channel" in pattern.fields:
        texts = {text: text for text in seen} if texts is None else texts
        absent = [name for text, name in texts.items() if text not in seen]
        if absent:
            shown = call.but(channels=seen)
            raise ValueError(
                f"`channels` must be such as stand in the files' names, or a mapping to what stands there, as in "
                f"{shown}. Received: no file for {absent}; files have {seen}, such as {_first_path(planes)!r}"
            )
    else:
        texts = {"": ""}
    wanted = list(texts.items())
    check_project(project)
    samples, lacking = [], {}
    for identity, channel_files in planes.items():
        sample_id = id_format.format(**said[identity]) if id_format is not None else "_".join(identity)
        sample = FoundSample(sample_id or "sample", said[identity])
        for text, name in wanted:
            if text in channel_files:
                sample.files[name] = choose_planes(channel_files[text], [AXES[axis] for axis in axes], project, call)
        samples.append(sample)
        if len(sample.files) < len(wanted):
            lacking[sample.id] = [name for _, name in wanted if name not in sample.files]
    names_given = None if "channel" not in pattern.fields and channels is None else tuple(channels or texts.values())
    return Found(names_given, samples, lacking)


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


def _first_path(planes: Mapping[Any, Mapping[str, Mapping[Any, str]]]) -> str:
    return next(iter(next(iter(next(iter(planes.values())).values())).values()))


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
