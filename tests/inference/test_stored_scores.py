import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_hpa import (
    ArraySource,
)
from keras_hpa.files import hold
from tests.inference.scored import IMAGES, make_model, make_sequence, score

_REPOSITORY = Path(__file__).parents[2]


class _Failing(ArraySource):
    """Cannot read one sample."""

    def __init__(self, images, fails_at):
        super().__init__(images)
        self.fails_at = fails_at

    def read(self, index):
        if index == self.fails_at:
            raise OSError("the disk is gone")
        return super().read(index)


def _interrupt(path, model, fails_at=5, **arguments):
    with pytest.raises(OSError, match="the disk is gone"):
        score(model, make_sequence(_Failing(IMAGES, fails_at), 2), path=path, **arguments)


def test_run_that_broke_off_goes_on_and_says_what_it_has(tmp_path, model):
    folder = tmp_path / "scores"
    _interrupt(folder, model)
    there = np.load(folder / "scores.npy")
    assert np.isnan(there).all(axis=1).tolist() == [False] * 4 + [True] * 3
    expected = score(model, make_sequence(ArraySource(IMAGES), 2))
    np.testing.assert_array_equal(there[:4], expected[:4])
    assert json.loads((folder / "manifest.json").read_text())["ids"] == list("0123456")

    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    scores = score(model, make_sequence(Counting(IMAGES), 2), path=folder)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(np.load(folder / "scores.npy"), expected)
    assert read == [0, 1, 4, 5, 6], "the first batch, to compare, and what was missing"
    np.testing.assert_array_equal(score(model, make_sequence(ArraySource(IMAGES), 2), path=folder), expected)


def test_half_a_row_is_not_a_row(tmp_path, model):
    _interrupt(tmp_path, model)
    scores = np.load(tmp_path / "scores.npy")
    scores[3, 2:] = np.nan
    np.save(tmp_path / "scores.npy", scores)
    resumed = score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, score(model, make_sequence(ArraySource(IMAGES), 2)))


def test_first_batch_that_breaks_off_leaves_nothing(tmp_path, model):
    _interrupt(tmp_path / "new", model, fails_at=0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".lock"]
    assert len(score(model, make_sequence(), path=tmp_path / "new")) == len(IMAGES)


def test_manifest_without_scores_begins_anew(tmp_path, model):
    _interrupt(tmp_path, model)
    (tmp_path / "scores.npy").unlink()
    resumed = score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, score(model, make_sequence(ArraySource(IMAGES), 2)))


def test_another_batch_size_may_go_on(tmp_path, model):
    _interrupt(tmp_path, model)
    resumed = score(model, make_sequence(ArraySource(IMAGES), 3), path=tmp_path)
    np.testing.assert_allclose(resumed, score(model, make_sequence()), atol=1e-6)


def test_scores_of_something_else_are_refused(tmp_path, model):
    _interrupt(tmp_path, model)
    sequence = make_sequence(ArraySource(IMAGES), 2)
    with pytest.raises(ValueError, match=r"same settings.*'models'"):
        score(make_model(seed=1), sequence, path=tmp_path)
    with pytest.raises(ValueError, match=r"'transforms': \[0\].*Received: \{'transforms': \[0, 4\]\}"):
        score(model, sequence, [0, 4], path=tmp_path)
    with pytest.raises(ValueError, match=r"'max_value': None.*Received: \{'max_value': 128.0\}"):
        score(model, make_sequence(ArraySource(IMAGES), max_value=np.float32(128)), path=tmp_path)
    with pytest.raises(ValueError, match=r"7 from \['0'\] on.*Received: 7 samples.* at place 0"):
        score(model, make_sequence(), path=tmp_path)
    with pytest.raises(ValueError, match=r"Received: 6 samples.* at place 6"):
        score(model, make_sequence(ArraySource(IMAGES[:6])), path=tmp_path)
    with pytest.raises(ValueError, match=r"pixels have changed.*the first changed sample is '0'"):
        score(model, make_sequence(ArraySource(IMAGES[::-1])), path=tmp_path)
    logits = make_model(activation=None)
    logits.set_weights(model.get_weights())
    with pytest.raises(ValueError, match="those of the first batch differ"):
        score(logits, sequence, path=tmp_path)


def test_one_changed_pixel_is_found_however_small_the_scores_are(tmp_path):
    faint = make_model()
    kernel, bias = faint.layers[-1].get_weights()
    faint.layers[-1].set_weights([kernel, bias - 9])
    assert score(faint, make_sequence(ArraySource(IMAGES), 2)).max() < 0.01
    _interrupt(tmp_path, faint)
    changed = IMAGES.copy()
    changed[1, 3, 4, 2] ^= 1
    with pytest.raises(ValueError, match="the first changed sample is '1'"):
        score(faint, make_sequence(ArraySource(changed), 2), path=tmp_path)
    other = keras.Model(faint.inputs[0], keras.layers.Rescaling(1.1)(faint.outputs[0]))
    with pytest.raises(ValueError, match="those of the first batch differ"):
        score(other, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)


