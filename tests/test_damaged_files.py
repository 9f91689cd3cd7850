"""Damaged manifests, backups, calibrator files and checkpoints: read rightly or refused by an error that names them."""

import copy
import json
import random
from functools import partial

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, PackedSource, Samples, ThresholdCalibrator, write_kaggle_folder
from keras_hpa.callbacks.training_backup import read_backup
from keras_hpa.data.pack_builder import read_pack_manifest
from keras_hpa.inference.score_folder import ScoreFolder
from keras_hpa.models.gapnet_pl_checkpoint import _read as _read_checkpoint
from keras_hpa.models.load_weights import load_weights
from tests.test_stops import _train

_SAMPLES = Samples(ArraySource(np.zeros((3, 2, 2, 2), "uint8")), [[0, 1], [1, 0], [1, 1]], class_names=["a", "b"])
_SETTINGS = {"size": [2, 2], "first_images": ["x"]}
_VALUES = [
    *(None, True, False, 0, 1, -1, 3, 2**31, 2**63, 2**64, 10**400, 0.5, -0.5, 1e308, 1e-320, -0.0),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "nan", "\ud800", "\0", "../x", "a" * 300, "1"),
    *([], [[]], [[[]]], {}, {"": 0}, {"class": "Auto"}, {"class": 3}, {"class": "Resampled", "rule": {}}, ["x", "x"]),
]


def _write_files(folder):
    (folder / "backup").mkdir(parents=True)
    _train(folder / "backup")
    PackedSource.build(_SAMPLES, folder / "pack", verbose=0)
    write_kaggle_folder(_SAMPLES, folder / "kaggle", verbose=0)
    ScoreFolder(folder / "scores", ids=_SAMPLES.ids, settings=_SETTINGS).write(0, np.zeros((3, 2), "float32"))
    for rule in ("auto", "fixed", "resampled_max_f1", "report"):
        calibrator = ThresholdCalibrator(rule, class_names=["a", "b"], from_logits=rule == "auto")
        calibrator.fit(np.array([[0.9, 0.1], [0.2, 0.7], [0.6, 0.8]]), _SAMPLES.labels).save(folder / f"{rule}.json")


def _read_calibrator(path):
    loaded = ThresholdCalibrator.load(path)
    assert not np.isnan(loaded.thresholds_).any()
    assert (loaded.thresholds_ >= (np.finfo(float).min if loaded.from_logits else 0)).all()
    assert loaded.predict(np.full((2, len(loaded.thresholds_)), 0.5)).shape == (2, len(loaded.thresholds_))


def _read_pack(path):
    manifest = read_pack_manifest(path.parent)
    assert len(set(manifest["ids"])) == len(manifest["ids"]) == len(manifest["checksums"])


def _read_scores(path):
    ScoreFolder(path.parent, ids=_SAMPLES.ids, settings=_SETTINGS)


def _read_kaggle(path):
    write_kaggle_folder(_SAMPLES, path.parent, verbose=0)


_READERS = {
    "pack/manifest.json": _read_pack,
    "backup/backup.json": read_backup,
    "kaggle/kaggle_folder.json": _read_kaggle,
    "scores/manifest.json": _read_scores,
    "auto.json": _read_calibrator,
    "fixed.json": _read_calibrator,
    "resampled_max_f1.json": _read_calibrator,
    "report.json": _read_calibrator,
}


def _places(content, place=()):
    yield place
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(value, (dict, list)):
            yield from _places(value, (*place, key))
        else:
            yield (*place, key)


def _damage_content(rng, content):
    """Another value, a value more or a value less at some place of the tree."""
    content = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 2))):
        places = [place for place in _places(content) if place]
        if not places:
            break
        *above, last = rng.choice(places)
        holder = content
        for key in above:
            holder = holder[key]
        kind = rng.randrange(4)
        if kind == 0:
            del holder[last]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice(("", "x", "class", "format"))] = copy.deepcopy(rng.choice(_VALUES))
        elif kind == 1:
            holder.insert(last, copy.deepcopy(rng.choice((*holder, *_VALUES))))
        else:
            holder[last] = copy.deepcopy(rng.choice(_VALUES))
    return json.dumps(content).encode()


