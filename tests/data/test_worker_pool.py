"""Reading in threads and processes, when the interpreter ends and when a process is killed."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence
from keras_hpa.data.worker_pool import WorkerPool

_ENDING = """
import sys, time
import numpy as np
import keras_hpa
from tests.data.test_worker_pool import Slow

if __name__ == "__main__":
    source = Slow(np.zeros((40, 4, 4, 1), "uint8"))
    sequence = keras_hpa.MultiChannelSequence(source, batch_size=4, workers=2, use_multiprocessing=sys.argv[1] == "1")
    for _ in zip(range(2), sequence):
        pass
    print("end", flush=True)
"""


class Slow(ArraySource):
    def read(self, index):
        time.sleep(0.1 if index < 8 else 10)
        return super().read(index)


class Deadly(ArraySource):
    """Kills the process that reads sample 5, once or always."""

    def __init__(self, array, marker):
        super().__init__(array)
        self.marker = marker

    def read(self, index):
        if index == 5 and multiprocessing.parent_process() and not (self.marker and self.marker.exists()):
            if self.marker:
                self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(index)


@pytest.mark.parametrize("use_processes", [False, True])
def test_interpreter_does_not_wait_for_what_nobody_will_use(tmp_path, use_processes):
    script = tmp_path / "script.py"
    script.write_text(_ENDING)
    command = [sys.executable, str(script), str(int(use_processes))]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as ending:
        assert ending.stdout.readline() == "end\n"
        start = time.monotonic()
        _, errors = ending.communicate(timeout=30)
        assert time.monotonic() - start < 6  # most of it the backend's own end; one read would take 10
    assert (ending.returncode, "Traceback" in errors) == (0, False), errors


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_process_is_begun_again_and_its_batch_read(tmp_path):
    images = np.arange(10, dtype="uint8")[:, None, None, None] * np.ones((2, 2, 1), "uint8")
    source = Deadly(images, tmp_path / "killed")
    sequence = MultiChannelSequence(source, batch_size=2, dtype="source", workers=1, use_multiprocessing=True)
    np.testing.assert_array_equal(np.concatenate([*sequence]), images)
    assert source.marker.exists()


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_process_that_is_killed_each_time_is_an_error_that_names_the_samples():
    source = Deadly(np.zeros((10, 2, 2, 1), "uint8"), None)
    sequence = MultiChannelSequence(source, batch_size=2, workers=1, use_multiprocessing=True)
    assert len(sequence[0]) == 2
    with pytest.raises(ChildProcessError, match=r"ended twice.*Received: samples \['4', '5'\]"):
        sequence[2]
    assert len(sequence[3]) == 2


def test_tasks_are_done_in_turn_and_an_error_is_the_tasks():
    pool = WorkerPool(1)
    done = []
    futures = [pool.submit(done.append, number) for number in range(20)]
    failing = pool.submit(int, "x")
    for future in futures:
        future.result(timeout=10)
    assert done == [*range(20)]
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result(timeout=10)
    assert pool.submit(int, "3").result(timeout=10) == 3
