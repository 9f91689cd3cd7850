"""Reads samples in parallel and batches before they are asked for."""

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import BatchRecipe
from keras_hpa.data.processes import ProcessReader
from keras_hpa.data.shared_arrays import Arrays
from keras_hpa.data.worker_pool import WorkerPool
from keras_hpa.data.worker_process import Rows


class ReadAhead:
    """Gives the batches of epochs to one reader, and makes the next ones while it uses the last one.

    When the last batch of an epoch was given nothing is held.

    Args:
        recipe: what the batches are.
        labels: the labels of all samples, or `None`.
        length: batches in an epoch.
        pool: the threads that make them; of none, every batch is made when it is asked for, in the thread that asks.
        processes: what makes the images for these threads, if not they themselves.
        depth: how many batches to keep ready. No more than these and the one that is given are held.
        arrange: makes a batch of its images and the indices of its samples, if it is not images, or images and labels.
        in_turn: whether reading ahead waits until a batch is asked for that follows the last one: somebody who looks at
            one batch is not about to go on.
    """

    def __init__(
        self,
        recipe: BatchRecipe,
        labels: npt.NDArray[Any] | None,
        *,
        length: int,
        pool: WorkerPool,
        processes: ProcessReader | None,
        depth: int,
        arrange: Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any] | None = None,
        in_turn: bool = False,
    ):
        self.recipe = recipe
        self.labels = labels
        self.length = length
        self.pool = pool
        self.processes = processes
        self.depth = depth
        self.arrange = arrange
        self.in_turn = in_turn
        self._begin()

    def get(self, epoch: int, index: int) -> Any:
        """Gives batch `index` of `epoch`: images, or images and labels, or what is arranged of them."""
        number = epoch * self.length + index
        images = self._images(number, (epoch + 1) * self.length)
        if self.arrange is not None:
            return self.arrange(images, self.recipe.samples(number))
        return images if self.labels is None else (images, self.labels[self.recipe.samples(number)])

    def forget(self) -> None:
        """Drops what was read ahead, and the memory that batches were read into."""
        with self._lock:
            for pending in self._pending.values():
                pending.cancel()
            self._pending.clear()
            self._arrays = Arrays(self.depth + 2, self.processes is not None)

    def close(self) -> None:
        """Ends reading ahead: whoever asks from now on gets that batch and no more is read."""
        self.depth = 0
        self.forget()

    def __del__(self) -> None:
        for pending in getattr(self, "_pending", {}).values():
            pending.cancel()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def _begin(self) -> None:
        self._process_id = os.getpid()  # neither threads nor what they hold live on in a forked process
        self._lock = threading.Lock()
        self._next: int | None = None
        self._pending: dict[int, _Pending] = {}
        self._arrays = Arrays(self.depth + 2, self.processes is not None)

    def _images(self, number: int, end: int) -> npt.NDArray[Any]:
        if self._process_id != os.getpid():
            self._begin()
        with self._lock:
            is_turn = number == self._next or not self.in_turn
            self._next = number + 1
            wanted = range(self._next, min(self._next + self.depth, end) if is_turn else self._next)
            arrays = self._arrays if wanted or self._pending else Arrays(0, self.processes is not None)
            current = None
            if self.pool.size:
                current = self._pending.pop(number, None) or self._start(number, arrays)
                for other in [other for other in self._pending if other not in wanted]:
                    self._pending.pop(other).cancel()
                for following in wanted:
                    if following not in self._pending:
                        self._pending[following] = self._start(following, arrays)
        try:
            images = self._here(number, arrays) if current is None else current.result()
        except BaseException:
            self.forget()
            raise
        if not wanted:
            self.forget()
        return images

    def _here(self, number: int, arrays: Arrays) -> npt.NDArray[Any]:
        batch = _Batch(self.recipe, number, arrays, None)
        batch.fill(batch.places)
        return batch.images()

    def _start(self, number: int, arrays: Arrays) -> "_Pending":
        return _Pending(self.pool, _Batch(self.recipe, number, arrays, self.processes))


class _Pending:
    """A batch that threads make."""

    def __init__(self, pool: WorkerPool, batch: "_Batch"):
        self.batch = batch
        self.futures = [pool.submit(batch.fill, places) for places in batch.parts(pool.size)]

    def result(self) -> npt.NDArray[Any]:
        for future in self.futures:
            future.result()
        return self.batch.images()

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


class _Batch:
    """An array that is filled row by row, from any thread; the first image decides its shape and type.

    Worker processes write into the array, if it is there: from the second batch on, its rows are expected to be as
    those of the last. Images that do not fit come back.
    """

    def __init__(self, recipe: BatchRecipe, number: int, arrays: Arrays, processes: ProcessReader | None):
        self.recipe = recipe
        self.number = number
        self.arrays = arrays
        self.processes = processes
        self.places = recipe.places(number)
        self.array: npt.NDArray[Any] | None = None
        self.rows: Rows | None = None
        self.lock = threading.Lock()
        self.unfit: dict[int, npt.NDArray[Any]] = {}
        self.misfits: dict[int, tuple[tuple[int, ...], np.dtype]] = {}
        if processes is not None and processes.row is not None:
            self._take(*processes.row)

    def parts(self, num_workers: int) -> list[range]:
        """Gives what one task is: an image in a thread, a few in a process, which pays for asking it."""
        step = 1 if self.processes is None else max(1, len(self.places) // (4 * num_workers))
        return [self.places[first : first + step] for first in range(0, len(self.places), step)]

    def fill(self, places: range) -> None:
        if self.processes is not None:
            self.unfit.update(self.processes.make(self.number, places, self.rows))
        else:
            for place in places:
                self._put(place, self.recipe.image(self.number, place))

    def images(self) -> npt.NDArray[Any]:
        if len(self.unfit) == len(self.places):
            self.array = None
        for place in sorted(self.unfit):
            self._put(place, self.unfit.pop(place))
        assert self.array is not None
        for place in sorted(self.misfits)[:1]:
            ids = self.recipe.ids(self.number)
            shape, dtype = self.misfits[place]
            raise ValueError(
                "All samples must have one size and one type, unless `image_size` is given for sizes and "
                f"dtype='float32' for types. Received: sample {ids[place - self.places.start]!r}: {dtype} of shape "
                f"{shape}, but others of its batch {ids}: {self.array.dtype} of shape {self.array.shape[1:]}"
            )
        if self.processes is not None:
            self.processes.row = self.array.shape[1:], self.array.dtype
        return self.array

    def _put(self, place: int, image: npt.NDArray[Any]) -> None:
        dtype = self.recipe.type_in_batch(image)
        with self.lock:
            array = self._take(image.shape, dtype) if self.array is None else self.array
        if (image.shape, dtype) == (array.shape[1:], array.dtype):
            self.recipe.put(image, array[place - self.places.start])
        else:
            self.misfits[place] = (image.shape, dtype)

    def _take(self, shape: tuple[int, ...], dtype: np.dtype) -> npt.NDArray[Any]:
        self.array, memory = self.arrays.take((len(self.places), *shape), dtype)
        self.rows = None if memory is None else Rows(memory, self.array.shape, dtype, self.places.start)
        return self.array
