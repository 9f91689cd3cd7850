"""Arguments of another kind are refused where they are given, by name; directions are known."""

import keras
import numpy as np
import pytest

from keras_hpa import (
    ArraySource,
    BatchMacroF1,
    MacroF1,
    MultiChannelSequence,
    Samples,
    near_duplicate_groups,
    stratified_folds,
    stratified_split,
)

_IMAGES = np.zeros((6, 4, 4, 2), "uint8")
_LABELS = np.eye(6, 2, dtype=int)
_SIZES = [(0.2, 0.2), [0.2], "0.2", None, np.nan, np.array([0.2]), 0, 1, 2, -0.1, True, 1j, {"test": 0.2}]


@pytest.mark.parametrize("size", _SIZES, ids=str)
def test_a_share_is_one_number(size):
    with pytest.raises(ValueError, match=r"`test_size` must lie between 0 and 1\. Received: "):
        stratified_split(_LABELS, size)
    for name in ("test_size", "validation_size"):
        if size is not None:
            with pytest.raises(ValueError, match=rf"`{name}` must lie between 0 and 1\. Received: "):
                Samples(ArraySource(_IMAGES), _LABELS).split(**{name: size})


@pytest.mark.parametrize("size", [np.float32(0.5), np.float16(0.5), np.array(0.5)[()]])
def test_a_share_may_be_a_number_of_numpy(size):
    assert len(stratified_split(_LABELS, size)[1]) == 3


@pytest.mark.parametrize("num_folds", [(2, 3), 2.0, "2", None, True, 1, 7])
def test_a_number_of_folds_is_one_integer(num_folds):
    with pytest.raises(ValueError, match=r"`num_folds` must lie in 2 to the number of samples, 6\. Received: "):
        stratified_folds(_LABELS, num_folds)


_NO_SOURCES = [
    _IMAGES,
    _IMAGES.tolist(),
    [_IMAGES],
    (_IMAGES, _LABELS),
    None,
    "folder",
    {"images": _IMAGES},
    ArraySource,
]


@pytest.mark.parametrize("source", _NO_SOURCES, ids=lambda source: type(source).__name__)
def test_what_is_no_source_is_refused_when_it_is_given(source):
    with pytest.raises(TypeError, match=r"`source` must be a Source.*ArraySource\. Received: "):
        MultiChannelSequence(source, _LABELS)
    with pytest.raises(TypeError, match=r"`source` must have `ids`, `channels`.*Received: "):
        Samples(source, _LABELS)


@pytest.mark.parametrize("distance", [np.nan, -0.1, 0.5, 2])
def test_a_distance_that_means_nothing_is_refused(distance):
    with pytest.raises(ValueError, match="`max_distance` must lie between"):
        near_duplicate_groups(ArraySource(_IMAGES), max_distance=distance)


@pytest.mark.parametrize("metric", [MacroF1, BatchMacroF1, lambda: MacroF1(average="micro", name="mine")])
@pytest.mark.parametrize("callback", ["EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau"])
def test_keras_knows_by_itself_that_more_is_better(metric, callback, tmp_path):
    metric = metric()
    arguments = {"filepath": tmp_path / "model.keras"} if callback == "ModelCheckpoint" else {}
    watch = getattr(keras.callbacks, callback)(monitor=f"val_{metric.name}", mode="auto", **arguments)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    data = np.eye(2), np.eye(2)
    model.fit(*data, validation_data=data, verbose=0, callbacks=[watch])
    assert watch.monitor_op(1.0, 0.5)


@pytest.mark.parametrize("metric", [MacroF1(num_classes=2), BatchMacroF1()])
def test_the_direction_is_kept_by_a_saved_model(metric, tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metric])
    model.fit(np.eye(2), np.eye(2), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    stopping = keras.callbacks.EarlyStopping(f"val_{metric.name}", mode="auto")
    again.fit(np.eye(2), np.eye(2), validation_data=(np.eye(2), np.eye(2)), verbose=0, callbacks=[stopping])
    assert stopping.monitor_op(1.0, 0.5)
