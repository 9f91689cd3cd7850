"""Reads samples in parallel and batches before they are asked for."""

import os
import sys
import threading
from concurrent.futures import Future
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import BatchRecipe
from keras_hpa.data.worker_pool import WorkerPool


class ReadAhead:
    """Gives the batches of epochs to one reader, and makes the next ones while it uses the last one.

    When the last batch of an epoch was given nothing is held.

    Args:
        recipe: what the batches are.
        labels: the labels of all samples, or `None`.
        length: batches in an epoch.
        pool: what makes them; of size 0, every batch is made when it is asked for, in the thread that asks.
        depth: how many batches to keep ready. No more than these and the one that is given are held.
        in_turn: whether reading ahead waits until a batch is asked for that follows the last one: somebody who looks at
            one batch is not about to go on.
    """

    def __init__(
        self,
        recipe: BatchRecipe,
        labels: npt.NDArray | None,
        *,
        length: int,
        pool: WorkerPool,
        depth: int,
        in_turn: bool = False,
    ):
        self.recipe = recipe
        self.labels = labels
        self.length = length
        self.pool = pool
        self.depth = depth
        self.in_turn = in_turn
        self._begin()

    def get(self, epoch: int, index: int) -> Any:
        """Gives batch `index` of `epoch`: images, or images and labels."""
        number = epoch * self.length + index
        images = self._images(number, (epoch + 1) * self.length)
        return images if self.labels is None else (images, self.labels[self.recipe.samples(number)])

    def forget(self) -> None:
        """Drops what was read ahead, and the memory that batches were read into."""
        with self._lock:
            for pending in self._pending.values():
                pending.cancel()
            self._pending.clear()
            self._arrays = _Arrays(self.depth + 2)

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
        self._arrays = _Arrays(self.depth + 2)

    def _images(self, number: int, end: int) -> npt.NDArray:
        if self._process_id != os.getpid():
            self._begin()
        with self._lock:
            is_turn = number == self._next or not self.in_turn
            self._next = number + 1
            wanted = range(self._next, min(self._next + self.depth, end) if is_turn else self._next)
            arrays = self._arrays if wanted or self._pending else _Arrays(0)
            if self.pool.size:
                current = self._pending.pop(number, None) or self._start(number, arrays)
                for other in [other for other in self._pending if other not in wanted]:
                    self._pending.pop(other).cancel()
                for following in wanted:
                    if following not in self._pending:
                        self._pending[following] = self._start(following, arrays)
            else:
                current = _PendingHere(self.recipe, number, arrays)
        try:
            images = current.result()
        except BaseException:
            self.forget()
            raise
        if not wanted:
            self.forget()
        return images

    def _start(self, number: int, arrays: "_Arrays") -> "_Pending":
        if self.pool.run is None:
            return _PendingInThreads(self.pool, self.recipe, number, arrays)
        return _PendingInProcess(self.pool, self.recipe, number)


def make_batch(recipe: BatchRecipe, number: int) -> npt.NDArray:
    """What worker processes do: makes the images of batch `number`."""
    import cv2

    cv2.setNumThreads(0)  # the processes are the parallelism
    return _PendingHere(recipe, number, _Arrays(0)).result()


class _Pending(Protocol):
    def result(self) -> npt.NDArray: ...

    def cancel(self) -> object: ...


class _PendingHere:
    def __init__(self, recipe: BatchRecipe, number: int, arrays: "_Arrays"):
        self.batch = _Batch(recipe, number, arrays)

    def result(self) -> npt.NDArray:
        for place in self.batch.places:
            self.batch.fill(place)
        return self.batch.images()

    def cancel(self) -> None:
        pass


class _PendingInThreads:
    def __init__(self, pool: WorkerPool, recipe: BatchRecipe, number: int, arrays: "_Arrays"):
        self.batch = _Batch(recipe, number, arrays)
        self.futures = [pool.submit(self.batch.fill, place) for place in recipe.places(number)]

    def result(self) -> npt.NDArray:
        for future in self.futures:
            future.result()
        return self.batch.images()

    def cancel(self) -> None:
        for future in self.futures:
            future.cancel()


class _PendingInProcess:
    def __init__(self, pool: WorkerPool, recipe: BatchRecipe, number: int):
        self.recipe = recipe
        self.number = number
        self.future: Future[npt.NDArray] = pool.submit(number)
        self.cancel = self.future.cancel

    def result(self) -> npt.NDArray:
        try:
            return self.future.result()
        except ChildProcessError as error:
            raise ChildProcessError(f"{error}. Received: samples {self.recipe.ids(self.number)}") from None


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
            ids = self.recipe.ids(self.number)
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
