"""Files that appear whole or not at all, and manifests, which are checked field by field when they are read."""

import csv
import errno
import hashlib
import json
import logging
import math
import os
import re
import reprlib
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FunctionType
from typing import Any

from filelock import AcquireReturnProxy, FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows: what a killed process left behind cannot be told from what another one is writing
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_TEMPORARY = re.compile(r"\.keras_hpa-([0-9a-f]{24})-([0-9a-f]{8})")
_FORMULA = re.compile(r"[=+\-@\t\r]")
_LARGEST, _DEEPEST = 128 * 2**20, 32  # bytes and levels of a manifest
_WORDS = {dict: "an object", list: "a list", str: "a text", int: "an integer", bool: "true or false"}


@contextmanager
def replacing(path: str | os.PathLike[str], *, clean: bool = True) -> Iterator[Path]:
    """Gives the path of a temporary file, of the same name and on the same disk, that then takes the place of `path`.

    Whatever happens, a power cut too, `path` is what it was before or what was written, in full. The target of a
    symbolic link is replaced. A file keeps its mode. Where nothing is yet, it may be a folder; its content is the
    caller's to flush. What killed processes left beside it is removed if `clean`, where folders have locks.

    Raises:
        ValueError: if `path` is there and no regular file, such as a folder or a device.
    """
    target = Path(os.path.realpath(path))
    mode = _mode(target)
    if clean:
        remove_left_over(target.parent)
    with _private_folder(target.parent) as private:
        yield private / target.name
        flush(private / target.name, mode)
        os.replace(private / target.name, target)
        flush(target.parent)


def write_bytes(path: str | os.PathLike[str], content: bytes, *, clean: bool = True) -> None:
    """Writes a file whole or not at all, as `replacing` does."""
    with replacing(path, clean=clean) as temporary:
        temporary.write_bytes(content)


