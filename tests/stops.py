"""Stops a piece of work at each of its operations on files, by a kill or by a power cut.

The work runs in a forked child. An audit hook counts the operations that Python announces (open, mkdir, rename, remove,
truncate, lock, map), and patches those that it does not (fsync, the flush of a map), whoever calls them. A kill ends
the child there. A power cut loses more, what was not flushed; three kinds are modelled:

- "names kept": all names are on the disk, but a file has the content of its last flush, or none;
- "blocks mixed": the same, but each block of a file is as it was last written or as it was last flushed;
- "names old": a folder, too, has the names of its last flush.
"""

import os
import random
import shutil
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

STOPS = ("kill", "names kept", "blocks mixed", "names old")
_COUNTED = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "os.utime"}
_COUNTED |= {"open", "fcntl.flock", "mmap.__new__", "flush"}
_BLOCK = 64
_KILLED, _FAILED = 77, 78


class _Disk:
    """What has reached the disk: the content of files and the names in folders, each at its last flush."""

    def __init__(self, root):
        self.contents, self.names, self.kept_open = {}, {}, []
        for folder, _, files in os.walk(root):
            self.flush(folder)
            for name in files:
                self.flush(os.path.join(folder, name))

    def flush(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        self.kept_open.append(descriptor)  # so that no other file gets its inode
        inode = os.fstat(descriptor).st_ino
        if os.path.isdir(path):
            entries = [(entry.name, entry.inode(), entry.is_dir()) for entry in os.scandir(path)]
            self.names[inode] = entries
        else:
            status = os.fstat(descriptor)
            self.contents[inode] = (Path(path).read_bytes(), status)

    def cut(self, root, stop):
        if stop == "names old":
            inode = os.lstat(root).st_ino
            shutil.rmtree(root)
            self._restore(root, inode, True)
            return
        rng = random.Random(0)
        for folder, _, files in os.walk(root):
            for name in files:
                path = Path(folder, name)
                current = path.read_bytes()
                self._restore(path, path.lstat().st_ino, False)
                if stop == "blocks mixed":
                    old = path.read_bytes().ljust(len(current), b"\0")
                    starts = range(0, len(current), _BLOCK)
                    path.write_bytes(b"".join(rng.choice((old, current))[n : n + _BLOCK] for n in starts))

    def _restore(self, path, inode, is_folder):
        if is_folder:
            os.mkdir(path)
            for name, one, is_one_folder in self.names.get(inode, ()):
                self._restore(os.path.join(path, name), one, is_one_folder)
            return
        content, status = self.contents.get(inode, (b"", None))
        Path(path).write_bytes(content)
        if status is not None:
            os.chmod(path, status.st_mode & 0o777)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def stop_everywhere(work, root, check, *, prepare=None, stops=STOPS, every=1):
    """Runs `work(root)` in children, stopped at each `every`-th operation, and `check(root)` on what each one left.

    `prepare(root)` fills the new folder before. Returns the number of operations.
    """
    number = 0
    while True:
        codes = set()
        for stop in stops:
            shutil.rmtree(root, ignore_errors=True)
            root.mkdir()
            if prepare is not None:
                prepare(root)
            code = _run(work, root, number, stop)
            assert code in (0, _KILLED), f"the work failed before operation {number}"
            codes.add(code)
            try:
                check(root)
            except BaseException as error:
                error.add_note(f"after: {stop} at operation {number}")
                raise
        if codes == {0}:
            return number
        assert len(codes) == 1
        number += every


def _run(work, root, number, stop):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that the child does not have
        child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _stop_at(root, number, stop)
        work(root)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(_FAILED)


def _stop_at(root, number, stop):
    disk = _Disk(root) if stop != "kill" else None
    state = {"left": number, "active": True}

    def count(event, arguments):
        if not state["active"] or event not in _COUNTED:
            return
        if event == "open" and not (_is_below(arguments[0], root) and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if state["left"]:
            state["left"] -= 1
            return
        state["active"] = False
        if disk is not None:
            disk.cut(root, stop)
        os._exit(_KILLED)

    def flushed(path):
        if _is_below(path, root):
            count("flush", ())
            if disk is not None and os.path.exists(path):
                state["active"] = False
                disk.flush(path)
                state["active"] = True

    fsync, flush = os.fsync, np.memmap.flush

    def patched_fsync(descriptor):
        fsync(descriptor)
        flushed(os.readlink(f"/proc/self/fd/{descriptor}"))

    def patched_flush(array):
        flush(array)
        flushed(array.filename)

    os.fsync, np.memmap.flush = patched_fsync, patched_flush
    sys.addaudithook(count)


def _is_below(path, root):
    return isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(os.fspath(root))
