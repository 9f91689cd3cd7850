"""Reading beside what works or waits: `predict_scores` that waits, GapNet on the same processor, and memory."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from other_loaders import NUM_CORES, SHAPE

import keras_hpa

_TICKS = os.sysconf("SC_CLK_TCK")


class Waiting(keras.Model):
    """A model that waits off the processor in each batch, as for an accelerator."""

    seconds = 0.0

    def predict_on_batch(self, x: np.ndarray) -> np.ndarray:
        time.sleep(self.seconds)
        return super().predict_on_batch(x)


def waiting_model() -> Waiting:
    inputs = keras.Input(SHAPE, dtype="uint8")
    return Waiting(inputs, keras.layers.Dense(28)(keras.layers.Rescaling(1 / 255)(inputs[:, 0, 0, :])))


def gapnet_beside_reading(source: object, passes: int, size: int = 128) -> np.ndarray:
    """Seconds of `fit` with GapNet over (processor seconds of reading + those of the network) / cores, of each pass."""
    labels = np.zeros((len(source), 28), "float32")
    files = keras_hpa.MultiChannelSequence(source, labels, image_size=size, dtype="source")
    images = np.concatenate([batch[0] for batch in files])
    arrays = keras_hpa.MultiChannelSequence(keras_hpa.ArraySource(images), labels, dtype="source", workers=1)
    model = keras_hpa.GapNet((size, size, SHAPE[2]), 28, input_dtype="uint8")
    model.compile("adam", loss="binary_crossentropy")
    ratios = []
    for number in range(passes + 1):
        reading, _ = timed(lambda: sum(len(batch[0]) for batch in files))
        network, _ = timed(lambda: model.fit(arrays, verbose=0))
        _, together = timed(lambda: model.fit(files, verbose=0))
        if number:
            ratios.append(together / ((reading + network) / NUM_CORES))
    return np.array(ratios)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor, in this process and those it started, and on the clock."""
    processor, clock = processor_seconds(), time.perf_counter()
    work()
    return processor_seconds() - processor, time.perf_counter() - clock


def processor_seconds() -> float:
    seconds = 0.0
    for pid in ("self", *children()):
        fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / _TICKS
    return seconds


def workers_memory() -> int:
    """Anonymous memory of the largest of the worker processes, in MB: that of batches is shared."""
    workers = [pid for pid in children() if b"worker_process" in Path("/proc", pid, "cmdline").read_bytes()]
    statuses = [Path("/proc", pid, "status").read_text() for pid in workers]
    return max(int(status.partition("RssAnon:")[2].split()[0]) for status in statuses) // 1024


def children() -> list[str]:
    """Processes that any thread of this one started."""
    tasks = Path("/proc/self/task")
    return [pid for task in os.listdir(tasks) for pid in (tasks / task / "children").read_text().split()]
