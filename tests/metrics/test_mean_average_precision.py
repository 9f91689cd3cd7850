import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from keras_hpa import MeanAveragePrecision
from tests.helpers import check_constructor_arguments, check_registration

_NAN = float("nan")
_EXECUTION = {} if keras.backend.backend() == "torch" else {"steps_per_execution": 2, "jit_compile": True}


@st.composite
def _cases(draw):
    """Labels and scores with classes that are absent and everywhere, ties, unknown labels, and every option."""
    rows, classes = draw(st.sampled_from([(1, 2), (7, 5), (40, 3)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random((rows, classes)) < rng.choice([0, 0.1, 0.5, 1], classes)).astype("int8")
    labels[rng.random(labels.shape) < draw(st.sampled_from([0, 0.3]))] = -1
    scores = rng.random((rows, classes)).round(draw(st.sampled_from([1, 2, 7]))).astype("float32")
    weights = draw(st.sampled_from([None, rng.integers(0, 5, rows) / 2, rng.integers(1, 5, (rows, classes)) / 2]))
    batch_size = draw(st.sampled_from([3, 40]))
    average, zero_division = draw(st.sampled_from(["macro", "micro", "weighted"])), draw(st.sampled_from([0, 1, _NAN]))
    return labels, scores, weights, batch_size, average, zero_division


@settings(max_examples=25, deadline=None)
@given(_cases())
def test_equals_scikit_learn_of_binned_scores_and_bounds_that_of_scores(case):
    labels, scores, weights, batch_size, average, zero_division = case
    for num_bins in (4096, 8):
        metric = MeanAveragePrecision(num_bins, average=average, zero_division=zero_division)
        _update(metric, labels, scores, weights, batch_size)
        binned = np.searchsorted(metric._edges, scores, side="right")
        expected, per_class = _expected(labels, binned, weights, average, zero_division)
        np.testing.assert_allclose(float(metric.result()), expected, rtol=0, atol=1e-5)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(metric.per_class()), per_class, rtol=0, atol=1e-5)
        exact, _ = _expected(labels, scores, weights, average, zero_division)
        lowest, highest = map(float, metric.bounds())
        assert math.isnan(exact) or lowest - 1e-5 <= exact <= highest + 1e-5
        if num_bins == 4096 and (scores * 100 % 1 < 1e-4).all():  # the bins part them
            np.testing.assert_allclose(float(metric.result()), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_many_samples_are_within_narrow_bounds(average):
    rng = np.random.default_rng(0)
    labels = (rng.random((5000, 6)) < [0.5, 0.2, 0.1, 0.05, 0.01, 0.002]).astype("int8")
    logits = rng.normal(size=labels.shape) + 2 * labels - 3
    scores = (1 / (1 + np.exp(-logits))).astype("float32")
    metric = MeanAveragePrecision(4096, average=average)
    _update(metric, labels, scores, None, 512)
    expected = average_precision_score(labels, scores, average=average)
    lowest, highest = map(float, metric.bounds())
    assert lowest <= expected <= highest
    assert highest - lowest < 0.01
    assert float(metric.result()) == pytest.approx(expected, abs=1e-3)
    on_logits = MeanAveragePrecision(4096, average=average, from_logits=True)
    _update(on_logits, labels, logits, None, 512)
    assert float(on_logits.result()) == pytest.approx(float(metric.result()), abs=1e-4)


def test_extreme_scores_keep_their_order():
    labels, scores = np.array([[1], [0], [1], [0]]), np.array([[1.0], [0.999999], [1e-7], [0.0]], "float32")
    metric = MeanAveragePrecision()
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(average_precision_score(labels[:, 0], scores[:, 0]), abs=1e-6)
    on_logits = MeanAveragePrecision(from_logits=True)
    on_logits.update_state([[1], [0]], np.array([[math.inf], [-math.inf]], "float32"))
    assert float(on_logits.result()) == 1


@pytest.mark.parametrize("wrong", [_NAN, 1.5, -0.1])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_what_is_no_probability_is_not_counted_as_something_else(average, wrong):
    metric = MeanAveragePrecision(4096, average=average)
    labels, scores = np.eye(3), np.eye(3, dtype="float32")
    metric.update_state(labels, scores)
    assert float(metric.result()) == 1
    unknown = np.where(labels == 1, -1, labels)
    metric.update_state(unknown, np.where(labels == 1, wrong, scores))
    assert float(metric.result()) == 1  # the score of an unknown label counts for nothing
    metric.update_state(labels, np.where(labels == 1, wrong, scores))
    assert math.isnan(float(metric.result()))


@pytest.mark.parametrize(("zero_division", "expected"), [(0, 0.0), (1, 1.0), (_NAN, _NAN), ("nan", _NAN)])
def test_nothing_seen_is_undefined(zero_division, expected):
    metric = MeanAveragePrecision(zero_division=zero_division)
    np.testing.assert_equal(float(metric.result()), expected)
    metric.update_state(np.zeros((2, 3)), np.zeros((2, 3)))
    np.testing.assert_equal(float(metric.result()), expected)
    metric.update_state(np.eye(3), np.eye(3))
    assert float(metric.result()) == 1
    metric.reset_state()
    np.testing.assert_equal(float(metric.result()), expected)


@pytest.mark.parametrize("num_classes", [None, 4])
def test_fit_logs_the_score_of_all_validation_samples(num_classes):
    rng = np.random.default_rng(3)
    inputs, labels = rng.normal(size=(37, 5)).astype("float32"), rng.integers(0, 2, (37, 4))
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="sigmoid")])
    metric = MeanAveragePrecision(num_classes=num_classes)
    model.compile("sgd", "binary_crossentropy", metrics=[metric], **_EXECUTION)
    history = model.fit(inputs, labels, validation_data=(inputs, labels), batch_size=8, epochs=2, verbose=0).history
    expected = MeanAveragePrecision()
    expected.update_state(labels, model.predict(inputs, verbose=0))
    assert history["val_mean_average_precision"][-1] == pytest.approx(float(expected.result()), abs=1e-5)
    stop = keras.callbacks.EarlyStopping("val_mean_average_precision", mode="auto")
    model.fit(inputs, labels, validation_data=(inputs, labels), verbose=0, callbacks=[stop])
    assert stop.monitor_op(2, 1)


