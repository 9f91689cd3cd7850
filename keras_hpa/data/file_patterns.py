"""How files are named: from a pattern to paths, and from paths to what they say."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Any

from keras_hpa.data.sample_paths import could_leave

AXES = {"z": "Z", "t": "T"}
"""Fields that count planes and time points, and the axes that these are."""

_OF_WINDOWS = {"thumbs.db", "desktop.ini"}  # files that it leaves in folders
_SIDE_BY_SIDE = {  # what fields look like that stand next to another with nothing between
    "row": r"[A-Za-z]{1,2}|[Rr]?\d{2}",
    "col": r"[Cc]?\d{2}",
    "column": r"[Cc]?\d{2}",
    "well": r"[A-Za-z]{1,2}\d{2}",
    "field": r"[FfSs]?\d+",
    "site": r"[FfSs]?\d+",
    "z": r"[PpZz]?\d+",
    "t": r"[Tt]?\d+",
}


class FilePattern:
    """A path below a folder, with fields: `{plate}/{id}_{channel}.tif`.

    A number after a colon is a width: `{field:2}` are two signs, `{id:03}` three digits with zeros in front. `*` stands
    for anything within a name. A compiled regular expression with named groups is a pattern too, of the whole path.
    """

    def __init__(self, pattern: "str | re.Pattern[str]"):
        self.given = pattern
        self.text: str | None = None
        if isinstance(pattern, re.Pattern):
            self.fields = tuple(pattern.groupindex)
            self.parts: list[tuple[str, str | None, str]] = []
            if not self.fields:
                raise ValueError(f"`pattern` must have named groups, as '(?P<id>.+)'. Received: {pattern.pattern!r}")
            return
        self.text = pattern
        self.parts = _parse(pattern)
        self.fields = tuple(dict.fromkeys(field for _, field, _ in self.parts if field is not None))
        if not self.fields:
            raise ValueError(f"`pattern` must hold {{id}} or other fields. Received: {pattern!r}")

    @property
    def is_plain(self) -> bool:
        """Whether it holds `{id}` and `{channel}` only, as the sources take it."""
        return (
            self.text is not None
            and set(self.fields) <= {"id", "channel"}
            and "*" not in self.text
            and not any(spec for _, _, spec in self.parts)
        )

    @property
    def is_open(self) -> bool:
        """Whether names of files cannot be made of fields alone."""
        return self.text is None or "*" in self.text

    def path(self, values: Mapping[str, str]) -> str:
        """The path that fields give."""
        text = ""
        for literal, field, spec in self.parts:
            text += literal
            if field is not None:
                value = values[field]
                text += value.zfill(int(spec)) if spec.startswith("0") and value.isdigit() else value
        return text

    def match(self, path: str, texts: Mapping[str, Sequence[str]] | None = None) -> dict[str, str] | None:
        """What a path says; `texts` are those that a field may have."""
        if isinstance(self.given, re.Pattern):
            found = self.given.fullmatch(path)
            return None if found is None else {name: value or "" for name, value in found.groupdict().items()}
        frozen = tuple((name, tuple(values)) for name, values in (texts or {}).items())
        found = _regex(self.text or "", frozen).fullmatch(path)
        return None if found is None else found.groupdict()

    def __repr__(self) -> str:
        return repr(self.given.pattern if isinstance(self.given, re.Pattern) else self.given)


def _parse(pattern: str) -> list[tuple[str, str | None, str]]:
    try:
        parsed = list(Formatter().parse(pattern))
    except (ValueError, TypeError) as error:
        raise ValueError(f"`pattern` must be a path with {{id}} in it ({error}). Received: {pattern!r}") from None
    parts = []
    for literal, field, spec, conversion in parsed:
        if field is not None and (not field.isidentifier() or conversion or not re.fullmatch(r"\d{0,2}", spec or "")):
            raise ValueError(
                "`pattern` must have fields with plain names, and after a colon only a width, such as {id:03}. "
                f"Received: {pattern!r}"
            )
        parts.append((literal, field, spec or ""))
    if could_leave(pattern):
        raise ValueError(f"`pattern` must be a path below `root`, without '..'. Received: {pattern!r}")
    return parts


@lru_cache(64)
def _regex(pattern: str, texts: tuple[tuple[str, tuple[str, ...]], ...]) -> "re.Pattern[str]":
    parts, known, seen = _parse(pattern), dict(texts), set()
    regex = ""
    for number, (literal, field, spec) in enumerate(parts):
        regex += "[^/]*".join(re.escape(piece) for piece in literal.split("*"))
        if field is None:
            continue
        if field in seen:
            regex += f"(?P={field})"
            continue
        seen.add(field)
        after = parts[number + 1] if number + 1 < len(parts) else None
        is_beside = (after is not None and not after[0] and after[1] is not None) or (number and not literal)
        if field in known:
            one = "|".join(re.escape(value) for value in sorted(known[field], key=len, reverse=True))
        elif spec:
            one = rf"\d{{{int(spec)},}}" if spec.startswith("0") else f"[^/]{{{spec}}}"
        elif is_beside and number + 1 < len(parts):
            if field not in _SIDE_BY_SIDE:
                raise ValueError(
                    f"`pattern` must say where {{{field}}} ends: put a width into it, such as {{{field}:2}}. "
                    f"Received: {pattern!r}"
                )
            one = _SIDE_BY_SIDE[field]
        elif field in AXES:
            one = r"\d+"
        else:  # names hold what stands between fields: "a_b_dapi" is sample "a_b"
            one = "[^/]+?" if field == "channel" else "[^/]+"
        regex += f"(?P<{field}>{one})"
    return re.compile(regex)


def list_files(root: Path, depth: int | None) -> Iterator[str]:
    """Gives the paths of all files below a folder, in order; each folder is listed once, and no file is touched.

    Args:
        root: the folder.
        depth: how many names a path has; any number unless given.
    """
    folders: list[tuple[str, int]] = [("", 1)]
    while folders:
        folder, level = folders.pop()
        below = []
        with os.scandir(root / folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        for entry in listed:
            if entry.name.startswith(".") or entry.name.lower() in _OF_WINDOWS:
                continue
            path = f"{folder}{entry.name}"
            if entry.is_dir():
                if depth is None or level < depth:
                    below.append((f"{path}/", level + 1))
            elif depth is None or level == depth:
                yield path
        folders += reversed(below)


def names_in(root: Path, paths: Iterable[str]) -> dict[str, set[str]]:
    """For each folder that paths lie in, the names there; each folder is listed once."""
    found: dict[str, set[str]] = {}
    for path in paths:
        folder = os.path.dirname(path)
        if folder not in found:
            try:
                found[folder] = set(os.listdir(root / folder))
            except (FileNotFoundError, NotADirectoryError):
                found[folder] = set()
    return found


def natural(text: str) -> list[Any]:
    """A key by which "ch2" comes before "ch10"."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text) if part]
