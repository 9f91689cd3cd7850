"""Probabilities: what they are worth on new data is in tests/evaluation/test_simulations.py."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from sklearn.base import clone
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from keras_hpa import ProbabilityCalibrator, ProbabilityLayer, ThresholdCalibrator
from tests.thresholds.exported import RUNTIMES

METHODS = ("auto", "isotonic", "platt", "temperature")


def _drawn(num_samples=600, num_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, num_classes)) < np.linspace(0.4, 0.02, num_classes)).astype(np.int8)
    logits = 2 * (rng.normal(size=labels.shape) + 2 * labels - 1)
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels


def _logits(scores):
    return np.log(scores.astype(np.float64)) - np.log1p(-scores.astype(np.float64))


@pytest.mark.parametrize("method", METHODS)
def test_sums_are_those_of_the_labels_and_ranks_stay(method):
    scores, labels = _drawn(20000)
    found = ProbabilityCalibrator(method).fit(scores, labels).transform(scores)
    assert ((found > 0) & (found < 1)).all()
    for column in range(4):
        order = np.argsort(scores[:, column], kind="stable")
        assert (np.diff(found[order, column]) >= -1e-9).all()
    if method != "temperature":
        np.testing.assert_allclose(found.mean(axis=0), labels.mean(axis=0), rtol=0.03)


def test_platt_with_much_to_say_is_logistic_regression():
    scores, labels = _drawn(20000)
    maps = ProbabilityCalibrator("platt").fit(scores, labels).maps_
    for column in range(2):
        expected = LogisticRegression(C=np.inf).fit(_logits(scores)[:, [column]], labels[:, column])
        assert maps.offsets[column] == pytest.approx(expected.intercept_[0], abs=0.05)
        assert maps.slopes[column] == pytest.approx(expected.coef_[0, 0], abs=0.05)


def test_temperature_is_the_best_number():
    scores, labels = _drawn(2000)
    slope = ProbabilityCalibrator("temperature").fit(scores, labels).maps_.slopes[0]
    logits = _logits(scores)
    losses = [
        np.logaddexp(0, logits * one).sum() - (logits * one * labels).sum() for one in slope * np.r_[0.98, 1, 1.02]
    ]
    assert losses[1] == min(losses)


def test_isotonic_bends_where_a_line_cannot():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.01, 0.99, size=(20000, 1))
    truth = np.where(scores < 0.5, 0.1, 0.8)
    labels = (rng.uniform(size=scores.shape) < truth).astype(int)
    new = np.linspace(0.05, 0.95, 60)[:, None]
    expected = IsotonicRegression(out_of_bounds="clip").fit(scores[:, 0], labels[:, 0]).predict(new[:, 0])
    line, bent = (ProbabilityCalibrator(one).fit(scores, labels).transform(new)[:, 0] for one in ("platt", "auto"))
    assert np.abs(bent - expected).mean() < 0.6 * np.abs(line - expected).mean()


def test_few_positives_are_read_like_the_other_classes_and_none_too():
    scores, labels = _drawn(2000)
    labels[:, 3] = 0
    maps = ProbabilityCalibrator().fit(scores, labels).maps_
    others = maps.slopes[:3].mean()
    assert maps.slopes[3] == pytest.approx(others, abs=0.35)
    assert (maps.corrections[3] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_unknown_labels_and_weights_of_0_count_for_nothing(method):
    scores, labels = _drawn()
    expected = ProbabilityCalibrator(method).fit(scores, labels)
    more, hidden = np.concatenate([scores, 1 - scores]), np.concatenate([labels, np.full_like(labels, -1)])
    np.testing.assert_allclose(
        ProbabilityCalibrator(method).fit(more, hidden).transform(scores), expected.transform(scores)
    )
    weights = np.repeat([1, 0], len(scores))
    weighed = ProbabilityCalibrator(method).fit(more, np.concatenate([labels, labels]), weights)
    np.testing.assert_allclose(weighed.transform(scores), expected.transform(scores))
    assert expected.support_.tolist() == labels.sum(axis=0).tolist()


def test_copies_in_a_group_are_worth_one():
    scores, labels = _drawn(300)
    one = ProbabilityCalibrator().fit(scores, labels)
    copies = scores.repeat(5, axis=0), labels.repeat(5, axis=0)
    grouped = ProbabilityCalibrator("platt").fit(*copies, groups=np.repeat(np.arange(300), 5))
    assert grouped.design_effect_ == pytest.approx(5)
    np.testing.assert_allclose(
        grouped.transform(scores), ProbabilityCalibrator("platt").fit(scores, labels).transform(scores)
    )
    assert one.design_effect_ == 1


@pytest.mark.parametrize(("method", "from_logits"), [("auto", False), ("isotonic", True), ("temperature", False)])
def test_saved_and_loaded_and_as_a_layer(method, from_logits, tmp_path):
    scores, labels = _drawn(3000)
    scores[0, 0], scores[1, 0] = 0, 1
    scores = _logits(scores.clip(1e-6, 1 - 1e-6)).astype(np.float32) if from_logits else scores
    calibrator = ProbabilityCalibrator(method, from_logits=from_logits, class_names=list("abcd")).fit(scores, labels)
    expected = calibrator.transform(scores)
    calibrator.save(tmp_path / "calibrator.json")
    loaded = ProbabilityCalibrator.load(tmp_path / "calibrator.json")
    np.testing.assert_array_equal(loaded.transform(scores), expected)
    assert loaded.get_params() == calibrator.get_params()
    model = keras.Sequential([keras.Input((4,)), loaded.as_layer(name="probabilities")])
    model.save(tmp_path / "model.keras")
    found = keras.saving.load_model(tmp_path / "model.keras").predict(scores, verbose=0)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert keras.saving.get_registered_name(ProbabilityLayer) == "keras_hpa>ProbabilityLayer"


def test_layer_keeps_its_arguments_and_infers_its_shape():
    layer = ProbabilityLayer(
        [0.1, 0.2], [1.0, 0.5], [[0.0, 1.0], [0.0, 0.0]], [[0.1, 0.3], [0.0, 0.0]], from_logits=True
    )
    assert ProbabilityLayer.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer(keras.Input((5, 2))).shape == (None, 5, 2)
    assert layer.compute_output_shape((None, 5, 2)) == (None, 5, 2)
    found = ops.convert_to_numpy(layer(np.array([[0.5, 0.5], [9.0, 9.0]], np.float32)))
    expected = [[0.1 + 0.5 + 0.2, 0.2 + 0.25], [0.1 + 9 + 0.3, 0.2 + 4.5]]
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-np.array(expected))), rtol=1e-5)


@RUNTIMES
@pytest.mark.filterwarnings("ignore")  # the exporters' own
def test_an_exported_layer_gives_the_probabilities_of_the_calibrator(run, tmp_path):
    scores, labels = _drawn()
    calibrator = ProbabilityCalibrator("isotonic").fit(scores, labels)
    model = keras.Sequential([keras.Input((4,)), calibrator.as_layer()])
    np.testing.assert_allclose(run(model, scores, tmp_path), calibrator.transform(scores), atol=2e-5)


def test_scikit_learn_clones_it_and_puts_it_before_thresholds():
    scores, labels = _drawn()
    calibrator = clone(ProbabilityCalibrator("platt", class_names=("a", "b", "c", "d")))
    assert calibrator.method == "platt"
    pipeline = make_pipeline(calibrator, ThresholdCalibrator("max_f1")).fit(scores, labels)
    expected = ThresholdCalibrator("max_f1").fit(scores, labels).predict(scores)
    np.testing.assert_array_equal(pipeline.predict(scores), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "beta"}, r"`method` must be one of .* Received: 'beta'"),
        ({"method": None}, r"`method` must be one of .* Received: None"),
        ({"class_names": "abc"}, r"`class_names` must hold one name per class. Received: 'abc'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        ProbabilityCalibrator(**arguments)


@pytest.mark.parametrize("name", ["offsets", "slopes", "knots", "corrections"])
@pytest.mark.parametrize("value", [[], 1.0, ["high"], [[0.1], [np.nan]], [0.1, 0.2, 0.3]])
def test_wrong_arguments_of_the_layer(name, value):
    right = {"offsets": [0.0, 0.0], "slopes": [1.0, 1.0], "knots": [[0.0]] * 2, "corrections": [[0.0]] * 2}
    with pytest.raises(ValueError, match=r"must be .* Received: "):
        ProbabilityLayer(**right | {name: value})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"slopes": [1.0]}, "slopes"),
        ({"slopes": [-1.0] * 4}, "slopes"),
        ({"knots": [[1.0, 0.0]] * 4, "corrections": [[1.0, 0.0]] * 4}, "knots"),
        ({"knots": [[]] * 4}, "knots"),
        ({"offsets": []}, "offsets"),
        ({"offsets": [None] * 4}, "offsets"),
        ({"parameters": {"method": "beta", "class_names": None, "from_logits": False}}, "method"),
        ({"parameters": {"method": "auto", "class_names": ["a"], "from_logits": False}}, "class_names"),
        ({"version": 2}, "version"),
        ({"format": "other"}, "format"),
    ],
)
def test_a_damaged_file_is_refused(change, field, tmp_path):
    path = tmp_path / "calibrator.json"
    ProbabilityCalibrator().fit(*_drawn()).save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"calibrator.json.*{field}.*Received: "):
        ProbabilityCalibrator.load(path)
