"""Arrays that are used over and over, in memory of this process or shared with worker processes."""

import contextlib
import itertools
import mmap
import os
import sys
import threading
import weakref
from multiprocessing import shared_memory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt


class Place(NamedTuple):
    """Where another process finds the memory of an array; no two arrays have the same number."""

    number: int
    name: str
    num_bytes: int


class Arrays:
    """Gives arrays to write to, over and over the same ones: the first touch of new memory costs as much as a copy.

    An array is given again only when nobody else holds it or a view of it.

    Args:
        most: how many arrays are kept.
        are_shared: whether other processes write to them.
    """

    def __init__(self, most: int, are_shared: bool = False):
        self.most = most
        self.are_shared = are_shared
        self.kept: list[tuple[npt.NDArray[Any], Place | None]] = []
        self.lock = threading.Lock()

    def take(self, shape: tuple[int, ...], dtype: np.dtype) -> tuple[npt.NDArray[Any], Place | None]:
        """Gives an array, and where other processes find it."""
        with self.lock:
            self.kept = [kept for kept in self.kept if (kept[0].shape, kept[0].dtype) == (shape, dtype)]
            for array, place in self.kept:
                if sys.getrefcount(array) == _NOT_HELD:
                    return array, place
            array, place = shared_array(shape, dtype) if self.are_shared else (np.empty(shape, dtype), None)
            if len(self.kept) < self.most:
                self.kept.append((array, place))
            return array, place


def _count_of_one_that_is_kept() -> int:
    for array, _ in [(np.empty(0), None)]:
        return sys.getrefcount(array)
    raise AssertionError


_NOT_HELD = _count_of_one_that_is_kept()
_numbers = itertools.count()


def shared_array(shape: tuple[int, ...], dtype: np.dtype) -> tuple[npt.NDArray[Any], Place]:
    """Makes an array in memory that other processes can map.

    On Linux it is a file without a name, which goes with the last process that has it, however that ends, and is
    emptied with the array, so that a worker that still maps it holds nothing. Elsewhere Python's tracker removes it.
    """
    num_bytes = int(np.prod(shape)) * dtype.itemsize
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("keras_hpa")
        os.ftruncate(descriptor, num_bytes)
        array = np.ndarray(shape, dtype, buffer=mmap.mmap(descriptor, num_bytes))
        weakref.finalize(array, _empty, os.getpid(), descriptor).atexit = False
        return array, Place(next(_numbers), f"/proc/{os.getpid()}/fd/{descriptor}", num_bytes)
    _close_unused()
    memory = shared_memory.SharedMemory(create=True, size=num_bytes)
    array = np.ndarray(shape, dtype, buffer=memory.buf)
    weakref.finalize(array, _remove, memory)
    return array, Place(next(_numbers), memory.name, num_bytes)


def _empty(process_id: int, descriptor: int) -> None:
    if os.getpid() == process_id:  # and not one that was forked from it
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


_unused: list[shared_memory.SharedMemory] = []


def _remove(memory: shared_memory.SharedMemory) -> None:
    memory.unlink()
    _unused.append(memory)  # which the array still holds at this moment


def _close_unused() -> None:
    for memory in [*_unused]:
        with contextlib.suppress(BufferError):
            memory.close()
            _unused.remove(memory)


class Mapped:
    """What a worker process maps of the arrays of another: the last few."""

    def __init__(self, most: int = 8):
        self.most = most
        self.buffers: dict[int, mmap.mmap | shared_memory.SharedMemory] = {}

    def array(self, place: Place, shape: tuple[int, ...], dtype: np.dtype) -> npt.NDArray[Any]:
        if place.number not in self.buffers:
            while len(self.buffers) >= self.most:
                self.buffers.pop(next(iter(self.buffers))).close()
            self.buffers[place.number] = _map(place)
        buffer = self.buffers[place.number]
        return np.ndarray(shape, dtype, buffer=buffer if isinstance(buffer, mmap.mmap) else buffer.buf)


def _map(place: Place) -> mmap.mmap | shared_memory.SharedMemory:
    if not place.name.startswith("/proc/"):
        return shared_memory.SharedMemory(place.name)
    with open(place.name, "r+b", buffering=0) as file:
        return mmap.mmap(file.fileno(), place.num_bytes)
