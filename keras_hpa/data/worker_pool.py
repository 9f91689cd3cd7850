"""Threads that do tasks in turn, each by itself or in a process of its own, and that end with the interpreter."""

import atexit
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import queue
import signal
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any


class WorkerPool:
    """Does tasks in threads or processes.

    It differs from the executors of `concurrent.futures` in two things. The interpreter does not wait at its end for
    tasks that nobody will use. And a process that was killed is started again: one task is repeated, no other is lost.

    Args:
        size: how many tasks are done at a time, at most.
        run: `None` for threads: a task is a function and its arguments. For processes, what they do: a picklable
            function that takes what a task is.
    """

    def __init__(self, size: int, run: Callable[..., Any] | None = None):
        self.size = size
        self.run = run
        self._begin()

    def __getstate__(self) -> dict[str, Any]:
        return {"size": self.size, "run": self.run}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def submit(self, *task: Any) -> "Future[Any]":
        """Gives what the task will return; cancelled if the interpreter is at its end."""
        if self._process_id != os.getpid():
            self._begin()
        future: Future[Any] = Future()
        if _is_ending.is_set():
            future.cancel()
            return future
        self._tasks.put((future, task))
        with self._lock:
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.size:
                arguments = (self._tasks, self._idle, self.run)
                self._threads.append(threading.Thread(target=_work, args=arguments, name="keras_hpa", daemon=True))
                self._threads[-1].start()
        return future

    def _begin(self) -> None:
        self._process_id = os.getpid()  # threads do not live on in a forked process
        self._lock = threading.Lock()
        self._tasks: _Tasks = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        weakref.finalize(self, _end, self._tasks, self._threads).atexit = False
        _pools.add(self)


_Tasks = queue.SimpleQueue[tuple["Future[Any]", tuple[Any, ...]] | None]
_pools: "weakref.WeakSet[WorkerPool]" = weakref.WeakSet()
_is_ending = threading.Event()
_starting = threading.Lock()


def _work(tasks: _Tasks, idle: threading.Semaphore, run: Callable[..., Any] | None) -> None:
    call = _call if run is None else _Process(run)
    while (item := tasks.get()) is not None:
        future, task = item
        result = None
        if future.set_running_or_notify_cancel():
            try:
                result = call(*task)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        del item, future, task, result  # a thread that waits holds no batch
        idle.release()


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


class _Process:
    """Calls a function in a process, which is started when it is first needed and again if it was killed."""

    def __init__(self, run: Callable[..., Any]):
        self.run = run
        self.connection: multiprocessing.connection.Connection | None = None

    def __call__(self, *arguments: Any) -> Any:
        for _ in range(2):
            try:
                connection = self.connection = self.connection or self._start()
                connection.send(arguments)
                result, error = connection.recv()
            except (EOFError, OSError):
                self.connection = None
                if _is_ending.is_set():
                    break
                continue
            if error is not None:
                raise error
            return result
        raise ChildProcessError(
            "A worker process ended twice before its batch was read. Either something kills it, such as a lack of "
            'memory or a broken file, or it cannot start: guard the script by `if __name__ == "__main__":`'
        )

    def _start(self) -> "multiprocessing.connection.Connection":
        # A fork of a process with threads, which every backend has, may never come to life.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        context: Any = multiprocessing.get_context(method)
        with _starting:
            ours, theirs = context.Pipe()
            context.Process(target=_serve, args=(theirs, self.run), daemon=True).start()
            theirs.close()
        return ours


def _serve(connection: "multiprocessing.connection.Connection", run: Callable[..., Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    with contextlib.suppress(EOFError, OSError):  # until that process is gone
        while True:
            connection.send(_answer(run, connection.recv()))


def _answer(run: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return run(*arguments), None
    except Exception as error:
        return None, error


def _end(tasks: _Tasks, threads: list[threading.Thread]) -> None:
    with contextlib.suppress(queue.Empty):
        while item := tasks.get_nowait():
            item[0].cancel()
    for _ in threads:
        tasks.put(None)


@atexit.register
def _end_all() -> None:
    _is_ending.set()
    threads = []
    for pool in list(_pools):
        _end(pool._tasks, pool._threads)
        if pool.run is None:
            threads += pool._threads
    # A thread that is killed inside of a decoder could take the process with it; most images are done in this time.
    deadline = time.monotonic() + 0.5
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
