"""The example that trains on several devices and processes: the same weights as on one."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

_EXAMPLE = Path(__file__).parents[2] / "examples" / "train_distributed.py"
# Twenty steps, a backup after every fourth one.
_SMALL = ["--plain", "--samples=160", "--image-size=32", "--batch-size=16", "--epochs=5", "--steps=4"]
_BACKEND = keras.backend.backend()


def _environment(**changes):
    return os.environ | {"KERAS_BACKEND": _BACKEND, "PYTHONPATH": str(_EXAMPLE.parents[1])} | changes


def _train(output, *options, **environment):
    command = [sys.executable, _EXAMPLE, "--output", output, *_SMALL, *options]
    return subprocess.run(command, env=_environment(**environment), capture_output=True, text=True)


def _check_same(one, other):
    """Weights to 1e-5, and losses and macro-F1 of every epoch."""
    weights = [keras.saving.load_model(folder / "model.keras", compile=False).get_weights() for folder in (one, other)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    texts = [(folder / "backup" / "history.csv").read_text() for folder in (one, other)]
    histories = [list(csv.DictReader(text.splitlines())) for text in texts]
    assert [len(history) for history in histories] == [5, 5]
    for name in ("loss", "macro_f1"):
        values = [[float(row[name]) for row in history] for history in histories]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
        assert len(set(values[0])) > 1, "nothing was learned, or counted"


@pytest.mark.skipif(_BACKEND != "jax", reason="Keras trains in several processes on JAX alone")
def test_two_processes_killed_and_resumed_train_as_one(tmp_path):
    whole = _train(tmp_path / "one")
    assert not whole.returncode, whole.stderr
    two = tmp_path / "two"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    shared = {"KERAS_DISTRIBUTION_JOB_ADDRESSES": address, "KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}
    command = [sys.executable, _EXAMPLE, "--output", two, *_SMALL]
    processes = [
        subprocess.Popen(
            command,
            env=_environment(**shared, KERAS_DISTRIBUTION_PROCESS_ID=str(index)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for index in range(2)
    ]
    backup = two / "backup" / "backup.json"
    while not backup.exists() and processes[0].poll() is None:
        time.sleep(0.01)
    for process in processes:
        process.send_signal(signal.SIGKILL)
    assert [process.wait() for process in processes] == [-signal.SIGKILL] * 2
    assert 1 <= json.loads(backup.read_text())["epochs"] < 5
    resumed = _train(two, "--processes=2", "--resume")
    assert not resumed.returncode, resumed.stderr
    assert "Epoch 1/5" not in resumed.stdout
    assert "Epoch 5/5" in resumed.stdout
    _check_same(tmp_path / "one", two)


@pytest.mark.slow
@pytest.mark.skipif(_BACKEND != "tensorflow", reason="on JAX two processes are tested")
def test_two_devices_of_one_machine_train_as_one(tmp_path):
    for devices in (1, 2):
        done = _train(tmp_path / str(devices), f"--devices={devices}")
        assert not done.returncode, done.stderr
    _check_same(tmp_path / "1", tmp_path / "2")


@pytest.mark.skipif(_BACKEND == "jax", reason="JAX can")
def test_what_a_backend_cannot_do_is_said(tmp_path):
    done = _train(tmp_path, **{"KERAS_DISTRIBUTION_NUM_PROCESSES": "2", "KERAS_DISTRIBUTION_PROCESS_ID": "0"})
    assert done.returncode == 1
    assert "Several processes need KERAS_BACKEND=jax, several devices that or tensorflow" in done.stderr
    assert f"Received: {_BACKEND}" in done.stderr
