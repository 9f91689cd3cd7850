"""Reads samples in parallel and batches before they are asked for."""

import multiprocessing
import os
import sys
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import BatchRecipe


class ReadAhead:
    """Makes batches in threads or processes, the next ones while the last one is used.

    Args:
        recipe: what the batches are.
        workers: threads or processes; 0 makes every batch when it is asked for, in the thread that asks.
        use_processes: whether workers are processes: each is sent a copy of `recipe`.
        depth: how many batches to keep ready. No more than these and the one that is handed out are held.
    """

    def __init__(self, recipe: BatchRecipe, *, workers: int, use_processes: bool, depth: int):
        self.recipe = recipe
        self.workers = workers
        self.use_processes = use_processes
        self.depth = depth
        self._process_id = os.getpid()
        self._lock = threading.Lock()
        self._executor: Executor | None = None
        self._pending: dict[int, _Pending] = {}
        self._arrays = _Arrays(depth + 2)

    def get(self, number: int, end: int) -> npt.NDArray:
        """Gives the images of batch `number`, and begins to read those that follow it, up to and without `end`."""
        if not self.workers:
            return _make(self.recipe, number, self._arrays)
        with self._lock_of_this_process():
            current = self._pending.pop(number, None) or self._begin(number)
            wanted = range(number + 1, min(number + 1 + self.depth, end))
            for other in [other for other in self._pending if other not in wanted]:
                self._pending.pop(other).cancel()
            for following in wanted:
                if following not in self._pending:
                    self._pending[following] = self._begin(following)
        try:
            return current.result()
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Drops what was read ahead."""
        with self._lock_of_this_process():
            for pending in self._pending.values():
                pending.cancel()
            self._pending.clear()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lock": None, "_executor": None, "_pending": {}, "_process_id": None, "_arrays": None}

    def _lock_of_this_process(self) -> threading.Lock:
        # Neither threads nor what they hold live on in a forked or unpickled copy.
        if self._process_id != os.getpid():
            self._process_id, self._lock = os.getpid(), threading.Lock()
            self._executor, self._pending, self._arrays = None, {}, _Arrays(self.depth + 2)
        return self._lock

    def _begin(self, number: int) -> "_Pending":
        if self._executor is None:
            self._executor = self._make_executor()
        if self.use_processes:
            return _PendingInProcess(self._executor.submit(_make_in_process, number))
        return _PendingInThreads(self._executor, self.recipe, number, self._arrays)

    def _make_executor(self) -> Executor:
        if not self.use_processes:
            return ThreadPoolExecutor(self.workers, thread_name_prefix="keras_hpa")
        # A fork of a process with threads, which every backend has, may never come to life.
        method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        return ProcessPoolExecutor(
            self.workers, multiprocessing.get_context(method), initializer=_start_process, initargs=(self.recipe,)
        )


class _Pending(Protocol):
    def result(self) -> npt.NDArray: ...

    def cancel(self) -> None: ...


class _PendingInProcess:
    def __init__(self, future: Future):
        self.future = future
        self.result = future.result

    def cancel(self) -> None:
        self.future.cancel()


class _PendingInThreads:
    def __init__(self, executor: Executor, recipe: BatchRecipe, number: int, arrays: "_Arrays"):
        self.batch = _Batch(recipe, number, arrays)
        self.futures = [executor.submit(self.batch.fill, place) for place in recipe.places(number)]

    def result(self) -> npt.NDArray:
        for future in self.futures:
            future.result()
        return self.batch.images()

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


class _Batch:
    """An array that is filled row by row, from any thread; the first image decides its shape and type."""

    def __init__(self, recipe: BatchRecipe, number: int, arrays: "_Arrays"):
        self.recipe = recipe
        self.number = number
        self.arrays = arrays
        self.places = recipe.places(number)
        self.array: npt.NDArray | None = None
        self.lock = threading.Lock()
        self.misfits: dict[int, tuple[tuple[int, ...], np.dtype]] = {}

    def fill(self, place: int) -> None:
        image = self.recipe.image(self.number, place)
        dtype = self.recipe.type_in_batch(image)
        with self.lock:
            if self.array is None:
                self.array = self.arrays.take((len(self.places), *image.shape), dtype)
        if (image.shape, dtype) == (self.array.shape[1:], self.array.dtype):
            self.recipe.put(image, self.array[place - self.places.start])
        else:
            self.misfits[place] = (image.shape, dtype)

    def images(self) -> npt.NDArray:
        assert self.array is not None
        for place in sorted(self.misfits)[:1]:
            ids = [self.recipe.source.ids[sample] for sample in self.recipe.samples(self.number)]
            shape, dtype = self.misfits[place]
            raise ValueError(
                "All samples must have one size and one type, unless `image_size` is given for sizes and "
                f"dtype='float32' for types. Received: sample {ids[place - self.places.start]!r}: {dtype} of shape "
                f"{shape}, but others of its batch {ids}: {self.array.dtype} of shape {self.array.shape[1:]}"
            )
        return self.array


class _Arrays:
    """Gives arrays to write to, over and over the same ones: the first touch of new memory costs as much as a copy.

    An array is given again only when nobody else holds it or a view of it.
    """

    def __init__(self, most: int):
        self.most = most
        self.arrays: list[npt.NDArray] = []
        self.lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> npt.NDArray:
        with self.lock:
            self.arrays = [array for array in self.arrays if (array.shape, array.dtype) == (shape, dtype)]
            for place in range(len(self.arrays)):
                if sys.getrefcount(self.arrays[place]) == _NOT_HELD:
                    return self.arrays[place]
            array = np.empty(shape, dtype)
            if len(self.arrays) < self.most:
                self.arrays.append(array)
            return array


_one = [np.empty(0)]
_NOT_HELD = sys.getrefcount(_one[0])


def _make(recipe: BatchRecipe, number: int, arrays: _Arrays) -> npt.NDArray:
    batch = _Batch(recipe, number, arrays)
    for place in batch.places:
        batch.fill(place)
    return batch.images()


_recipe_of_process: BatchRecipe
_arrays_of_process = _Arrays(1)


def _start_process(recipe: BatchRecipe) -> None:
    global _recipe_of_process
    _recipe_of_process = recipe
    cv2.setNumThreads(0)  # the processes are the parallelism


def _make_in_process(number: int) -> npt.NDArray:
    return _make(_recipe_of_process, number, _arrays_of_process)