def test_compiled_metric_is_saved_with_the_model(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[MeanAveragePrecision(16)])
    inputs, labels = np.eye(2, dtype="float32"), np.array([[1, 0, 0], [0, 1, 1]])
    before = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(inputs, labels, verbose=0, return_dict=True) == pytest.approx(before)


def test_arguments_survive_strict_json():
    arguments = {
        "num_bins": 16,
        "zero_division": 0.0,
        "num_classes": 2,
        "average": "micro",
        "from_logits": True,
        "name": "map",
        "dtype": "float16",
    }
    check_registration(MeanAveragePrecision)
    check_constructor_arguments(MeanAveragePrecision, arguments)
    restored = MeanAveragePrecision.from_config(
        json.loads(json.dumps(MeanAveragePrecision().get_config(), allow_nan=False))
    )
    assert math.isnan(restored.zero_division)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_bins": 1}, "num_bins.*1"),
        ({"zero_division": 0.5}, "zero_division.*0.5"),
        ({"num_classes": 0}, "num_classes.*0"),
        ({"average": "samples"}, "average.*samples"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MeanAveragePrecision(**arguments)


def test_wrong_shape_is_named():
    metric = MeanAveragePrecision(num_classes=3)
    with pytest.raises(ValueError, match=r"3 classes.*\(4, 2\)"):
        metric.update_state(np.zeros((4, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="num_classes"):
        MeanAveragePrecision().per_class()


def _update(metric, labels, scores, weights, batch_size):
    for start in range(0, len(labels), batch_size):
        rows = slice(start, start + batch_size)
        metric.update_state(labels[rows], scores[rows], None if weights is None else weights[rows])


def _expected(labels, scores, weights, average, zero_division):
    """What scikit-learn says of each column, and of all known labels in one, averaged by hand."""
    weights = np.ones(len(labels)) if weights is None else weights
    weights = np.broadcast_to(weights if weights.ndim == 2 else weights[:, None], labels.shape)
    known = (labels >= 0) & (weights > 0)
    columns = [known & (np.arange(labels.shape[1]) == column) for column in range(labels.shape[1])]
    per_class = np.array([_of(labels, scores, weights, column, zero_division) for column in columns])
    if average == "micro":
        return _of(labels, scores, weights, known, zero_division), per_class
    defined = ~np.isnan(per_class)
    if not defined.any():
        return _NAN, per_class
    importance = (weights * (labels == 1)).sum(axis=0)[defined]
    if average == "macro" or not importance.any():
        importance = None
    return np.average(per_class[defined], weights=importance), per_class


def _of(labels, scores, weights, where, zero_division):
    if not (labels[where] == 1).any():
        return zero_division
    return average_precision_score(labels[where], scores[where], sample_weight=weights[where])
