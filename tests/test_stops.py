"""What is left of whatever is written when the work on it stops at any operation on files."""

import argparse
import json
import os
import sys
from contextlib import suppress

import keras
import numpy as np
import pytest
import training_run

from keras_hpa import (
    ArraySource,
    PackedSource,
    Samples,
    ThresholdCalibrator,
    TrainingBackup,
    write_kaggle_folder,
    write_submission,
)
from keras_hpa.files import is_left_over, replacing, write_csv
from keras_hpa.inference.score_folder import ScoreFolder
from keras_hpa.report import write_report
from tests.stops import STOPS, stop_everywhere

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs fork and /proc")

_IMAGES = np.random.default_rng(0).integers(256, size=(4, 12, 10, 2)).astype("uint8")
_SAMPLES = Samples(ArraySource(_IMAGES), np.eye(4, 3, dtype=int), class_names=["a", "b", "c"])
_EVERY = pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])  # operation is a stop
_MINE = (".writing-1-mine.csv", ".keras_hpa-mine", "epoch-0001.weights.h5")


def _put_mine(root):
    for name in _MINE:
        (root / name).write_text("mine")


def _take_mine(root):
    """Whether all that is the user's is as it was, and nothing of ours is left over below the folder."""
    for name in _MINE:
        assert (root / name).read_text() == "mine"
        (root / name).unlink()
    assert not [path for path in root.rglob("*") if is_left_over(path)]


