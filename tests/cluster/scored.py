"""What the tests of `cluster.score` score. Actors import this file."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np

from keras_hpa import ArraySource
from tests.inference.scored import make_model

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 24, 24, 4), "uint8")
SOURCE = ArraySource(IMAGES, ids=[f"cell {number}" for number in range(len(IMAGES))])


class Damaged(ArraySource):
    """Some samples cannot be read, as long as `folder` has no file `repaired`; some are too small."""

    def __init__(self, folder, damaged, small=()):
        super().__init__(IMAGES, ids=SOURCE.ids)
        self.folder, self.damaged, self.small = Path(folder), set(damaged), set(small)

    def read(self, index):
        if not (self.folder / "repaired").exists():
            if index in self.damaged:
                raise OSError("a lamp went out")
            if index in self.small:
                return super().read(index)[:20]
        return super().read(index)


class Deadly(ArraySource):
    """Each of some samples kills the process that reads it first."""

    def __init__(self, folder, deadly):
        super().__init__(IMAGES, ids=SOURCE.ids)
        self.folder, self.deadly = Path(folder), set(deadly)

    def read(self, index):
        if index in self.deadly:
            try:
                (self.folder / f"killed at {index}").mkdir()
            except FileExistsError:
                pass
            else:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index)


class Slow(ArraySource):
    """Takes its time."""

    def __init__(self, seconds):
        super().__init__(IMAGES, ids=SOURCE.ids)
        self.seconds = seconds

    def read(self, index):
        time.sleep(self.seconds)
        return super().read(index)


class Restless(ArraySource):
    """450 samples that take their time, three of which cannot be read; says which processes read."""

    def __init__(self, folder, seconds):
        images = np.random.default_rng(1).integers(0, 256, (450, 24, 24, 4), "uint8")
        super().__init__(images, ids=[f"cell {number}" for number in range(len(images))])
        self.folder, self.seconds = Path(folder), seconds

    def read(self, index):
        (self.folder / f"process-{os.getpid()}").touch()
        time.sleep(self.seconds)
        if index in (10, 11, 300):
            raise OSError("a lamp went out")
        return super().read(index)


class Hungry(Restless):
    """From one sample on its process may have no more memory than it has, and the sample wants some."""

    def __init__(self, folder, hungry):
        super().__init__(folder, 0.0)
        self.hungry = hungry

    def read(self, index):
        if index == self.hungry:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            limit = pages * resource.getpagesize() + 2**20
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            return np.ones((2**15, 2**15, 4), np.uint8)
        return super().read(index)


def save_model(path, seed=0):
    make_model(seed=seed).save(path)
    return path
