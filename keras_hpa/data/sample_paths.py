"""Paths of samples: made of ids that somebody else wrote, and kept below the root."""

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import numpy.typing as npt


def check_pattern(pattern: str, fields_needed: set[str]) -> None:
    """Refuses a pattern that lacks a field, has another than `{id}` and `{channel}`, or leads upwards."""
    try:
        parts = [(field, spec, conversion) for _, field, spec, conversion in Formatter().parse(pattern)]
    except ValueError as error:
        raise ValueError(f"`pattern` must be a path with {{id}} in it ({error}). Received: {pattern!r}") from None
    fields = {field for field, _, _ in parts if field is not None}
    is_plain = all(field is None or (spec, conversion) == ("", None) for field, spec, conversion in parts)
    if not fields_needed <= fields <= {"id", "channel"} or not is_plain:
        needed = " and ".join(f"{{{field}}}" for field in sorted(fields_needed, reverse=True))
        raise ValueError(f"`pattern` must hold {needed}, and no other field. Received: {pattern!r}")
    if could_leave(pattern):
        raise ValueError(f"`pattern` must be a path below `root`, without '..'. Received: {pattern!r}")


def check_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    """Gives ids or channels as a tuple; refuses those that repeat, or that are no names of files below the root."""
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise ValueError(f"`{argument}` must be a list of names. Received: {names!r}")
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(f"`{argument}` must be printable text, not empty. Received: {name!r}")
        if could_leave(name):
            raise ValueError(f"`{argument}` must not lead out of `root`: no absolute path, no '..'. Received: {name!r}")
        path = posixpath.normpath(name.replace("\\", "/"))  # `a` and `./a` are one file
        if path in seen:
            other = "twice" if seen[path] == name else f"beside {seen[path]!r}"
            raise ValueError(f"`{argument}` must not repeat. Received: {name!r} {other}")
        seen[path] = name
    return tuple(seen.values())


def check_files(files: Mapping[str, Sequence[Any]], channels: Sequence[str], num_samples: int, pattern: Any) -> None:
    """Refuses listed files that are not one per sample and channel, or that could lead out of the root."""
    if pattern is not None:
        raise ValueError(f"`pattern` must be left out where `files` are given. Received: {pattern!r}")
    if set(files) != set(channels) or any(len(files[channel]) != num_samples for channel in channels):
        sizes = {channel: len(listed) for channel, listed in files.items()}
        raise ValueError(f"`files` must have {num_samples} paths for each of {tuple(channels)}. Received: {sizes}")
    for listed in files.values():
        for path in (path for entry in listed for path in paths_of(entry)):
            if not path or could_leave(path):
                raise ValueError(f"`files` must hold paths below `root`, without '..'. Received: {path!r}")


def paths_of(entry: str | tuple[str, Sequence[str]] | None) -> tuple[str, ...]:
    """The paths of what is one file, an axis with the files of its planes, or nothing."""
    return () if entry is None else (entry,) if isinstance(entry, str) else tuple(entry[1])


def check_planes(planes: Sequence[npt.NDArray[Any]], paths: Sequence[Path]) -> None:
    """Refuses planes of a stack that differ in size or type."""
    for plane, path in zip(planes, paths, strict=True):
        if (plane.shape, plane.dtype) != (planes[0].shape, planes[0].dtype):
            raise ValueError(
                "All planes of a stack must have one size and one type. "
                f"Received: {plane.dtype} of shape {plane.shape} in '{path}', "
                f"but {planes[0].dtype} of shape {planes[0].shape} in '{paths[0]}'"
            )


def could_leave(name: str) -> bool:
    """Whether a path could lead out of the folder that it is below."""
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")