def _files(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _write_table(root):
    with replacing(root / "a.csv") as temporary:
        temporary.write_text("new" * 1000)


def _check_table(root):
    assert (root / "a.csv").read_text() in ("old", "new" * 1000)
    assert (root / "a.csv").stat().st_mode & 0o777 == 0o640
    _write_table(root)
    assert (root / "a.csv").read_text() == "new" * 1000
    _take_mine(root)


def _put_table(root):
    _put_mine(root)
    (root / "a.csv").write_text("old")
    (root / "a.csv").chmod(0o640)


def test_a_file_is_old_or_new(tmp_path):
    assert stop_everywhere(_write_table, tmp_path / "root", _check_table, prepare=_put_table) >= 7


def _submit(root):
    write_submission(root / "submission.csv", ["1", "2"], [[1, 0], [0, 1]])


def _check_submission(root):
    if (root / "submission.csv").exists():
        assert (root / "submission.csv").read_text() == "Id,Predicted\n1,0\n2,1\n"
    _submit(root)
    _take_mine(root)
    assert list(_files(root)) == ["submission.csv"]


def test_a_submission_is_whole_or_not_there(tmp_path):
    assert stop_everywhere(_submit, tmp_path / "root", _check_submission, prepare=_put_mine) >= 7


def _pack(root):
    PackedSource.build(ArraySource(_IMAGES), root / "pack", verbose=0, workers=1)


def _check_pack(root):
    with suppress(FileNotFoundError):  # not finished; what is finished must be right
        PackedSource(root / "pack", verify=True)
    _pack(root)
    packed = PackedSource(root / "pack", verify=True)
    np.testing.assert_array_equal(np.stack([packed.read(index) for index in range(len(packed))]), _IMAGES)
    assert _files(root).keys() == {"pack/.lock", "pack/images.bin", "pack/manifest.json"}
    assert not [path for path in root.rglob("*") if is_left_over(path)]


@_EVERY
def test_a_pack_goes_on(tmp_path, every):
    assert stop_everywhere(_pack, tmp_path / "root", _check_pack, every=every) >= 30


_SCORES = np.random.default_rng(1).random((40, 3)).astype("float32")


def _open_scores(root):
    return ScoreFolder(root / "scores", ids=[str(number) for number in range(40)], settings={"size": 3})


def _score(root):
    (root.parent / "done").write_text("0")
    folder = _open_scores(root)
    for start in range(folder.num_done, 40, 8):
        folder.write(start, _SCORES[start : start + 8])
        (root.parent / "done").write_text(str(min(start + 8, 40)))


def _check_scores(root):
    folder = _open_scores(root)
    assert folder.num_done >= int((root.parent / "done").read_text())
    if folder.num_done:
        np.testing.assert_array_equal(folder.read(folder.num_done), _SCORES[: folder.num_done])
    _score(root)
    np.testing.assert_array_equal(np.load(root / "scores" / "scores.npy"), _SCORES)
    assert {path.name for path in (root / "scores").iterdir()} == {"manifest.json", "scores.npy"}


@_EVERY
def test_scores_go_on(tmp_path, every):
    assert stop_everywhere(_score, tmp_path / "root", _check_scores, every=every) >= 24


def _calibrate(root):
    ThresholdCalibrator("max_f1").fit([[0.9, 0.2], [0.1, 0.3]], [[1, 0], [0, 0]]).save(root / "thresholds.json")


def _check_calibrator(root):
    if (root / "thresholds.json").exists():
        assert ThresholdCalibrator.load(root / "thresholds.json").thresholds_.tolist() == [0.5, np.inf]
    _calibrate(root)
    _take_mine(root)
    assert list(_files(root)) == ["thresholds.json"]


def test_a_calibrator_is_whole_or_not_there(tmp_path):
    assert stop_everywhere(_calibrate, tmp_path / "root", _check_calibrator, prepare=_put_mine) >= 7


def _is_old_or_new(work, name, is_new):
    """A stop and a check for `stop_everywhere`: `work(root)` replaces a file, which stays as it was until then."""

    def put(root):
        _put_mine(root)
        (root / name).write_text("old")

    def check(root):
        assert (root / name).read_bytes() == b"old" or is_new(root / name)
        work(root)
        assert is_new(root / name)
        _take_mine(root)
        assert list(_files(root)) == [name]

    return {"check": check, "prepare": put}


def test_a_table_is_old_or_new(tmp_path):
    def write(root):
        write_csv(root / "table.csv", [["Id", "class"], ["1", "=1+1"], ["2", "Golgi\r"]])

    write(tmp_path)
    whole = (tmp_path / "table.csv").read_bytes()
    check = _is_old_or_new(write, "table.csv", lambda path: path.read_bytes() == whole)
    assert stop_everywhere(write, tmp_path / "root", **check) >= 7


@_EVERY
def test_a_run_report_is_old_or_new(tmp_path, every):
    pytest.importorskip("jinja2")
    scores = np.random.default_rng(2).random((4, 3))
    calibrator = ThresholdCalibrator(class_names=_SAMPLES.class_names).fit(scores, _SAMPLES.labels)

    def write(root):
        write_report(root / "report.html", _SAMPLES, scores, calibrator, title="stopped", classes=[0])

    check = _is_old_or_new(write, "report.html", lambda path: path.read_bytes().rstrip().endswith(b"</html>"))
    assert stop_everywhere(write, tmp_path / "root", **check, every=every) >= 7


@_EVERY
def test_a_saved_model_is_old_or_new(tmp_path, every):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    run = training_run.TrainingRun(argparse.Namespace(output=tmp_path / "run", resume=False))

    def save(root):
        run.folder = root
        run.save_model(model)

    def is_new(path):
        weights = keras.saving.load_model(path).get_weights()
        return all(np.array_equal(one, other) for one, other in zip(weights, model.get_weights(), strict=True))

    check = _is_old_or_new(save, "model.keras", is_new)
    assert stop_everywhere(save, tmp_path / "root", **check, every=every) >= 7


class _Optimizer:
    built = True

    def get_config(self):
        return {}


class _Model:
    """As much of a model as a backup asks for, without a backend."""

    compiled, name, variables, optimizer = True, "model", (), _Optimizer()

    def __init__(self):
        self.weights = np.zeros(100)

    def save_weights(self, path):
        self.weights.tofile(path)

    def load_weights(self, path):
        self.weights = np.fromfile(path)


def _train(root, epochs=3):
    model, backup = _Model(), TrainingBackup(root)
    backup.set_model(model)
    first = backup.restore(model)
    (root.parent / "done").write_text(str(first))
    backup.on_train_begin()
    for epoch in range(first, epochs):
        model.weights = model.weights * 2 + 1
        backup.on_epoch_end(epoch, {"loss": float(model.weights[0]), "learning_rate": 0.5})
        (root.parent / "done").write_text(str(epoch + 1))
    backup.on_train_end()
    return model, backup


def _check_backup(root):
    model = _Model()
    done = int((root.parent / "done").read_text())
    epochs = TrainingBackup(root).restore(model)
    assert epochs >= done, "an epoch that had ended was lost"
    np.testing.assert_array_equal(model.weights, 2.0**epochs - 1)
    model, backup = _train(root)
    np.testing.assert_array_equal(model.weights, 7)
    assert backup.history == {"loss": [1, 3, 7], "learning_rate": [0.5] * 3}
    _take_mine(root)
    weights = json.loads((root / "backup.json").read_text())["weights"]
    assert _files(root).keys() == {".lock", "backup.json", "history.csv", weights}


@_EVERY
def test_a_backup_is_that_of_the_last_epoch(tmp_path, every):
    assert stop_everywhere(_train, tmp_path / "root", _check_backup, prepare=_put_mine, every=every) >= 60


def _draw(root):
    write_kaggle_folder(_SAMPLES, root / "atlas", num_test=1, verbose=0)


@pytest.fixture
def check_atlas(tmp_path):
    (tmp_path / "whole").mkdir()
    _draw(tmp_path / "whole")
    whole = _files(tmp_path / "whole")

    def check(root):
        for name, content in _files(root).items():
            assert "keras_hpa-" in name or content == whole[name], f"{name} is there and not whole"
        _draw(root)
        assert _files(root) == whole
        assert not [path for path in root.rglob("*") if is_left_over(path)]

    return check


@_EVERY
def test_a_data_set_goes_on(tmp_path, check_atlas, every):
    assert stop_everywhere(_draw, tmp_path / "root", check_atlas, every=every) >= 80


def test_the_model_of_a_power_cut_finds_what_is_not_flushed(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_hpa.files.flush", lambda path, mode=None: mode is None or os.chmod(path, mode))
    for stop in STOPS[1:3]:
        with pytest.raises(AssertionError) as caught:
            stop_everywhere(_write_table, tmp_path / "root", _check_table, prepare=_put_table, stops=[stop])
        assert stop in str(caught.value.__notes__)
