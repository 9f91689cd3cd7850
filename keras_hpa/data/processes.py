"""Worker processes, which all sequences of an interpreter share.

They are started as `python -c` and import nothing of the user's program, so that it needs no guard, and may be a
notebook or typed by hand. An executor (loky's, that of `concurrent.futures`) was not taken because a worker that is
killed breaks all of it, it waits for running tasks when the interpreter ends, and takes the arrays that a worker maps
for memory that it leaks.
"""

import atexit
import contextlib
import itertools
import os
import pickle
import subprocess
import sys
import threading
import weakref
from typing import Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import BatchRecipe
from keras_hpa.data.worker_pool import is_ending
from keras_hpa.data.worker_process import MOST_RECIPES, Answer, Rows, Task

_START = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from keras_hpa.data.worker_process import serve
serve()
"""
_ONE_THREAD = dict.fromkeys(
    [f"{name}_NUM_THREADS" for name in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "RAYON", "TIFFFILE")], "1"
)
# glibc hands what an image took back to the system, which then gives it again page by page: half of the decoding time.
_KEPT_MEMORY = dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(2**25))
_ATTEMPTS = 3
_keys = itertools.count()


class ProcessReader:
    """Has the images of a recipe made by worker processes, by `size` of them at a time at most.

    Making one pickles the recipe, the classes and functions of the user's program with it.

    Attributes:
        row: the shape and type of the rows of the last batch.
    """

    def __init__(self, recipe: BatchRecipe, size: int):
        self.recipe = recipe
        self.size = size
        self.key = next(_keys)
        self.pickled = cloudpickle.dumps(recipe, protocol=5)
        self.row: tuple[tuple[int, ...], np.dtype] | None = None
        _processes.join(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return ProcessReader, (self.recipe, self.size)

    def make(self, number: int, places: range, rows: Rows | None) -> list[tuple[int, npt.NDArray[Any]]]:
        """Makes images of batch `number` in its rows; gives those that do not fit into them, with their places."""
        for _ in range(_ATTEMPTS):
            process = _processes.take()
            answer = None
            try:
                answer = process.ask(self.key, self.pickled, number, places, rows)
            except (EOFError, OSError, pickle.UnpicklingError):  # it was killed
                if is_ending.is_set():
                    break
            finally:
                _processes.give_back(process, is_alive=answer is not None)
            if answer is not None:
                unfit, error, notes = answer
                if error is not None:
                    raise error
                for note in notes:
                    self.recipe.framing.announce(note)
                return unfit
        raise ChildProcessError(
            f"Worker processes were killed {_ATTEMPTS} times before these samples were read, for want of memory or by "
            f"a broken file. Received: samples {self.recipe.ids(number)}"
        )


class _Processes:
    """Starts processes when they are needed, as many as the largest reader may have; ends them after the last one."""

    seconds_unused = 10.0

    def __init__(self) -> None:
        self.changed = threading.Condition()  # whose lock may be taken again, by a reader that is collected meanwhile
        self.sizes: dict[int, int] = {}
        self.all: set[_Process] = set()
        self.idle: list[_Process] = []
        self.num_starting = 0
        self.keeper: threading.Thread | None = None

    def join(self, reader: ProcessReader) -> None:
        with self.changed:
            self.sizes[reader.key] = reader.size
        weakref.finalize(reader, self._leave, reader.key).atexit = False

    def _leave(self, key: int) -> None:
        with self.changed:
            self.sizes.pop(key, None)
            self.changed.notify_all()

    def take(self) -> "_Process":
        with self.changed:
            while True:
                while self.idle:
                    process = self.idle.pop()
                    if process.popen.poll() is None:
                        return process
                    self._end(process)
                if len(self.all) + self.num_starting < max(self.sizes.values(), default=1):
                    self.num_starting += 1
                    break
                self.changed.wait()
        try:
            process = _Process()
        except BaseException:
            with self.changed:
                self.num_starting -= 1
                self.changed.notify_all()
            raise
        with self.changed:
            self.num_starting -= 1
            self.all.add(process)
            if self.keeper is None:
                self.keeper = threading.Thread(target=self._keep, name="keras_hpa keeper", daemon=True)
                self.keeper.start()
        return process

    def give_back(self, process: "_Process", *, is_alive: bool) -> None:
        with self.changed:
            if is_alive and not is_ending.is_set():
                self.idle.append(process)
            else:
                self._end(process)
            self.changed.notify_all()

    def end(self) -> None:
        with self.changed:
            for process in [*self.all]:
                self._end(process)

    def forget(self) -> None:
        """In a process that was forked from this one: its copies of the pipes must not keep the workers alive."""
        for process in self.all:
            process.forget()
        sizes = self.sizes
        self.__init__()  # type: ignore[misc]
        self.sizes = sizes

    def _end(self, process: "_Process") -> None:
        self.all.discard(process)
        if process in self.idle:
            self.idle.remove(process)
        process.end()

    def _keep(self) -> None:
        with self.changed:
            while self.sizes or self.changed.wait(self.seconds_unused) or self.sizes:
                if self.sizes:
                    self.changed.wait()
            self.keeper = None
            self.end()


class _Process:
    def __init__(self) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=_KEPT_MEMORY | os.environ | _ONE_THREAD,
        )
        self.keys: list[int] = []
        self._send(sys.path)

    def ask(self, key: int, pickled: bytes, number: int, places: range, rows: Rows | None) -> Answer:
        is_known = key in self.keys
        recipe, path = (None, None) if is_known else (pickled, [*sys.path])
        folder = ""
        with contextlib.suppress(OSError):  # it is gone
            folder = os.getcwd()
        self._send(Task(key, recipe, number, places, rows, folder, path))
        if not is_known:  # the worker keeps the same ones
            self.keys = [*self.keys, key][-MOST_RECIPES:]
        return pickle.load(self.popen.stdout)  # type: ignore[arg-type]

    def end(self) -> None:
        self.popen.kill()
        self.popen.wait()
        for pipe in (self.popen.stdin, self.popen.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def forget(self) -> None:
        self.popen.returncode = 0
        for pipe in (self.popen.stdin, self.popen.stdout):
            pipe.raw.close()  # type: ignore[union-attr]  # not through a lock that a thread may have held

    def _send(self, message: Any) -> None:
        pickle.dump(message, self.popen.stdin, protocol=5)  # type: ignore[arg-type]
        self.popen.stdin.flush()  # type: ignore[union-attr]


_processes = _Processes()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_processes.forget)


@atexit.register
def _end_all() -> None:
    is_ending.set()
    _processes.end()