def _damage_bytes(rng, content):
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 3))):
        start = rng.randrange(len(content))
        stop = min(len(content), start + rng.choice((0, 1, 1, 8, 1000)))
        content[start:stop] = rng.choice(
            (b"", rng.randbytes(stop - start), b"[" * rng.choice((1, 5000)), b"9" * 5000, b"-")
        )
        content = content or bytearray(b"{")
    return bytes(content)


def _refusal(path, content, read, kinds):
    """The message of the error that a damaged file ends in; None where it is read."""
    path.write_bytes(content)
    try:
        read()
    except kinds as error:
        return str(error)
    except BaseException as error:
        error.add_note(f"{path}: {content[:2000]!r}")
        raise
    return None


@pytest.mark.parametrize("number", [8_000, pytest.param(200_000, marks=pytest.mark.soak)])
@pytest.mark.filterwarnings("ignore:The calibrator predicts as it did")
def test_a_damaged_file_is_one_kind_of_error(tmp_path, number):
    _write_files(tmp_path)
    contents = {name: (tmp_path / name).read_bytes() for name in _READERS}
    rng, read = random.Random(0), dict.fromkeys(_READERS, 0)
    for name, content in contents.items():
        path = tmp_path / name
        assert _refusal(path, content, partial(_READERS[name], path), ValueError) is None
        tree = json.loads(content)
        for _ in range(number // len(contents)):
            damaged = _damage_content(rng, tree) if rng.random() < 0.7 else _damage_bytes(rng, content)
            message = _refusal(path, damaged, partial(_READERS[name], path), ValueError)
            read[name] += message is None
            assert message is None or str(path) in message or str(path.parent) in message
    assert read["pack/manifest.json"] < 0.1 * number / len(contents), "its digest finds nearly everything"


def _damage_weights(rng, content):
    content = bytearray(content)
    for _ in range(rng.choice((1, 1, 5))):
        start = rng.randrange(len(content))
        stop = min(len(content), start + rng.choice((0, 1, 1, 4, 100)))
        content[start:stop] = rng.choice((b"", rng.randbytes(stop - start), b"\xff" * (stop - start)))
        content = content or bytearray(b"x")
    return bytes(content)


_NUMBERS_OF_WEIGHTS = pytest.mark.parametrize("number", [200, pytest.param(10_000, marks=pytest.mark.soak)])


@_NUMBERS_OF_WEIGHTS
def test_a_damaged_weights_file_is_one_kind_of_error(tmp_path, number):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    path = tmp_path / "a.weights.h5"
    model.save_weights(path)
    content, rng, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(number):
        damaged = _damage_weights(rng, content)
        message = _refusal(path, damaged, lambda: load_weights(model, path, "weights"), (OSError, ValueError))
        refused += message is not None
        assert message is None or str(path) in message
    assert refused > number / 3, "HDF5 has no checksums: of the rest, numbers may have changed"


@_NUMBERS_OF_WEIGHTS
def test_a_damaged_checkpoint_is_one_kind_of_error_or_reads_the_same(tmp_path, number):
    tf = pytest.importorskip("tensorflow")
    prefix, rng = tmp_path / "a.ckpt", random.Random(0)
    tensors = {f"{name}_conv": np.random.default_rng(0).normal(size=(3, 4)).astype("float32") for name in "abc"}
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * 3, tensors=list(tensors.values())
    )
    contents = {path: path.read_bytes() for path in tmp_path.glob("a.ckpt.*")}

    def read():
        found = _read_checkpoint(prefix)
        assert found.keys() == tensors.keys()
        assert all(np.array_equal(found[name], value) for name, value in tensors.items())

    for _ in range(number):
        for path, content in contents.items():
            path.write_bytes(content)
        path = rng.choice(list(contents))
        message = _refusal(path, _damage_weights(rng, contents[path]), read, OSError)
        assert message is None or str(prefix) in message
