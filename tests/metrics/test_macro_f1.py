import csv
import json
import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from keras_hpa import BatchMacroF1, MacroF1, parse_labels
from tests.helpers import check_constructor_arguments, check_registration

_NAN = float("nan")
_EXECUTION = {} if keras.backend.backend() == "torch" else {"steps_per_execution": 2, "jit_compile": True}


@st.composite
def _cases(draw):
    """Labels and scores with classes that are absent, everywhere, never and always predicted, and every option."""
    rows, classes = draw(st.sampled_from([(1, 2), (7, 5), (20, 3)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = (rng.random((rows, classes)) < rng.choice([0, 0.1, 0.5, 1], classes)).astype("int8")
    labels[rng.random(labels.shape) < draw(st.sampled_from([0, 0.3]))] = -1
    scores = (rng.random((rows, classes)) * rng.choice([0.3, 1], classes)).round(2).astype("float32")
    threshold = draw(st.sampled_from([0.5, 0.25, rng.choice([0, 0.25, 0.5, 0.9, math.inf], classes).tolist()]))
    weights = draw(st.sampled_from([None, rng.integers(1, 5, rows) / 2, rng.integers(1, 5, (rows, classes)) / 2]))
    batch_size = draw(st.sampled_from([3, 20]))
    average, zero_division = draw(st.sampled_from(["macro", "micro", "weighted"])), draw(st.sampled_from([0, 1, _NAN]))
    return labels, scores, threshold, weights, batch_size, average, zero_division


@settings(max_examples=80, deadline=None)
@given(_cases())
def test_equals_scikit_learn_under_any_batching(case):
    labels, scores, threshold, weights, batch_size, average, zero_division = case
    metric = MacroF1(threshold, average=average, zero_division=zero_division)
    _update(metric, labels, scores, weights, batch_size)
    predicted = scores >= np.asarray(threshold)
    expected, per_class = _expected(labels, predicted, weights, average, zero_division)
    np.testing.assert_allclose(float(metric.result()), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(metric.per_class()), per_class, rtol=0, atol=1e-6)
    if (labels >= 0).all() and np.ndim(weights) < 2:
        options = {"sample_weight": weights, "average": average, "zero_division": zero_division}
        np.testing.assert_allclose(expected, f1_score(labels, predicted, **options), rtol=0, atol=1e-6)


def test_weight_per_label_is_a_weight_of_that_column_alone():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, (3, 3)), rng.random((3, 3)).astype("float32")
    weights = rng.integers(1, 5, (3, 3)) / 2  # square: a weight per sample would fit as well
    metric = MacroF1()
    metric.update_state(labels, scores, weights)
    columns = [f1_score(labels[:, c], scores[:, c] >= 0.5, sample_weight=weights[:, c]) for c in range(3)]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(metric.per_class()), columns, atol=1e-6)

    by_sample = MacroF1(zero_division=0)
    by_sample.update_state(labels, scores, weights[:, 0])
    expected = f1_score(labels, scores >= 0.5, sample_weight=weights[:, 0], average="macro", zero_division=0)
    np.testing.assert_allclose(float(by_sample.result()), expected, atol=1e-6)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_unknown_label_counts_for_nothing(average):
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(-1, 2, (40, 5)), rng.random((40, 5)).astype("float32")
    labels[:, 4] = -1
    metric = MacroF1(average=average)
    _update(metric, labels, scores, None, 7)
    if average == "micro":
        expected = f1_score(labels[labels >= 0], scores[labels >= 0] >= 0.5)
    else:
        known = [labels[:, c] >= 0 for c in range(4)]
        expected = np.mean([f1_score(labels[k, c], scores[k, c] >= 0.5) for c, k in enumerate(known)])
    np.testing.assert_allclose(float(metric.result()), expected, atol=1e-6)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("zero_division", [0, 1, _NAN])
@pytest.mark.parametrize("of", ["labels", "scores"])
def test_nan_is_not_counted_as_something_else(average, zero_division, of):
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, (20, 3)).astype("float32"), rng.random((20, 3)).astype("float32")
    metric = MacroF1(average=average, zero_division=zero_division)
    metric.update_state(labels, scores)
    assert 0 < float(metric.result()) < 1
    {"labels": labels, "scores": scores}[of][4, 1] = _NAN
    metric.update_state(labels, scores)
    assert math.isnan(float(metric.result()))
    np.testing.assert_array_equal(np.isnan(keras.ops.convert_to_numpy(metric.per_class())), [False, True, False])


