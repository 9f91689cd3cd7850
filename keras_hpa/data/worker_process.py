"""What runs in a worker process: it makes rows of batches until the process that asks is gone.

It imports neither Keras nor a backend, unless the source or the augmentation does.
"""

import contextlib
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from multiprocessing import resource_tracker
from typing import Any, BinaryIO, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import BatchRecipe
from keras_hpa.data.shared_arrays import Mapped, Place

MOST_RECIPES = 4


class Rows(NamedTuple):
    """A batch in shared memory: where, its shape and type, and the place of the sample in its first row."""

    memory: Place
    shape: tuple[int, ...]
    dtype: np.dtype
    first: int


class Task(NamedTuple):
    """What a worker is asked for: the images at some places of batch `number`, made by a recipe."""

    key: int
    recipe: bytes | None  # pickled, where the worker does not have it yet
    number: int
    places: range
    rows: Rows | None  # not known of the first batch
    folder: str  # that the program works in, which it may change
    path: list[str] | None  # where the program finds modules, with a recipe


Answer = tuple[list[tuple[int, npt.NDArray[Any]]], Exception | None, list[str]]
"""The images that did not fit into their rows, with their places; the error if there was one; what the log is told."""


def serve() -> None:
    """Does the tasks that are read from the standard input."""
    if os.name != "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    resource_tracker.register = lambda *_: None  # memory is the asking process's to remove
    cv2.setNumThreads(1)  # the processes are the parallelism
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a source prints is no answer
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, tasks), daemon=True).start()
    sys.stdin = open(os.devnull)  # noqa: SIM115
    worker = _Worker()
    with contextlib.suppress(OSError):  # nobody waits for the answer
        while True:
            _send(answers, worker.do(tasks.get()))


def _receive(file: BinaryIO, tasks: "queue.SimpleQueue[Task]") -> None:
    """Ends this process with the one that asks, also in the middle of reading an image."""
    with contextlib.suppress(EOFError, OSError):
        while True:
            tasks.put(pickle.load(file))
    os._exit(0)


class _Worker:
    def __init__(self) -> None:
        self.recipes: dict[int, BatchRecipe | bytes] = {}
        self.mapped = Mapped()
        self.folder = os.getcwd()

    def do(self, task: Task) -> Answer:
        try:
            return self._make(task), None, self._recipe(task).framing.notes
        except Exception as error:
            error.add_note("In a worker process:\n" + traceback.format_exc())
            return [], error, []

    def _make(self, task: Task) -> list[tuple[int, npt.NDArray[Any]]]:
        if task.folder and task.folder != self.folder:
            os.chdir(task.folder)
            self.folder = task.folder
        if task.recipe is not None:
            sys.path[:] = task.path or sys.path
            while len(self.recipes) >= MOST_RECIPES:
                self.recipes.pop(next(iter(self.recipes)))
            self.recipes[task.key] = task.recipe
        recipe = self._recipe(task)
        rows = None if task.rows is None else self.mapped.array(*task.rows[:3])
        unfit = []
        for place in task.places:
            image = recipe.image(task.number, place)
            fits = rows is not None and (image.shape, recipe.type_in_batch(image)) == (rows.shape[1:], rows.dtype)
            if rows is None or task.rows is None or not fits:
                unfit.append((place, image))
            else:
                recipe.put(image, rows[place - task.rows.first])
        return unfit

    def _recipe(self, task: Task) -> BatchRecipe:
        recipe = self.recipes[task.key]
        if isinstance(recipe, bytes):  # of which the first time may fail
            recipe = self.recipes[task.key] = pickle.loads(recipe)
            recipe.framing.is_told_here = False
        return recipe


def _send(file: BinaryIO, answer: Answer) -> None:
    try:
        content = pickle.dumps(answer, protocol=5)
        if answer[1] is not None:
            pickle.loads(content)
    except Exception:  # an error of the user's own type that cannot be sent
        error = answer[1]
        content = pickle.dumps(([], ValueError(f"{type(error).__name__}: {error}"), []), protocol=5)
    file.write(content)
    file.flush()
