"""Threads that do tasks in turn, and that end with the interpreter."""

import atexit
import contextlib
import os
import queue
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any


class WorkerPool:
    """Does tasks, each a function and its arguments, in up to `size` threads.

    It differs from the executor of `concurrent.futures` in one thing: the interpreter does not wait at its end for
    tasks that nobody will use.
    """

    def __init__(self, size: int):
        self.size = size
        self._begin()

    def __getstate__(self) -> dict[str, Any]:
        return {"size": self.size}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def submit(self, *task: Any) -> "Future[Any]":
        """Gives what the task will return; cancelled if the interpreter is at its end."""
        if self._process_id != os.getpid():
            self._begin()
        future: Future[Any] = Future()
        if is_ending.is_set():
            future.cancel()
            return future
        self._tasks.put((future, task))
        with self._lock:
            if not self._idle.acquire(blocking=False) and len(self._threads) < self.size:
                arguments = (self._tasks, self._idle)
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
is_ending = threading.Event()


def _work(tasks: _Tasks, idle: threading.Semaphore) -> None:
    while (item := tasks.get()) is not None:
        future, (call, *arguments) = item
        result = None
        if future.set_running_or_notify_cancel():
            try:
                result = call(*arguments)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
        del item, future, call, arguments, result  # a thread that waits holds no batch
        idle.release()


def _end(tasks: _Tasks, threads: list[threading.Thread]) -> None:
    with contextlib.suppress(queue.Empty):
        while item := tasks.get_nowait():
            item[0].cancel()
    for _ in threads:
        tasks.put(None)


@atexit.register
def _end_all() -> None:
    is_ending.set()
    threads = []
    for pool in list(_pools):
        _end(pool._tasks, pool._threads)
        threads += pool._threads
    # A thread that is killed inside of a decoder could take the process with it; most images are done in this time.
    deadline = time.monotonic() + 0.5
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