def test_score_of_an_unknown_label_may_be_nan():
    metric = MacroF1()
    metric.update_state([[1, -1], [0, 1]], np.array([[0.9, _NAN], [0.1, 0.8]], "float32"))
    assert float(metric.result()) == 1


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", "bool"])
def test_masked_labels_are_unknown(dtype):
    labels = np.ma.masked_array(np.array([[1, 1], [0, 1]], dtype), mask=[[False, True], [False, False]])
    scores = np.array([[0.9, 0.1], [0.1, 0.8]])
    metric = MacroF1()
    metric.update_state(labels, scores)
    assert float(metric.result()) == 1
    with pytest.raises(ValueError, match="`y_pred` must not be masked"):
        metric.update_state(labels, np.ma.masked_array(scores, mask=labels.mask))


def test_callbacks_know_that_more_is_better():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", metrics=[MacroF1(), BatchMacroF1()])
    inputs, labels = np.eye(2, dtype="float32"), np.array([[1, 0, 0], [0, 1, 1]])
    for name in ("val_macro_f1", "val_batch_macro_f1"):
        stop = keras.callbacks.EarlyStopping(name, mode="auto")
        model.fit(inputs, labels, validation_data=(inputs, labels), verbose=0, callbacks=[stop])
        assert stop.monitor_op(2, 1)


def test_logits_are_compared_as_probabilities():
    rng = np.random.default_rng(2)
    labels, logits = rng.integers(0, 2, (50, 4)), rng.normal(size=(50, 4)).astype("float32")
    on_logits, on_probabilities = MacroF1(0.3, from_logits=True), MacroF1(0.3)
    on_logits.update_state(labels, logits)
    on_probabilities.update_state(labels, 1 / (1 + np.exp(-logits)))
    assert float(on_logits.result()) == float(on_probabilities.result())
    logit_threshold = MacroF1(math.log(0.3 / 0.7))
    logit_threshold.update_state(labels, logits)
    assert float(logit_threshold.result()) == float(on_probabilities.result())


@settings(max_examples=30, deadline=None)
@given(st.floats(2**-20, 1, width=32), st.floats(2**-20, 1))
def test_comparison_is_that_of_float32_scores_with_float64_thresholds(score, threshold):
    exact = np.float64(np.float32(score))
    for near in (threshold, exact, np.nextafter(exact, 2), np.nextafter(exact, 0)):
        metric = MacroF1(float(near), zero_division=0)
        metric.update_state([[1]], np.array([[score]], "float32"))
        assert float(metric.result()) == (exact >= near)


def test_half_precision_predictions_and_integer_labels():
    scores = np.array([[0.5, 0.25], [0.75, 0.1]], "float16")
    metric = MacroF1(0.5)
    metric.update_state(np.array([[1, 0], [0, 1]], "uint8"), scores)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(metric.per_class()), [2 / 3, 0], atol=1e-6)


@pytest.mark.parametrize(("zero_division", "expected"), [(0, 0.0), (1, 1.0), (_NAN, _NAN), ("nan", _NAN)])
def test_nothing_seen_is_undefined(zero_division, expected):
    metric = MacroF1(zero_division=zero_division)
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
    metric = MacroF1(0.4, num_classes=num_classes)
    model.compile("sgd", "binary_crossentropy", metrics=[metric], **_EXECUTION)
    history = model.fit(inputs, labels, validation_data=(inputs, labels), batch_size=8, epochs=2, verbose=0).history
    predicted = model.predict(inputs, verbose=0) >= 0.4
    expected = f1_score(labels, predicted, average="macro", zero_division=np.nan)
    np.testing.assert_allclose(history["val_macro_f1"][-1], expected, atol=1e-6)


def test_compiled_metric_is_saved_with_the_model(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[MacroF1([0.2, 0.5, math.inf])])
    inputs, labels = np.eye(2, dtype="float32"), np.array([[1, 0, 0], [0, 1, 1]])
    before = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(inputs, labels, verbose=0, return_dict=True) == pytest.approx(before)


