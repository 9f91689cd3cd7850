"""`cluster.score` gives what `predict_scores` gives, whatever happens to the processes that compute it."""

import csv
import json
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

from keras_hpa import MultiChannelSequence, Samples, ThresholdCalibrator, cluster, embed, predict_scores
from tests.cluster.scored import IMAGES, SOURCE, Damaged, Deadly, save_model

pandas = pytest.importorskip("pandas")
pytest.importorskip("ray")

_OPTIONS = {"num_workers": 2, "batch_size": 4, "block_size": 5, "verbose": 0}
_IDS = list(SOURCE.ids)


def _table(folder):
    return pandas.read_parquet(folder / "scores")


def _expected(model, source=SOURCE, **options):
    return predict_scores(model, MultiChannelSequence(source, batch_size=4, workers=0), verbose=0, **options)


@pytest.fixture(scope="module")
def calibrator():
    rng = np.random.default_rng(0)
    return ThresholdCalibrator("max_f1").fit(rng.random((60, 5)), rng.integers(0, 2, (60, 5)))


@pytest.fixture(scope="module")
def finished(ray, model_path, calibrator, tmp_path_factory):
    """A folder that is done."""
    folder = tmp_path_factory.mktemp("finished") / "screen"
    samples = Samples(SOURCE, np.zeros((23, 2), int), metadata={"well": list(range(23))})
    errors = cluster.score(model_path, samples, folder, embedding=True, decide=calibrator, **_OPTIONS)
    assert errors == {}
    return folder


def test_a_table_of_scores_embeddings_and_decisions_in_the_order_of_the_samples(finished, model, calibrator):
    table = _table(finished)
    assert table["id"].tolist() == _IDS
    scores = np.stack(table["scores"])
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, _expected(model), rtol=0, atol=1e-6)
    expected = embed(model, MultiChannelSequence(SOURCE, workers=0), verbose=0)
    np.testing.assert_allclose(np.stack(table["embedding"]), expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.stack(table["decisions"]), calibrator.predict(scores))
    assert (finished / "errors.csv").read_text() == "id,reason\n"
    assert sorted(path.name for path in (finished / "scores").iterdir()) == [f"0000000{n}.parquet" for n in range(5)]


def test_what_is_finished_is_only_read(finished, model_path, calibrator, monkeypatch):
    monkeypatch.setattr(sys.modules["keras_hpa.cluster.score"], "ray_running", None)
    before = {path: path.stat().st_mtime_ns for path in (finished / "scores").iterdir()}
    options = _OPTIONS | {"block_size": None, "num_workers": 7, "batch_size": 9}
    assert cluster.score(model_path, SOURCE, finished, embedding=True, decide=calibrator, **options) == {}
    assert {path: path.stat().st_mtime_ns for path in (finished / "scores").iterdir()} == before


def test_what_changed_is_refused_by_name(finished, model_path, calibrator, tmp_path):
    def again(path=model_path, samples=SOURCE, **changes):
        options = {"embedding": True, "decide": calibrator} | _OPTIONS | changes
        return cluster.score(path, samples, finished, **options)

    with pytest.raises(ValueError, match=r"`output` must hold scores made with the same settings.*Received: {'models'"):
        again(save_model(tmp_path / "other.keras", seed=1))
    with pytest.raises(ValueError, match=r"Received: \{'samples': \{'count': 22"):
        again(samples=Samples(SOURCE)[:22])
    with pytest.raises(ValueError, match=r"Received: \{'samples': \{'count': 23"):
        again(samples=Samples(SOURCE)[::-1])
    with pytest.raises(ValueError, match=r"'transforms': \[0\].*Received: \{'transforms': \[0, 4\]\}"):
        again(transforms=[0, 4])
    with pytest.raises(ValueError, match=r"Received: \{'max_value': 128\.0\}"):
        again(max_value=np.float32(128))
    with pytest.raises(ValueError, match=r"Received: \{'embedding': False\}"):
        again(embedding=False)
    with pytest.raises(ValueError, match=r"Received: \{'decide': None\}"):
        again(decide=None)
    with pytest.raises(ValueError, match=r"Received: \{'block_size': 6\}"):
        again(block_size=6)
    with pytest.raises(ValueError, match="`output` must be a new folder or one of this function"):
        cluster.score(model_path, SOURCE, model_path.parent, **_OPTIONS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"on_error": "skip"}, "`on_error` must be 'raise' or 'record'"),
        ({"verbose": 2}, "`verbose` must be"),
        ({"num_workers": 0}, "`num_workers` must be a number from 1 on. Received: 0"),
        ({"block_size": 0}, "`block_size` must be a number from 1 on"),
        ({"transforms": "all"}, "`transforms` must be"),
        ({"decide": ThresholdCalibrator()}, "`decide` must be a fitted"),
    ],
)
def test_a_wrong_argument_is_named(changes, message, model_path, tmp_path):
    with pytest.raises(ValueError, match=message):
        cluster.score(model_path, SOURCE, tmp_path / "new", **_OPTIONS | changes)
    assert not (tmp_path / "new").exists()


