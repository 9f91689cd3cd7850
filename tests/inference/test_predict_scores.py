import itertools
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
    GapNet,
    ImageStandardization,
    MultiChannelSequence,
    apply_symmetry,
    predict_scores,
    subset,
)
from keras_hpa.files import hold
from keras_hpa.inference.tiling import tile_starts

_IMAGES = np.random.default_rng(0).integers(0, 256, (7, 24, 24, 4), "uint8")
_SOURCE = ArraySource(_IMAGES, ids=[f"cell {letter}" for letter in "abcdefg"])
_REPOSITORY = Path(__file__).parents[2]


def _sequence(source=_SOURCE, batch_size=3, **arguments):
    return MultiChannelSequence(source, batch_size=batch_size, workers=0, **arguments)


def _model(size=24, seed=0, activation="sigmoid", **arguments):
    """A network that tells one side from the other, as one that pools does not."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((size, size, 4), **arguments)
    x = keras.layers.Rescaling(1 / 255 if arguments else 1.0)(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    x = keras.layers.Flatten()(x) if size else keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(5, activation=activation)(x))


@pytest.fixture(scope="module")
def model():
    return _model()


def _scores(model, sequence, *arguments, **named):
    return predict_scores(model, sequence, *arguments, verbose=0, **named)


def _floats(images):
    return images.astype("float32") / 255


@pytest.mark.parametrize("reduce", ["mean", "median", "max"])
@pytest.mark.parametrize(("transforms", "symmetries"), [(None, [0]), ("dihedral", range(8)), ([0, 5], [0, 5])])
def test_equals_a_loop_over_models_and_symmetries(model, reduce, transforms, symmetries):
    models = [model, _model(seed=1)]
    views = [
        one.predict(np.ascontiguousarray(apply_symmetry(_floats(_IMAGES), symmetry)), verbose=0)
        for one, symmetry in itertools.product(models, symmetries)
    ]
    scores = _scores(models, _sequence(), transforms, reduce)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, getattr(np, reduce)(views, axis=0), atol=1e-6)


def test_own_transforms_are_called_on_batches(model):
    shapes = []

    def darker(images):
        shapes.append(images.shape)
        return images * np.float32(0.5)

    expected = (model.predict(_floats(_IMAGES), verbose=0) + model.predict(_floats(_IMAGES) / 2, verbose=0)) / 2
    np.testing.assert_allclose(_scores(model, _sequence(), [0, darker]), expected, atol=1e-6)
    assert set(shapes) == {(3, 24, 24, 4)}, "the last batch is as long as the others"


def test_logits_are_averaged_as_they_are(model):
    logits = _model(activation=None)
    logits.set_weights(model.get_weights())
    averaged = _scores(logits, _sequence(), "dihedral")
    assert averaged.min() < 0
    of_probabilities = _scores(model, _sequence(), "dihedral")
    assert np.abs(1 / (1 + np.exp(-averaged)) - of_probabilities).max() > 1e-5


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_batch_size_changes_nothing(model, batch_size):
    expected = _scores(model, _sequence(), "dihedral", "median")
    scores = _scores(model, _sequence(batch_size=batch_size), "dihedral", "median")
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_rows_follow_the_source_whatever_a_training_sequence_does(model):
    labels = np.zeros((7, 5))
    training = MultiChannelSequence(_SOURCE, labels, batch_size=2, shuffle=True, batches_per_epoch=2, initial_epoch=3)
    np.testing.assert_allclose(_scores(model, training), _scores(model, _sequence()), atol=1e-6)
    order = [4, 0, 6]
    chosen = _scores(model, _sequence(subset(_SOURCE, order)))
    np.testing.assert_allclose(chosen, _scores(model, _sequence())[order], atol=1e-6)


def test_each_image_is_read_once(model):
    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    _scores([model, model], _sequence(Counting(_IMAGES)), "dihedral")
    assert read == list(range(7))


def test_bytes_reach_a_model_of_bytes():
    model = _model(dtype="uint8")
    expected = model.predict(_IMAGES, verbose=0)
    np.testing.assert_allclose(_scores(model, _sequence(dtype="source")), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"uint8 images.*dtype='source'.*Received: float32"):
        _scores(model, _sequence())


def test_bytes_are_kept_from_a_model_of_floats(model):
    message = r"floats that model .* takes: dtype='float32'.*Received: uint8"
    with pytest.raises(ValueError, match=message):
        _scores(model, _sequence(dtype="source"))
    gapnet = GapNet((24, 24, 4), variant="light", filters=(4, 4, 4))
    with pytest.raises(ValueError, match=message):
        _scores([gapnet], _sequence(dtype="source"))
    floats = ArraySource(_floats(_IMAGES))
    np.testing.assert_allclose(_scores(model, _sequence(floats, dtype="source")), _scores(model, _sequence()))


def _rescaled(*first):
    inputs = keras.Input((24, 24, 4))
    x = inputs
    for layer in first:
        x = layer(x)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(
    "first",
    [
        [keras.layers.Rescaling(1 / 255)],
        [keras.layers.RandomFlip(), keras.layers.Rescaling([1 / 255] * 4)],
        [keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Rescaling(1 / 127.5, -1)])],
        [ImageStandardization()],
        [lambda images: images / 255],
    ],
    ids=["rescaling", "after a flip", "nested", "standardised", "arithmetic"],
)
def test_bytes_reach_a_model_of_floats_that_scales_them_itself(first):
    model = _rescaled(*first)
    expected = model.predict(_IMAGES.astype("float32"), verbose=0)
    np.testing.assert_allclose(_scores(model, _sequence(dtype="source")), expected, atol=1e-5)
    np.testing.assert_allclose(_scores(model, _sequence(max_value=1)), expected, atol=1e-5)


@pytest.mark.parametrize("first", [[keras.layers.Rescaling(255.0)], [keras.layers.BatchNormalization()]])
def test_a_layer_that_wants_numbers_from_0_to_1_is_given_no_bytes(first):
    with pytest.raises(ValueError, match="must give the floats"):
        _scores(_rescaled(*first), _sequence(dtype="source"))


def test_numpy_integers_are_integers(model):
    expected = _scores(model, _sequence(), [0, 5])
    for transforms in ([np.int64(0), np.uint8(5)], np.array([0, 5])):
        np.testing.assert_array_equal(_scores(model, _sequence(), transforms), expected)
    tiled = _scores(model, _sequence(), tile_size=24, tile_overlap=0)
    for tile_size in (np.int32(24), np.array([24, 24]), [24, 24]):
        np.testing.assert_array_equal(_scores(model, _sequence(), tile_size=tile_size, tile_overlap=0), tiled)


def test_gapnet_in_half_precision_gives_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gapnet = GapNet((24, 24, 4), variant="light", filters=(4, 4, 4))
    finally:
        keras.config.set_dtype_policy("float32")
    scores = _scores(gapnet, _sequence(), "dihedral")
    assert (scores.dtype, scores.shape) == (np.float32, (7, 28))


# Tiles


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("tile", [1, 7, 16])
def test_tiles_cover_every_pixel_and_overlap(tile, overlap):
    for length in range(tile, 5 * tile + 3):
        starts = tile_starts(length, tile, overlap)
        covered = np.concatenate([np.arange(start, start + tile) for start in starts])
        assert set(covered) == set(range(length))
        assert (starts[0], starts[-1]) == (0, length - tile)
        # A step of one pixel is the smallest there is.
        assert max(np.diff(starts), default=0) <= max(1, tile - int(np.ceil(tile * overlap - 1e-6)))


@pytest.mark.parametrize("tile_reduce", ["mean", "max"])
@pytest.mark.parametrize("batch_size", [2, 5])
def test_tiles_equal_brute_force(tile_reduce, batch_size):
    images = np.random.default_rng(1).integers(0, 256, (3, 40, 31, 4), "uint8")
    model = _model()
    expected = []
    for image in _floats(images):
        # A quarter of 24 pixels is shared at least, so that steps are at most 18: 16 in one go along 40, 7 along 31.
        tiles = [image[top : top + 24, left : left + 24] for top in (0, 16) for left in (0, 7)]
        views = [
            model.predict(np.stack([apply_symmetry(tile, s) for tile in tiles]), verbose=0) for s in (0, 1, 2, 6, 7)
        ]
        expected.append(getattr(np, tile_reduce)(np.median(views, axis=0), axis=0))
    scores = _scores(
        model,
        _sequence(ArraySource(images), batch_size=batch_size),
        [0, 1, 2, 6, 7],
        "median",
        tile_overlap=0.25,
        tile_reduce=tile_reduce,
    )
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_network_of_any_size_takes_tiles_of_a_given_size():
    model = _model(size=None)
    tiles = np.concatenate([model.predict(_floats(_IMAGES)[:, top : top + 12], verbose=0)[None] for top in (0, 12)])
    scores = _scores(model, _sequence(), tile_size=(12, 24), tile_overlap=0)
    np.testing.assert_allclose(scores, tiles.mean(axis=0), atol=1e-6)


def test_image_of_the_networks_size_is_one_tile(model):
    np.testing.assert_allclose(_scores(model, _sequence(), tile_overlap=0.5), _scores(model, _sequence()), atol=1e-6)


# Runs that stop


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
        _scores(model, _sequence(_Failing(_IMAGES, fails_at), 2), path=path, **arguments)


def test_run_that_broke_off_goes_on_and_says_what_it_has(tmp_path, model):
    folder = tmp_path / "scores"
    _interrupt(folder, model)
    there = np.load(folder / "scores.npy")
    assert np.isnan(there).all(axis=1).tolist() == [False] * 4 + [True] * 3
    expected = _scores(model, _sequence(ArraySource(_IMAGES), 2))
    np.testing.assert_array_equal(there[:4], expected[:4])
    assert json.loads((folder / "manifest.json").read_text())["ids"] == list("0123456")

    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    scores = _scores(model, _sequence(Counting(_IMAGES), 2), path=folder)
    np.testing.assert_array_equal(scores, expected)
    np.testing.assert_array_equal(np.load(folder / "scores.npy"), expected)
    assert read == [0, 1, 4, 5, 6], "the first batch, to compare, and what was missing"
    np.testing.assert_array_equal(_scores(model, _sequence(ArraySource(_IMAGES), 2), path=folder), expected)


def test_half_a_row_is_not_a_row(tmp_path, model):
    _interrupt(tmp_path, model)
    scores = np.load(tmp_path / "scores.npy")
    scores[3, 2:] = np.nan
    np.save(tmp_path / "scores.npy", scores)
    resumed = _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, _scores(model, _sequence(ArraySource(_IMAGES), 2)))


def test_first_batch_that_breaks_off_leaves_nothing(tmp_path, model):
    _interrupt(tmp_path / "new", model, fails_at=0)
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".lock"]
    assert len(_scores(model, _sequence(), path=tmp_path / "new")) == len(_IMAGES)


def test_manifest_without_scores_begins_anew(tmp_path, model):
    _interrupt(tmp_path, model)
    (tmp_path / "scores.npy").unlink()
    resumed = _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, _scores(model, _sequence(ArraySource(_IMAGES), 2)))


def test_another_batch_size_may_go_on(tmp_path, model):
    _interrupt(tmp_path, model)
    resumed = _scores(model, _sequence(ArraySource(_IMAGES), 3), path=tmp_path)
    np.testing.assert_allclose(resumed, _scores(model, _sequence()), atol=1e-6)


def test_scores_of_something_else_are_refused(tmp_path, model):
    _interrupt(tmp_path, model)
    sequence = _sequence(ArraySource(_IMAGES), 2)
    with pytest.raises(ValueError, match=r"same settings.*'models'"):
        _scores(_model(seed=1), sequence, path=tmp_path)
    with pytest.raises(ValueError, match=r"'transforms': \[0\].*Received: \{'transforms': \[0, 4\]\}"):
        _scores(model, sequence, [0, 4], path=tmp_path)
    with pytest.raises(ValueError, match=r"'max_value': None.*Received: \{'max_value': 128.0\}"):
        _scores(model, _sequence(ArraySource(_IMAGES), max_value=np.float32(128)), path=tmp_path)
    with pytest.raises(ValueError, match=r"7 from \['0'\] on.*Received: 7 samples.* at place 0"):
        _scores(model, _sequence(), path=tmp_path)
    with pytest.raises(ValueError, match=r"Received: 6 samples.* at place 6"):
        _scores(model, _sequence(ArraySource(_IMAGES[:6])), path=tmp_path)
    with pytest.raises(ValueError, match=r"pixels have changed.*the first changed sample is '0'"):
        _scores(model, _sequence(ArraySource(_IMAGES[::-1])), path=tmp_path)
    logits = _model(activation=None)
    logits.set_weights(model.get_weights())
    with pytest.raises(ValueError, match="those of the first batch differ"):
        _scores(logits, sequence, path=tmp_path)


def test_one_changed_pixel_is_found_however_small_the_scores_are(tmp_path):
    faint = _model()
    kernel, bias = faint.layers[-1].get_weights()
    faint.layers[-1].set_weights([kernel, bias - 9])
    assert _scores(faint, _sequence(ArraySource(_IMAGES), 2)).max() < 0.01
    _interrupt(tmp_path, faint)
    changed = _IMAGES.copy()
    changed[1, 3, 4, 2] ^= 1
    with pytest.raises(ValueError, match="the first changed sample is '1'"):
        _scores(faint, _sequence(ArraySource(changed), 2), path=tmp_path)
    other = keras.Model(faint.inputs[0], keras.layers.Rescaling(1.1)(faint.outputs[0]))
    with pytest.raises(ValueError, match="those of the first batch differ"):
        _scores(other, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)


def test_scores_of_a_folder_without_digests_go_on(tmp_path, model):
    _interrupt(tmp_path, model)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(manifest["settings"].pop("first_images")) == 2
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    resumed = _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    np.testing.assert_array_equal(resumed, _scores(model, _sequence(ArraySource(_IMAGES), 2)))


def test_new_images_beside_a_manifest_without_scores_are_the_ones_recorded(tmp_path, model):
    _interrupt(tmp_path, model)
    (tmp_path / "scores.npy").unlink()
    sequence = _sequence(ArraySource(_IMAGES[::-1]), 2)
    first = _scores(model, sequence, path=tmp_path)
    np.testing.assert_array_equal(_scores(model, sequence, path=tmp_path), first)


@pytest.mark.parametrize("num_bytes", [0, 60, -1, -20])
def test_truncated_scores_are_refused_and_left_as_they_are(tmp_path, model, num_bytes):
    _interrupt(tmp_path, model)
    scores = tmp_path / "scores.npy"
    scores.write_bytes(scores.read_bytes()[:num_bytes])
    before = scores.read_bytes()
    with pytest.raises(ValueError, match=r"`path` must hold scores\. Received: .*scores\.npy"):
        _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    assert scores.read_bytes() == before


def test_scores_whose_header_declares_more_than_there_is_do_not_grow(tmp_path, model):
    _interrupt(tmp_path, model)
    scores = tmp_path / "scores.npy"
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (7, 50000000), }".ljust(117) + b"\n"
    scores.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    assert scores.stat().st_size == 128
    with pytest.raises(ValueError, match=r"`path` must hold scores\. Received: .*scores\.npy"):
        _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    assert scores.stat().st_size == 128


def test_scores_that_are_finished_are_only_read(tmp_path, model):
    expected = _scores(model, _sequence(), path=tmp_path)
    (tmp_path / ".lock").unlink()
    np.testing.assert_array_equal(_scores(model, _sequence(), path=tmp_path), expected)
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", "scores.npy"}


def test_who_comes_second_waits_and_reads_what_the_first_computed(tmp_path, model, caplog):
    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    with hold(tmp_path, wait=True):
        second = threading.Thread(
            target=_scores, args=(model, _sequence(Counting(_IMAGES), 2)), kwargs={"path": tmp_path}
        )
        second.start()
        while not caplog.messages:
            time.sleep(0.01)
        expected = _scores(model, _sequence(ArraySource(_IMAGES), 2), path=tmp_path)
    second.join()
    assert read == [0, 1], "the first batch, to compare"
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), expected)


def test_a_relative_path_outlives_a_change_of_the_working_directory(tmp_path, model, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)

    def move(images):
        os.chdir(tmp_path / "elsewhere")
        return images

    _scores(model, _sequence(), [move], path="scores")
    assert np.isfinite(np.load(tmp_path / "scores" / "scores.npy")).all()
    assert not any((tmp_path / "elsewhere").iterdir())


def test_folder_of_something_else_is_refused(tmp_path, model):
    (tmp_path / "scores.npy").write_text("mine")
    with pytest.raises(ValueError, match="new folder or one with scores"):
        _scores(model, _sequence(), path=tmp_path)
    assert (tmp_path / "scores.npy").read_text() == "mine"
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json' must be a JSON file"):
        _scores(model, _sequence(), path=tmp_path)
    (tmp_path / "manifest.json").write_text('{"format": "keras_hpa pack 1"}')
    with pytest.raises(ValueError, match=r"in field 'format'.*Received: 'keras_hpa pack 1'"):
        _scores(model, _sequence(), path=tmp_path)


@pytest.mark.parametrize("content", [np.zeros((7, 5)), np.zeros((6, 5), "float32"), np.array([{}] * 7)])
def test_damaged_scores_are_refused(tmp_path, model, content):
    _interrupt(tmp_path, model)
    np.save(tmp_path / "scores.npy", content)
    with pytest.raises(ValueError, match="`path` must hold"):
        _scores(model, _sequence(ArraySource(_IMAGES)), path=tmp_path)


_SLOW_RUN = """
import sys, time
import numpy as np
from keras_hpa import ArraySource, MultiChannelSequence, predict_scores
from tests.inference.test_predict_scores import _IMAGES, _model

