"""Processes are killed, the disk fills up, memory runs out: the table is that of a run in peace."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_hpa import cluster
from tests.cluster.scored import Hungry, Restless

pandas = pytest.importorskip("pandas")
pytest.importorskip("ray")

_DRIVER = """
import sys
from keras_hpa import cluster
from tests.cluster.scored import Restless
cluster.score(
    sys.argv[1], Restless(sys.argv[2], 0.15), sys.argv[3],
    num_workers=2, batch_size=3, block_size=3, on_error="record", verbose=0,
)
"""


@pytest.fixture(scope="module")
def in_peace(ray, model_path, tmp_path_factory):
    folder = tmp_path_factory.mktemp("peace")
    options = {"num_workers": 2, "batch_size": 3, "block_size": 3, "verbose": 0}
    errors = cluster.score(model_path, Restless(folder, 0.0), folder / "screen", on_error="record", **options)
    assert len(errors) == 3
    return _table(folder / "screen"), (folder / "screen" / "errors.csv").read_text()


def _table(folder):
    table = pandas.read_parquet(folder / "scores")
    return table["id"].tolist(), np.stack(table["scores"])


def _check(folder, in_peace):
    (ids, scores), errors = in_peace
    found_ids, found = _table(folder)
    assert found_ids == ids
    assert len(set(ids)) == len(ids) == 447
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-6)
    assert (folder / "errors.csv").read_text() == errors


def _alive(folder):
    found = []
    for path in folder.glob("process-*"):
        number = int(path.name.partition("-")[2])
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            continue
        if state != "Z":
            found.append(number)
    return sorted(found)


@pytest.mark.soak
@pytest.mark.parametrize("seed", [0, 1])
def test_twenty_killed_actors_and_five_killed_drivers(seed, in_peace, model_path, tmp_path):
    rng = np.random.default_rng(seed)
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": str(Path(__file__).parents[2])}
    screen = tmp_path / "screen"
    actors_left, drivers_left = 20, 5
    while True:
        driver = subprocess.Popen([sys.executable, "-c", _DRIVER, model_path, tmp_path, screen], env=environment)
        until = max(0, actors_left - 4) if drivers_left else 0
        while driver.poll() is None:
            time.sleep(rng.uniform(0.5, 2.5))
            alive = _alive(tmp_path)
            if actors_left > until and alive:
                os.kill(int(rng.choice(alive)), signal.SIGKILL)
                actors_left -= 1
            elif drivers_left and actors_left == until:
                break
        if driver.poll() is None:
            driver.kill()
            drivers_left -= 1
        if driver.wait() == 0:
            break
        assert driver.returncode == -signal.SIGKILL
    assert (actors_left, drivers_left) == (0, 0), "it was done too early"
    _check(screen, in_peace)
    time.sleep(5)
    assert not _alive(tmp_path), "actors outlived their driver"


@pytest.mark.soak
def test_a_full_disk_ends_the_run_which_goes_on_when_there_is_room(ray, in_peace, model_path, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", small]
    if not shutil.which("mount") or subprocess.run(mounting, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted")
    options = {"num_workers": 2, "batch_size": 3, "block_size": 3, "on_error": "record", "verbose": 0}
    try:
        with pytest.raises(OSError, match="No space left on device"):
            cluster.score(model_path, Restless(tmp_path, 0.0), small / "screen", **options)
        assert 0 < len(list(small.glob("screen/scores/*.parquet"))) < 150
        subprocess.run(["mount", "-o", "remount,size=8m", small], check=True)
        cluster.score(model_path, Restless(tmp_path, 0.0), small / "screen", **options)
        _check(small / "screen", in_peace)
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.soak
def test_an_actor_without_memory_ends_the_run_and_records_nothing(ray, in_peace, model_path, tmp_path):
    options = {"num_workers": 2, "batch_size": 3, "block_size": 3, "on_error": "record", "verbose": 0}
    with pytest.raises((MemoryError, RuntimeError), match=r"memory|must outlive|allocate"):
        cluster.score(model_path, Hungry(tmp_path, 200), tmp_path / "screen", **options)
    assert not (tmp_path / "screen" / "errors.csv").exists()
    cluster.score(model_path, Restless(tmp_path, 0.0), tmp_path / "screen", **options)
    _check(tmp_path / "screen", in_peace)
