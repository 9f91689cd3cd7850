import csv
import json
import multiprocessing
import os
import re
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

import keras_hpa
from keras_hpa import write_submission
from keras_hpa.files import (
    _seal,
    hold,
    is_left_over,
    read_manifest,
    remove_left_over,
    replacing,
    write_bytes,
    write_csv,
    write_json,
)

_POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs locks on folders, modes and fork")
_LEFT_OVER = f".keras_hpa-{'0' * 24}-{_seal('0' * 24)}"


def _put_left_over(folder):
    (folder / _LEFT_OVER).mkdir()
    (folder / _LEFT_OVER / "half.csv").write_text("half")


def test_the_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a.weights.h5"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.name == "a.weights.h5"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_after_an_error_nothing_has_changed(tmp_path):
    def write_half():
        with replacing(tmp_path / "a.csv") as temporary:
            temporary.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="full"):
        write_half()
    assert list(tmp_path.iterdir()) == []


@_POSIX
def test_mode_and_symbolic_link_stay(tmp_path):
    (tmp_path / "there").mkdir()
    target, link, dangling = tmp_path / "there" / "a.csv", tmp_path / "a.csv", tmp_path / "b.csv"
    target.write_text("old")
    target.chmod(0o604)
    link.symlink_to(target)
    dangling.symlink_to(tmp_path / "there" / "b.csv")
    for path in (link, dangling):
        write_bytes(path, b"new")
        assert path.is_symlink()
        assert path.read_text() == "new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "there" / "b.csv").stat().st_mode) == 0o666 & ~mask


@_POSIX
def test_a_temporary_name_is_new_each_time_and_open_to_nobody_else(tmp_path):
    names = set()
    for _ in range(20):
        with replacing(tmp_path / "a") as temporary:
            temporary.write_text("x")
            names.add(temporary.parent.name)
            assert stat.S_IMODE(temporary.parent.stat().st_mode) == 0o700
            assert is_left_over(temporary.parent)
    assert len(names) == 20


@pytest.mark.parametrize("name", ["a" * 249, "a" * 255, "é" * 120, "-", ".writing-1-a"])
def test_long_and_odd_names(tmp_path, name):
    write_bytes(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must name a regular file"):
        write_bytes(tmp_path, b"x")


@_POSIX
def test_what_a_killed_process_left_goes_and_what_is_anybodys_stays(tmp_path):
    _put_left_over(tmp_path)
    theirs = [tmp_path / ".writing-1-a.csv", tmp_path / f"{_LEFT_OVER[:-1]}x", tmp_path / "elsewhere"]
    for path in theirs:
        path.mkdir()
        (path / "half.csv").write_text("mine")
    (tmp_path / f".keras_hpa-{'1' * 24}-{_seal('1' * 24)}").symlink_to(tmp_path / "elsewhere")
    with replacing(tmp_path / "b.csv") as temporary:
        temporary.write_text("x")
        write_bytes(tmp_path / "a.csv", b"x")
        assert temporary.exists(), "what is being written was taken for left over"
    assert not (tmp_path / _LEFT_OVER).exists()
    assert all((path / "half.csv").read_text() == "mine" for path in theirs)
    assert {path.name for path in tmp_path.glob("*.csv")} == {"a.csv", "b.csv", ".writing-1-a.csv"}


def test_without_locks_on_folders_files_are_replaced_and_what_is_left_over_stays(tmp_path, monkeypatch):
    _put_left_over(tmp_path)
    monkeypatch.setattr("keras_hpa.files.fcntl", None)
    write_bytes(tmp_path / "a.csv", b"x")
    remove_left_over(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", _LEFT_OVER}


def _write_often(path, number):
    for _ in range(40):
        write_bytes(path, f"{number}".encode() * 3000)
        assert len(set(path.read_text())) == 1


@_POSIX
def test_threads_and_processes_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write_often, args=(tmp_path / "a", number)) for number in range(3)]
    workers += [threading.Thread(target=_write_often, args=(tmp_path / "a", number)) for number in range(3, 6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers[:3]] == [0] * 3
    assert len((tmp_path / "a").read_text()) == 3000
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def _count(folder):
    for _ in range(20):
        with hold(folder, wait=True):
            number = int((folder / "number").read_text())
            time.sleep(0.001)
            (folder / "number").write_text(str(number + 1))


@_POSIX
def test_a_folder_is_held_by_one(tmp_path, caplog):
    (tmp_path / "number").write_text("0")
    processes = [multiprocessing.get_context("fork").Process(target=_count, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    _count(tmp_path)
    for process in processes:
        process.join()
    assert (tmp_path / "number").read_text() == "80"

    held = []
    with hold(tmp_path, wait=False), hold(tmp_path, wait=False):
        thread = threading.Thread(target=lambda: held.append(hold(tmp_path, wait=True).lock.release()))
        thread.start()
        while not caplog.records:
            time.sleep(0.01)
        assert not held
    thread.join()
    assert held
    assert caplog.messages[-1].startswith("Waiting for another process or thread, which writes in ")


_KINDS = {
    **{
        "text": str,
        "whole": range(3),
        "number": float,
        "flag": bool,
        "any": object,
        "names": [str],
        "none": (int, None),
    },
    **{"table": {str: [float]}, "pair": {"a": int, "b": (str, [int])}},
}
_CONTENT = {
    **{"text": "", "whole": 2, "number": 1, "flag": False, "any": [{}], "names": ["a", "b"], "none": None},
    **{"table": {"x": [0.5, 1], "y": []}, "pair": {"a": 1, "b": [2]}},
}


def _read(path):
    return read_manifest(path, "ours", {2: _KINDS})


def test_a_manifest_reads_as_it_was_written(tmp_path):
    write_json(tmp_path / "a.json", "ours", 2, _CONTENT)
    assert _read(tmp_path / "a.json") == {"format": "ours", "version": 2, **_CONTENT}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("text", 1, "a text in field 'text'. Received: 1"),
        ("whole", 3, "an integer in 0 to 2 in field 'whole'"),
        ("whole", True, "an integer in 0 to 2 in field 'whole'"),
        ("whole", 1.0, "an integer in 0 to 2 in field 'whole'"),
        ("number", "1", "a finite number in field 'number'"),
        ("number", float("nan"), "a finite number in field 'number'. Received: nan"),
        ("number", -float("inf"), "a finite number in field 'number'. Received: -inf"),
        ("number", 10**400, "a finite number in field 'number'"),
        ("number", True, "a finite number in field 'number'"),
        ("flag", 0, "true or false in field 'flag'"),
        ("names", "ab", "a list in field 'names'"),
        ("names", ["a", None], "a text in field 'names[1]'"),
        ("none", "x", "an integer or null in field 'none'"),
        ("table", {"x": [1, []]}, "a finite number in field 'table.x[1]'"),
        ("pair", {"a": 1}, "the fields ['a', 'b'] in field 'pair'. Received: ['a']"),
        ("pair", {"a": 1, "b": [""]}, "an integer in field 'pair.b[0]'"),
        ("format", "theirs", "'ours' in field 'format'. Received: 'theirs'"),
        ("version", 1, "2 in field 'version'. Received: 1"),
        ("version", 2.0, "2 in field 'version'. Received: 2.0"),
        ("extra", 2, "must hold the fields"),
    ],
)
def test_each_field_is_checked_and_named(tmp_path, field, value, message):
    content = {"format": "ours", "version": 2, **_CONTENT, field: value}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"a\.json' must hold ") as caught:
        _read(tmp_path / "a.json")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 10_000, b'{"a": ' * 50 + b"1" + b"}" * 50, b"[]", b"null", b"\x00"],
)
def test_what_is_no_manifest_is_one_kind_of_error(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json' must (hold|be a JSON file)"):
        _read(tmp_path / "a.json")


def test_a_manifest_of_any_size_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"at most 134217728 bytes as a regular file\. Received: 1099511627776"):
        _read(tmp_path / "a.json")


