"""Programs of every kind read in processes without a guard, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

_ROOT = Path(__file__).parents[2]

_TRAINING = """
import keras, numpy as np, keras_hpa

class Ones(keras_hpa.ArraySource):
    reads_in_processes = True
    def read(self, index):
        return super().read(index) + 1

source = Ones(np.zeros((8, 4, 4, 1), "uint8"))
labels = np.zeros((8, 1))
sequence = keras_hpa.MultiChannelSequence(source, labels, batch_size=2, workers=2, augment=lambda image, rng: image)
model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
model.compile("sgd", "mse")
history = model.fit(sequence, epochs=2, verbose=0).history
print(repr(sequence), "trained", len(history["loss"]), "epochs")
"""

_DROPPING = """
import os, threading, time

class Slow(keras_hpa.ArraySource):
    reads_in_processes = True
    def read(self, index):
        time.sleep(0 if index < 8 else 30)
        return super().read(index)

def made_and_dropped():
    sequence = keras_hpa.MultiChannelSequence(Slow(np.zeros((8, 4, 4, 1), "uint8")), batch_size=2, workers=2)
    return len([*sequence])

def held():
    return len(os.listdir("/proc/self/fd")), threading.active_count()

made_and_dropped()
before = held()
for _ in range(100):
    made_and_dropped()

deadline = time.monotonic() + 20
while held() > before and time.monotonic() < deadline:
    time.sleep(0.01)

assert held() <= before, (held(), before)
sequence = keras_hpa.MultiChannelSequence(Slow(np.zeros((20, 64, 64, 1), "uint8")), batch_size=2, workers=2)
for _ in zip(range(3), sequence):
    pass

print("reading", flush=True)
input()
"""


def _start(arguments, program=None):
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = subprocess.Popen([sys.executable, *arguments], env=environment, **pipes)
    if program is not None:
        started.stdin.write(program)
        started.stdin.close()
        started.stdin = None
    return started


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts what Linux shows below /proc")
def test_programs_train_without_a_guard_and_leave_nothing(tmp_path):
    """Side by side, because most of the time goes into importing a backend."""
    memory = set(os.listdir("/dev/shm"))
    script = tmp_path / "script.py"
    script.write_text(_TRAINING + _DROPPING)
    programs = {
        "script": _start([str(script)]),
        "-c": _start(["-c", _TRAINING + _DROPPING]),
        "standard input": _start(["-"], _TRAINING),
        "typed": _start(["-i", "-q"], _TRAINING),
    }
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in _TRAINING.split("\n\n")])
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": _ROOT}}).execute()
    output = {"notebook": "".join(part.text for part in notebook.cells[-1].outputs if part.name == "stdout")}
    workers = _kill_and_end(programs["-c"], programs["script"])
    for name, program in programs.items():
        if name in ("standard input", "typed"):
            output[name], errors = program.communicate(timeout=600)
            assert "Traceback" not in errors, (name, errors)
        else:
            output[name] = program.trained
    for name, text in output.items():
        assert "read in 2 processes" in text, (name, text)
        assert "trained 2 epochs" in text, (name, text)
    deadline = time.monotonic() + 5
    while any(map(_is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if _is_running(worker)]
    assert set(os.listdir("/dev/shm")) <= memory


def _kill_and_end(killed, ending):
    """Kills one program and ends another, while their workers read; gives these workers."""
    for program in (killed, ending):
        program.trained = program.stdout.readline()
        assert program.stdout.readline() == "reading\n", program.communicate()[1]
    deadline = time.monotonic() + 30
    while len(workers := _children(killed.pid, ending.pid)) < 4 and time.monotonic() < deadline:
        time.sleep(0.05)  # the second process of each may just be starting
    assert len(workers) == 4
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    start = time.monotonic()
    _, errors = ending.communicate("\n", timeout=60)
    assert time.monotonic() - start < 20  # most of it the backend's own end; one read would take 30
    assert (ending.returncode, errors.count("Traceback"), errors.count("ResourceWarning")) == (0, 0, 0), errors
    return workers


def _children(*parents):
    return [process for process in map(int, filter(str.isdigit, os.listdir("/proc"))) if _stat(process)[1] in parents]


def _is_running(process_id):
    return _stat(process_id)[0] not in ("Z", None)


def _stat(process_id):
    """The state of a process and its parent."""
    try:
        state, parent, *_ = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None, None
    return state, int(parent)
