"""The last things that were read, kept for those who ask again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any, Protocol

import numpy.typing as npt


class Reader(Protocol):
    def read(self, index: int) -> npt.NDArray[Any]: ...


class LastRead:
    """Reads each thing once while it is asked for again and again, also by several threads.

    Two are kept: threads that go through the cells of one field after another are in two fields at most.
    """

    def __init__(self, reader: Reader, num_kept: int = 2):
        self.reader = reader
        self.num_kept = num_kept
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Future[npt.NDArray[Any]]] = OrderedDict()

    def read(self, index: int) -> npt.NDArray[Any]:
        with self._lock:
            future = self._kept.get(index)
            is_first = future is None
            if future is None:
                future = self._kept[index] = Future()
            self._kept.move_to_end(index)
            while len(self._kept) > self.num_kept:
                self._kept.popitem(last=False)
        if is_first:
            try:
                future.set_result(self.reader.read(index))
            except BaseException as error:  # whoever waits for it gets it too; whoever asks later reads again
                with self._lock:
                    if self._kept.get(index) is future:
                        del self._kept[index]
                future.set_exception(error)
        return future.result()

    def __reduce__(self) -> tuple[Any, ...]:
        return LastRead, (self.reader, self.num_kept)