class Slow(ArraySource):
    def read(self, index):
        time.sleep(float(sys.argv[2]))
        return super().read(index)

source = Slow(np.tile(_IMAGES, (6, 1, 1, 1)))
scores = predict_scores(_model(), MultiChannelSequence(source, batch_size=2, workers=0), path=sys.argv[1], verbose=0)
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

    source = ArraySource(np.tile(_IMAGES, (6, 1, 1, 1)))
    resumed = _scores(_model(), _sequence(source, 2), path=folder)
    np.testing.assert_array_equal(resumed, _scores(_model(), _sequence(source, 2)))


# What is refused


def test_what_is_no_model_or_sequence_is_refused(model):
    with pytest.raises(TypeError, match="Received: an empty list"):
        _scores([], _sequence())
    with pytest.raises(TypeError, match="Received: Functional, str"):
        _scores([model, "model.keras"], _sequence())
    with pytest.raises(TypeError, match=r"ArraySource.*Received: ndarray"):
        _scores(model, _IMAGES)


@pytest.mark.parametrize("arguments", [{"augment": "dihedral"}, {"sampler": "with_replacement"}, {"shard": (0, 2)}])
def test_sequence_that_reads_other_images_is_refused(model, arguments):
    with pytest.raises(ValueError, match=rf"without `{next(iter(arguments))}`\. Received: "):
        _scores(model, _sequence(**arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduce": "sum"}, "`reduce` must be one of .*Received: 'sum'"),
        ({"tile_reduce": "median"}, "`tile_reduce` must be one of .*Received: 'median'"),
        ({"transforms": "flips"}, "`transforms` must be None.*Received: 'flips'"),
        ({"transforms": []}, r"`transforms` must be None.*Received: \[\]"),
        ({"transforms": [0, 8]}, r"`transforms` must be None.*Received: \[0, 8\]"),
        ({"transforms": [True]}, r"`transforms` must be None.*Received: \[True\]"),
        ({"transforms": [lambda images: images[:1]]}, r"`transforms` must keep.*shape \(1, 24, 24, 4\)"),
        ({"transforms": [lambda images: images > 0]}, r"`transforms` must keep.*Received: bool"),
        ({"transforms": [lambda images: images[:, ::2]]}, r"\(24, 24\).*Received: \(12, 24\) under transform .*lambda"),
        ({"tile_overlap": 1}, "`tile_overlap` must be a fraction.*Received: 1"),
        ({"tile_overlap": -0.1}, "`tile_overlap` must be a fraction"),
        ({"tile_size": 24}, "`tile_overlap` be given.*Received: 24, tile_overlap=None"),
        ({"tile_size": (24, 0), "tile_overlap": 0}, r"`tile_size` must be.*Received: \(24, 0\)"),
        ({"tile_size": 32, "tile_overlap": 0}, r"as large as a tile, \(32, 32\). Received: \(24, 24\)"),
        ({"tile_size": 12, "tile_overlap": 0}, r"network's size \(24, 24\). Received: \(12, 12\)"),
        ({"verbose": 2}, "`verbose` must be 'auto', 0 or 1. Received: 2"),
    ],
)
def test_wrong_argument_is_named(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        predict_scores(model, _sequence(), **{"verbose": 0} | arguments)


def test_larger_images_are_not_cut_unasked(model):
    larger = ArraySource(np.zeros((2, 30, 30, 4), "uint8"))
    with pytest.raises(ValueError, match=r"`image_size`.*`tile_overlap`\. Received: \(30, 30\)"):
        _scores(model, _sequence(larger))
    with pytest.raises(ValueError, match="`tile_size` must be given where the model takes images of any size"):
        _scores(_model(size=None), _sequence(larger), tile_overlap=0.5)


def test_models_that_do_not_fit_together_are_refused(model):
    with pytest.raises(ValueError, match="models of one input size"):
        _scores([model, _model(size=32)], _sequence())
    other = keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=r"same classes. Received: \[3, 5\]"):
        _scores([model, other], _sequence())


def test_output_of_another_form_is_refused():
    image = keras.Input((24, 24, 4))
    with pytest.raises(ValueError, match=r"Received: \(3, 24, 24, 4\) from 'whole'"):
        _scores(keras.Model(image, keras.layers.Activation("relu")(image), name="whole"), _sequence())
    row = keras.layers.Flatten()(image)
    with pytest.raises(ValueError, match="Received: list from 'two'"):
        _scores(keras.Model(image, [row, keras.layers.Dense(2)(row)], name="two"), _sequence())


def test_score_that_is_no_number_names_its_sample(tmp_path):
    model = keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Flatten(), keras.layers.Dense(2)])
    images = _floats(_IMAGES)
    images[4, 3, 3, 3] = np.nan
    source = ArraySource(images, ids=_SOURCE.ids)
    with pytest.raises(ValueError, match="Received: nan for sample 'cell e', class 0"):
        _scores(model, _sequence(source), path=tmp_path)
    assert np.isnan(np.load(tmp_path / "scores.npy")).all(axis=1).tolist() == [False] * 3 + [True] * 4