def write_csv(path: str | os.PathLike[str], rows: Iterable[Sequence[object]], *, escape_formulas: bool = True) -> None:
    """Writes a table, in UTF-8, whole or not at all.

    Spreadsheets run a text that begins with =, +, -, @, a tab or a carriage return as a formula. Such a text gets an
    apostrophe in front, unless it is a number or not `escape_formulas`.
    """
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        plain, quoting = (csv.writer(file, lineterminator="\n", quoting=q) for q in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
        for row in rows:
            values = [_escape_formula(value) if escape_formulas else value for value in row]
            # Left to itself, the writer does not quote a carriage return that does not end lines.
            (quoting if any("\r" in str(value) for value in values) else plain).writerow(values)


def write_json(path: str | os.PathLike[str], format: str, version: int, content: Mapping[str, Any]) -> None:
    """Writes what `read_manifest` reads."""
    text = json.dumps({"format": format, "version": version, **content}, indent=1, allow_nan=False)
    if len(text) > _LARGEST:
        raise ValueError(f"{path} must have at most {_LARGEST} bytes. Received: {len(text)}")
    write_bytes(path, text.encode())


def make_folder(folder: Path) -> None:
    """Makes a folder and those above it, which have reached the disk when it returns."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        flush(folder.parent)


def flush(path: Path, mode: int | None = None) -> None:
    """Returns when a file, with its new mode if there is one, or the names in a folder have reached the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no such call
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        if mode is not None:
            os.chmod(path, mode)
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without this call for folders
            raise
    finally:
        os.close(descriptor)


def is_left_over(path: str | os.PathLike[str]) -> bool:
    """Whether this is a temporary folder of ours, of a process that was killed or is still writing."""
    match = _TEMPORARY.fullmatch(os.path.basename(path))
    return match is not None and match[2] == _seal(match[1]) and stat.S_ISDIR(os.lstat(path).st_mode)


def remove_left_over(folder: Path) -> None:
    """Removes what killed processes left in a folder; what a process is still writing stays."""
    with suppress(OSError):
        for name in os.listdir(folder) if fcntl else ():
            with suppress(OSError):
                if is_left_over(folder / name):
                    descriptor = _lock_folder(folder / name)
                    _remove(folder / name, descriptor)
                    os.close(descriptor)


def hold(folder: Path, *, wait: bool) -> AcquireReturnProxy:
    """Makes a folder and locks it against other processes and threads, until the context that it gives is left.

    A thread that holds it already gets it again. Who has to wait says so in the log.

    Raises:
        ValueError: if another process or thread holds the folder, unless `wait`.
    """
    make_folder(folder)
    lock = FileLock(folder / LOCK, is_singleton=True)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise ValueError(
                f"A folder must be written by one process at a time. Received: {os.fspath(folder)!r}, "
                "in which another process or thread writes"
            ) from None
    logging.getLogger(__name__).warning("Waiting for another process or thread, which writes in %s", folder)
    return lock.acquire()


def read_manifest(path: str | os.PathLike[str], format: str, versions: Mapping[int, Any]) -> dict[str, Any]:
    """Reads a JSON file that says what it is, and checks every field.

    Args:
        path: the file.
        format: what its field "format" must say.
        versions: for each known value of its field "version", the kinds of the other fields. A kind is a type (floats
            are finite, integers count as floats); a `range` of integers; `None`; `object` for anything; `[kind]`, a
            list; `{str: kind}`, an object with any names; `{"name": kind}`, an object with just these names; a
            function that says whether a value fits, and in its docstring what would; or a tuple of kinds, of which
            it must be one.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is anything else; file and field are named.
    """
    content = _read_json(path)
    if not isinstance(content, dict) or content.get("format") != format:
        found = content.get("format") if isinstance(content, dict) else content
        raise not_as_expected(path, "format", repr(format), found)
    version = content.get("version")
    if type(version) is not int or version not in versions:
        raise not_as_expected(path, "version", " or ".join(map(str, versions)), version)
    _check(path, "", content, {"format": str, "version": int, **versions[version]})
    return content


def not_as_expected(path: str | os.PathLike[str], field: str, expected: str, received: object) -> ValueError:
    """The error for a file whose content is damaged or foreign."""
    place = f" in field {field!r}" if field else ""
    return ValueError(f"{os.fspath(path)!r} must hold {expected}{place}. Received: {reprlib.repr(received)}")


def refuse_changes(argument: str, folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses to go on in a folder under other settings than before; names what differs, before and now."""
    given = json.loads(json.dumps(now, default=float))  # as the manifest has them
    changed = sorted(name for name in given if given[name] != before.get(name))
    if changed:
        raise ValueError(
            f"`{argument}` must hold scores made with the same settings: {os.fspath(folder)!r} was made with "
            f"{ {name: before.get(name) for name in changed} }. Use these again, or another folder. "
            f"Received: { {name: given[name] for name in changed} }"
        )


def _read_json(path: str | os.PathLike[str]) -> Any:
    with open(path, "rb", opener=_open_at_once) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise not_as_expected(path, "", f"at most {_LARGEST} bytes as a regular file", status.st_size)
        text = file.read(_LARGEST)
    try:
        level = [content := json.loads(text.decode())]
        for _ in range(_DEEPEST):
            level = [one for group in level for one in _members(group)]
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)!r} must be a JSON file. Received: {error}") from None
    if level:
        raise not_as_expected(path, "", f"at most {_DEEPEST} levels", level[0])
    return content


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # does not wait for the other end of a pipe


def _members(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _check(path: str | os.PathLike[str], field: str, value: Any, kind: Any) -> None:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    fitting = [one for one in kinds if _fits(value, one)]
    if not fitting:
        raise not_as_expected(path, field, " or ".join(_in_words(one) for one in kinds), value)
    if isinstance(fitting[0], list):
        for number, one in enumerate(value):
            _check(path, f"{field}[{number}]", one, fitting[0][0])
    elif isinstance(fitting[0], dict):
        fields = dict.fromkeys(value, fitting[0][str]) if str in fitting[0] else fitting[0]
        if fields.keys() != value.keys():
            raise not_as_expected(path, field, f"the fields {sorted(fields)}", sorted(value))
        for name, one in fields.items():
            _check(path, f"{field}.{name}" if field else name, value[name], one)


def _fits(value: Any, kind: Any) -> bool:
    if kind is None or kind is object:
        return value is None or kind is object
    if isinstance(kind, FunctionType):
        return bool(kind(value))
    if isinstance(kind, range):
        return type(value) is int and value in kind
    if kind is float:  # an integer may be larger than any float
        return math.isfinite(value) if type(value) is float else type(value) is int and abs(value) < 2**1023
    return type(value) is (type(kind) if isinstance(kind, (list, dict)) else kind)


def _in_words(kind: Any) -> str:
    if isinstance(kind, range):
        return f"an integer in {kind.start} to {kind.stop - 1}"
    if isinstance(kind, FunctionType):
        return str(kind.__doc__)
    named = type(kind) if isinstance(kind, (list, dict)) else kind
    return _WORDS.get(named, "null" if kind is None else "a finite number")


def _mode(path: Path) -> int | None:
    """The permissions of a file that is to be replaced; a new file gets what the process gives to new files."""
    if not os.path.lexists(path):
        return None
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError(f"`path` must name a regular file, or none yet. Received: {os.fspath(path)!r}")
    return stat.S_IMODE(mode)


def _escape_formula(value: object) -> object:
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    with suppress(ValueError):
        float(value)
        return value
    return f"'{value}"


@contextmanager
def _private_folder(parent: Path) -> Iterator[Path]:
    """A folder that no other user can enter, whose name nobody can foresee, and that is locked while we use it."""
    descriptor = None
    while True:
        token = secrets.token_hex(12)
        folder = parent / f".keras_hpa-{token}-{_seal(token)}"
        folder.mkdir(mode=0o700)
        try:
            descriptor = _lock_folder(folder) if fcntl else None
            break
        except (BlockingIOError, FileNotFoundError):
            continue  # it was taken for left over before it was locked
        except OSError:
            break  # a file system without such locks
    try:
        yield folder
    finally:
        _remove(folder, descriptor)
        if descriptor is not None:
            os.close(descriptor)


def _lock_folder(folder: Path) -> int:
    """Opens a folder, not what a symbolic link points at, and locks it until it is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(descriptor), os.lstat(folder)):
            raise FileNotFoundError(errno.ENOENT, "replaced", os.fspath(folder))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _seal(token: str) -> str:
    """What tells our names from a user's beyond doubt."""
    return hashlib.sha256(f"keras_hpa {token}".encode()).hexdigest()[:8]


def _remove(folder: Path, descriptor: int | None) -> None:
    with suppress(OSError):
        for entry in list(os.scandir(folder if descriptor is None else descriptor)):
            remove = shutil.rmtree if entry.is_dir(follow_symlinks=False) else os.unlink
            remove(entry.path, dir_fd=descriptor)  # a name alone where the folder is given by its descriptor
        os.rmdir(folder)