def test_scores_of_a_folder_without_digests_go_on(tmp_path, model):
    _interrupt(tmp_path, model)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["settings"].pop("first_images")) == 2
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    resumed = score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, score(model, make_sequence(ArraySource(IMAGES), 2)))


def test_new_images_beside_a_manifest_without_scores_are_the_ones_recorded(tmp_path, model):
    _interrupt(tmp_path, model)
    (tmp_path / "scores.npy").unlink()
    sequence = make_sequence(ArraySource(IMAGES[::-1]), 2)
    first = score(model, sequence, path=tmp_path)
    np.testing.assert_array_equal(score(model, sequence, path=tmp_path), first)


@pytest.mark.parametrize("num_bytes", [0, 60, -1, -20])
def test_truncated_scores_are_refused_and_left_as_they_are(tmp_path, model, num_bytes):
    _interrupt(tmp_path, model)
    scores = tmp_path / "scores.npy"
    scores.write_bytes(scores.read_bytes()[:num_bytes])
    before = scores.read_bytes()
    with pytest.raises(ValueError, match=r"`path` must hold scores\. Received: .*scores\.npy"):
        score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    assert scores.read_bytes() == before


def test_scores_whose_header_declares_more_than_there_is_do_not_grow(tmp_path, model):
    _interrupt(tmp_path, model)
    scores = tmp_path / "scores.npy"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (7, 50000000), }".ljust(117) + b"\n"
    scores.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert scores.stat().st_size == 128
    with pytest.raises(ValueError, match=r"`path` must hold scores\. Received: .*scores\.npy"):
        score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    assert scores.stat().st_size == 128


def test_scores_that_are_finished_are_only_read(tmp_path, model):
    expected = score(model, make_sequence(), path=tmp_path)
    (tmp_path / ".lock").unlink()
    np.testing.assert_array_equal(score(model, make_sequence(), path=tmp_path), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "scores.npy"}


def test_who_comes_second_waits_and_reads_what_the_first_computed(tmp_path, model, caplog):
    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    with hold(tmp_path, wait=True):
        second = threading.Thread(
            target=score, args=(model, make_sequence(Counting(IMAGES), 2)), kwargs={"path": tmp_path}
        )
        second.start()
        while not caplog.messages:
            time.sleep(0.01)
        expected = score(model, make_sequence(ArraySource(IMAGES), 2), path=tmp_path)
    second.join()
    assert read == [0, 1], "the first batch, to compare"
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), expected)


def test_a_relative_path_outlives_a_change_of_the_working_directory(tmp_path, model, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def move(images):
        os.chdir(tmp_path / "elsewhere")
        return images

    score(model, make_sequence(), [move], path="scores")
    assert np.isfinite(np.load(tmp_path / "scores" / "scores.npy")).all()
    assert not any((tmp_path / "elsewhere").iterdir())


def test_folder_of_something_else_is_refused(tmp_path, model):
    (tmp_path / "scores.npy").write_text("mine")
    with pytest.raises(ValueError, match="new folder or one with scores"):
        score(model, make_sequence(), path=tmp_path)
    assert (tmp_path / "scores.npy").read_text() == "mine"
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json' must be a JSON file"):
        score(model, make_sequence(), path=tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "keras_hpa pack 1"}')
    with pytest.raises(ValueError, match=r"in field 'format'.*Received: 'keras_hpa pack 1'"):
        score(model, make_sequence(), path=tmp_path)


@pytest.mark.parametrize("content", [np.zeros((7, 5)), np.zeros((6, 5), "float32"), np.array([{}] * 7)])
def test_damaged_scores_are_refused(tmp_path, model, content):
    _interrupt(tmp_path, model)
    np.save(tmp_path / "scores.npy", content)
    with pytest.raises(ValueError, match="`path` must hold"):
        score(model, make_sequence(ArraySource(IMAGES)), path=tmp_path)


_SLOW_RUN = """
import sys, time
import numpy as np
from keras_hpa import ArraySource, MultiChannelSequence, predict_scores
from tests.inference.scored import IMAGES, make_model

class Slow(ArraySource):
    def read(self, index):
        time.sleep(float(sys.argv[2]))
        return super().read(index)

source = Slow(np.tile(IMAGES, (6, 1, 1, 1)))
sequence = MultiChannelSequence(source, batch_size=2, workers=0)
scores = predict_scores(make_model(), sequence, path=sys.argv[1], verbose=0)
"""


def test_killed_run_ends_as_an_uninterrupted_one(tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", _SLOW_RUN, folder]
    environment = os.environ | {"KERAS_BACKEND": keras.backend.backend(), "PYTHONPATH": str(_REPOSITORY)}
    process = subprocess.Popen([*command, "0.3"], env=environment)
    scores = folder / "scores.npy"
    while process.poll() is None and not (scores.exists() and np.isfinite(np.load(scores)[3]).all()):
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert np.isnan(np.load(scores)[-1]).all(), "the run had ended before it was killed"

    source = ArraySource(np.tile(IMAGES, (6, 1, 1, 1)))
    resumed = score(make_model(), make_sequence(source, 2), path=folder)
    np.testing.assert_array_equal(resumed, score(make_model(), make_sequence(source, 2)))