def test_what_is_no_model_or_samples_is_refused(model_path, tmp_path):
    with pytest.raises(FileNotFoundError, match="`model_path` must name a"):
        cluster.score(tmp_path / "none.keras", SOURCE, tmp_path / "new", **_OPTIONS)
    with pytest.raises(ValueError, match="`model_path` must name"):
        cluster.score([], SOURCE, tmp_path / "new", **_OPTIONS)
    with pytest.raises(ValueError, match="`samples` must be a Source"):
        cluster.score(model_path, IMAGES, tmp_path / "new", **_OPTIONS)
    with pytest.raises(ValueError, match="`embedding` must be of one model"):
        cluster.score([model_path, save_model(tmp_path / "other.keras")], SOURCE, tmp_path, embedding=True, **_OPTIONS)


def test_actors_killed_on_their_way_change_nothing(ray, model_path, model, tmp_path):
    source = Deadly(tmp_path, [1, 7, 22])
    assert cluster.score(model_path, source, tmp_path / "screen", transforms=[0, 4], **_OPTIONS) == {}
    assert len(list(tmp_path.glob("killed at*"))) == 3
    table = _table(tmp_path / "screen")
    assert table["id"].tolist() == _IDS
    np.testing.assert_allclose(np.stack(table["scores"]), _expected(model, transforms=[0, 4]), rtol=0, atol=1e-6)


def test_unreadable_samples_are_recorded_and_done_again_once_repaired(ray, model_path, model, tmp_path):
    folder = tmp_path / "screen"
    source = Damaged(tmp_path, [3, 4, 5, 6, 7, 8, 9], small=[20])
    options = _OPTIONS | {"num_workers": 1}
    with pytest.raises(OSError, match="a lamp went out for sample 'cell"):
        cluster.score(model_path, source, folder, **options)
    errors = cluster.score(model_path, source, folder, on_error="record", **options)
    missing = [3, 4, 5, 6, 7, 8, 9, 20]
    assert list(errors) == [_IDS[one] for one in missing]
    assert "a lamp went out for sample 'cell 7'" in errors["cell 7"]
    assert "must give images of the network's size (24, 24)" in errors["cell 20"]
    with (folder / "errors.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "reason"], *map(list, errors.items())]
    expected = _expected(model)
    table, kept = _table(folder), [one for one in range(23) if one not in missing]
    assert table["id"].tolist() == [_IDS[one] for one in kept]
    np.testing.assert_allclose(np.stack(table["scores"]), expected[kept], rtol=0, atol=1e-6)

    (tmp_path / "repaired").touch()
    assert cluster.score(model_path, source, folder, on_error="record", **options) == errors
    assert cluster.score(model_path, source, folder, retry_errors=True, **options) == {}
    table = _table(folder)
    assert table["id"].tolist() == _IDS
    np.testing.assert_allclose(np.stack(table["scores"]), expected, rtol=0, atol=1e-6)
    assert (folder / "errors.csv").read_text() == "id,reason\n"


_DRIVER = """
import sys
from keras_hpa import cluster
from tests.cluster.scored import Slow
cluster.score(sys.argv[1], Slow(0.3), sys.argv[2], num_workers=2, batch_size=4, block_size=2, verbose=0)
"""


def test_a_killed_driver_leaves_no_process_and_is_resumed(ray, model_path, model, tmp_path):
    folder = tmp_path / "screen"
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": str(Path(__file__).parents[2])}
    environment |= {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    driver = subprocess.Popen([sys.executable, "-c", _DRIVER, model_path, folder], env=environment)
    while driver.poll() is None and not list(folder.glob("scores/*.parquet")):
        time.sleep(0.02)
    driver.send_signal(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    there = {path: path.stat().st_mtime_ns for path in folder.glob("scores/*.parquet")}
    assert 0 < len(there) < 12
    options = {**_OPTIONS, "block_size": None}
    assert cluster.score(model_path, SOURCE, folder, **options) == {}
    assert {path: path.stat().st_mtime_ns for path in there} == there
    table = _table(folder)
    assert table["id"].tolist() == _IDS
    np.testing.assert_allclose(np.stack(table["scores"]), _expected(model), rtol=0, atol=1e-6)


def test_a_damaged_block_is_refused_and_left_as_it_is(finished, model_path, calibrator, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "screen")
    first, second = (folder / "scores" / f"0000000{number}.parquet" for number in range(2))
    options = _OPTIONS | {"embedding": True, "decide": calibrator}
    whole = first.read_bytes()
    for content in (second.read_bytes(), whole[:100], b""):
        first.write_bytes(content)
        with pytest.raises(ValueError, match=r"00000000\.parquet' must hold block 0, of 5 samples\. Received: "):
            cluster.score(model_path, SOURCE, folder, **options)
        assert first.read_bytes() == content
    first.write_bytes(whole)
    (folder / "manifest.json").write_text(json.dumps({"format": "mine"}))
    with pytest.raises(ValueError, match="in field 'format'"):
        cluster.score(model_path, SOURCE, folder, **options)