def test_arguments_survive_strict_json():
    arguments = {
        "threshold": [0.25, math.inf],
        "zero_division": 0.0,
        "num_classes": 2,
        "average": "micro",
        "from_logits": True,
        "name": "f1",
        "dtype": "float16",
    }
    check_registration(MacroF1)
    check_constructor_arguments(MacroF1, arguments)
    config = json.loads(json.dumps(MacroF1([0.25, math.inf]).get_config(), allow_nan=False))
    restored = MacroF1.from_config(config)
    assert list(restored.threshold) == [0.25, math.inf]
    assert math.isnan(restored.zero_division)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": _NAN}, "threshold.*nan"),
        ({"threshold": []}, "threshold.*Received: \\[\\]"),
        ({"threshold": [[0.5]]}, "threshold"),
        ({"threshold": [0.5, 0.5], "num_classes": 3}, "2 thresholds and num_classes=3"),
        ({"zero_division": 0.5}, "zero_division.*0.5"),
        ({"zero_division": "warn"}, "zero_division.*'warn'"),
        ({"num_classes": 0}, "num_classes.*0"),
        ({"average": "samples"}, "average.*samples"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MacroF1(**arguments)


@pytest.mark.parametrize(
    ("labels", "scores", "weights", "message"),
    [
        ((4,), (4,), None, r"\(batch, num_classes\).*\(4,\)"),
        ((4, 1), (4, 3), None, r"\(4, 1\) and \(4, 3\)"),
        ((4, 2), (4, 2), None, r"3 classes.*\(4, 2\)"),
        ((4, 3), (4, 3), (3,), r"sample_weight.*\(3,\) for labels of shape \(4, 3\)"),
        ((4, 3), (4, 3), (4, 2), r"sample_weight.*\(4, 2\)"),
    ],
)
def test_wrong_shape_is_named(labels, scores, weights, message):
    metric = MacroF1(num_classes=3)
    with pytest.raises(ValueError, match=message):
        metric.update_state(np.zeros(labels), np.zeros(scores), None if weights is None else np.ones(weights))


def test_per_class_needs_to_know_the_classes():
    with pytest.raises(ValueError, match="num_classes"):
        MacroF1().per_class()


@pytest.mark.real_data
@pytest.mark.parametrize("batch_size", [pytest.param(8, marks=pytest.mark.slow), 32, 256])
def test_perfect_predictor_of_the_real_labels_scores_one(real_data, batch_size):
    labels = _real_labels(real_data)
    model = keras.Sequential([keras.Input((28,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[MacroF1()])
    scores = labels.astype("float32")
    assert model.evaluate(scores, labels, batch_size=batch_size, verbose=0, return_dict=True)["macro_f1"] == 1


@pytest.mark.real_data
def test_random_scores_on_the_real_labels_equal_scikit_learn(real_data):
    labels = _real_labels(real_data)
    scores = np.random.default_rng(4).random(labels.shape).astype("float32")
    for batch_size in (32, 31072):
        metric = MacroF1(0.3)
        _update(metric, labels, scores, None, batch_size)
        assert float(metric.result()) == pytest.approx(f1_score(labels, scores >= 0.3, average="macro"), abs=1e-6)


def _update(metric, labels, scores, weights, batch_size):
    for start in range(0, len(labels), batch_size):
        rows = slice(start, start + batch_size)
        metric.update_state(labels[rows], scores[rows], None if weights is None else weights[rows])


def _expected(labels, predicted, weights, average, zero_division):
    """What scikit-learn says of each column, and of all known labels in one, averaged by hand."""
    weights = np.ones(len(labels)) if weights is None else weights
    weights = np.broadcast_to(weights if weights.ndim == 2 else weights[:, None], labels.shape)
    known = labels >= 0
    per_class = np.array([_f1(labels, predicted, weights, known & c, zero_division) for c in _columns(labels)])
    if average == "micro":
        return _f1(labels, predicted, weights, known, zero_division), per_class
    defined = ~np.isnan(per_class)
    if not defined.any():
        return _NAN, per_class
    importance = (weights * (labels == 1)).sum(axis=0)[defined]
    if average == "macro" or not importance.any():
        importance = None
    return np.average(per_class[defined], weights=importance), per_class


def _f1(labels, predicted, weights, where, zero_division):
    if not where.any():
        return zero_division
    return f1_score(labels[where], predicted[where], sample_weight=weights[where], zero_division=zero_division)


def _columns(labels):
    return [np.arange(labels.shape[1]) == column for column in range(labels.shape[1])]


def _real_labels(folder):
    with open(folder / "labels" / "train.csv") as file:
        return parse_labels([row["Target"] for row in csv.DictReader(file)], 28)