@_POSIX
def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(ValueError, match="a regular file"):
        _read(tmp_path / "a.json")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_no_json_is_not_written(tmp_path, number):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", "ours", 2, {"number": number})
    assert not list(tmp_path.iterdir())


_WRITES = re.compile(r"os\.(replace|rename|link|fsync)\(|\.(rename|replace)\(temporary|NamedTemporaryFile|json\.load\(")


def test_no_other_module_writes_or_reads_in_a_way_of_its_own():
    package = Path(keras_hpa.__file__).parent
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if path != package / "files.py":
            assert not _WRITES.search(text), path
            reads = re.findall(r"json\.loads\((.*)", text)
            # A text inside an image or a table, whose errors are the image's or the table's.
            if path.name not in ("tiff_pages.py", "block_files.py"):
                assert all(read.startswith("json.dumps(") for read in reads), f"{path} reads JSON without a check"
            for line in re.findall(r".*(?:\.write_text|\.write_bytes|\.open\(\"w)\(?.*", text):
                assert "temporary" in line or line.lstrip().startswith((">>>", "...")), (
                    f"{path} writes in place: {line}"
                )


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_in_tables_are_disarmed_unless_asked_for(tmp_path, start):
    text = f"{start}cmd|' /C calc'!A0"
    write_csv(tmp_path / "a.csv", [("Id", text), (text, "a=b"), (-1.5, "-1.5"), ("+3", None)])
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [["Id", f"'{text}"], [f"'{text}", "a=b"], ["-1.5", "-1.5"], ["+3", ""]]
    write_csv(tmp_path / "a.csv", [(text, "é")], escape_formulas=False)
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [[text, "é"]]


def test_submission_disarms_ids_unless_asked_for(tmp_path):
    write_submission(tmp_path / "a.csv", ["=1+1", "b"], [[0, 1], [1, 0]])
    assert (tmp_path / "a.csv").read_text() == "Id,Predicted\n'=1+1,1\nb,0\n"
    write_submission(tmp_path / "a.csv", ["=1+1", "b"], [[0, 1], [1, 0]], escape_formulas=False)
    assert (tmp_path / "a.csv").read_text() == "Id,Predicted\n=1+1,1\nb,0\n"
