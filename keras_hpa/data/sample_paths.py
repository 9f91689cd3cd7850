"""Paths of samples: made of ids that somebody else wrote, and kept below the root."""

import posixpath
from collections.abc import Sequence
from string import Formatter


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
    if _could_leave(pattern):
        raise ValueError(f"`pattern` must be a path below `root`, without '..'. Received: {pattern!r}")


def check_names(argument: str, names: Sequence[str]) -> tuple[str, ...]:
    """Gives ids or channels as a tuple; refuses those that repeat, or that are no names of files below the root."""
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        raise ValueError(f"`{argument}` must be a list of names. Received: {names!r}")
    seen: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable():
            raise ValueError(f"`{argument}` must be printable text, not empty. Received: {name!r}")
        if _could_leave(name):
            raise ValueError(f"`{argument}` must not lead out of `root`: no absolute path, no '..'. Received: {name!r}")
        path = posixpath.normpath(name.replace("\\", "/"))  # `a` and `./a` are one file
        if path in seen:
            other = "twice" if seen[path] == name else f"beside {seen[path]!r}"
            raise ValueError(f"`{argument}` must not repeat. Received: {name!r} {other}")
        seen[path] = name
    return tuple(seen.values())


def _could_leave(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return ".." in parts or parts[0] == "" or parts[0].endswith(":")
