"""Scores far away, weights that do not add up exactly, and thresholds next to 0."""

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_hpa import MacroF1, ThresholdCalibrator, ThresholdLayer
from keras_hpa.thresholds import Prevalence, Resampled

_RULES = ["auto", "max_f1", "prevalence", "shrink", "global", "calibrated", "resampled_max_f1", "report"]


def _logits(num_samples=3_000, num_classes=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, num_classes)) < np.linspace(0.02, 0.3, num_classes)).astype(int)
    return rng.normal(-3 + 2.5 * labels, 1.2), labels


@pytest.mark.parametrize("outlier", [1e3, 1e6, 1e100, 1.7e308, -1e3, -1e6, -1.7e308])
@pytest.mark.parametrize("where", ["one", "a row", "both ends"])
def test_outliers_among_logits_hardly_move_auto(outlier, where):
    logits, labels = _logits()
    expected = ThresholdCalibrator(from_logits=True).fit(logits, labels)
    far = logits.copy()
    far[0, 0 if where == "one" else slice(None)] = outlier
    if where == "both ends":
        far[1] = -outlier
    calibrator = ThresholdCalibrator(from_logits=True).fit(far, labels)
    assert np.isfinite(calibrator.thresholds_).all()
    f1 = [f1_score(labels, one.predict(logits), average="macro") for one in (expected, calibrator)]
    assert f1[1] == pytest.approx(f1[0], abs=0.01)


@pytest.mark.parametrize("rule", _RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_largest_logits_have_thresholds(rule, dtype):
    logits, labels = _logits(300)
    logits = logits.astype(dtype)
    logits[0], logits[1] = np.finfo(dtype).max, np.finfo(dtype).min
    calibrator = ThresholdCalibrator(rule, from_logits=True).fit(logits, labels)
    assert not np.isnan(calibrator.thresholds_).any()
    assert not np.isnan(calibrator.transform(logits)).any()


def test_clusters_far_apart_are_told_apart():
    logits = np.concatenate([np.full((50, 1), -1e4), np.full((50, 1), 1e4)])
    labels = np.repeat([[0], [1]], 50, axis=0)
    calibrator = ThresholdCalibrator(from_logits=True).fit(logits, labels)
    np.testing.assert_array_equal(calibrator.predict(logits), labels)


def test_weights_of_300_seeds():
    for seed in range(300):
        rng = np.random.default_rng(seed)
        labels = (rng.uniform(size=(150, 3)) < 0.15).astype(int)
        scores = np.clip(rng.normal(0.3 + 0.2 * labels, 0.15), 0, 1)
        calibrator = ThresholdCalibrator().fit(scores, labels, rng.uniform(0.1, 10, 150))
        assert not np.isnan(calibrator.thresholds_).any()
        assert (calibrator.counts_ >= 0).all()


@pytest.mark.parametrize("rule", [*_RULES[:-1], Resampled(Prevalence(), num_resamples=5)], ids=str)
@pytest.mark.parametrize(
    "weigh",
    [
        lambda rng: rng.uniform(0.1, 10, 150),
        lambda rng: rng.lognormal(0, 4, 150),
        lambda rng: rng.choice([1e-12, 1.0, 1e12], 150),
        lambda rng: rng.integers(0, 3, 150) / 3,
        lambda rng: np.full(150, 0.1),
    ],
    ids=["uniform", "lognormal", "24 orders", "thirds", "tenths"],
)
def test_uneven_weights_have_thresholds_and_no_negative_counts(rule, weigh):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        labels = (rng.uniform(size=(150, 3)) < 0.15).astype(int)
        scores = np.clip(rng.normal(0.3 + 0.2 * labels, 0.15), 0, 1)
        calibrator = ThresholdCalibrator(rule).fit(scores, labels, weigh(rng))
        assert not np.isnan(calibrator.thresholds_).any()
        assert (calibrator.counts_ >= 0).all()


def test_weights_are_repetitions():
    logits, labels = _logits(150)
    scores, weights = 1 / (1 + np.exp(-logits)), np.random.default_rng(1).integers(1, 4, 150)
    for rule in ("max_f1", "prevalence", "global"):
        weighted = ThresholdCalibrator(rule).fit(scores, labels, weights)
        repeated = ThresholdCalibrator(rule).fit(np.repeat(scores, weights, 0), np.repeat(labels, weights, 0))
        np.testing.assert_allclose(weighted.thresholds_, repeated.thresholds_)


_TINY = [0.0, 5e-324, 1e-310, 1e-45, 1e-40, 1.1754942e-38, 1.17549435e-38, 2e-38]


def _in_a_model(layer, scores):
    return keras.Sequential([keras.Input(scores.shape[1:]), layer]).predict(scores, verbose=0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_an_absent_class_of_zeros_is_predicted_nowhere(dtype):
    scores = np.zeros((6, 3), dtype)
    scores[:, 1], scores[:, 2] = np.linspace(0.1, 0.9, 6), np.linspace(0, 1e-7, 6)
    labels = np.zeros((6, 3), int)
    labels[3:, 1] = 1
    calibrator = ThresholdCalibrator().fit(scores, labels)
    assert not calibrator.predict(scores)[:, 0].any()
    np.testing.assert_array_equal(_in_a_model(calibrator.as_layer(), scores.astype("float32"))[:, 0], np.zeros(6))


@pytest.mark.parametrize("at_least_one", [False, True])
@pytest.mark.parametrize("from_logits", [False, True])
def test_thresholds_next_to_0_mean_the_same_in_a_model(at_least_one, from_logits):
    scores = np.float32([_TINY, *np.eye(len(_TINY)) * 2e-38, np.zeros(len(_TINY)), np.full(len(_TINY), 0.5)])
    calibrator = ThresholdCalibrator("max_f1", at_least_one=at_least_one, from_logits=from_logits)
    calibrator.fit(scores, np.arange(scores.size).reshape(scores.shape) % 2)
    calibrator.thresholds_ = np.array(_TINY)
    np.testing.assert_array_equal(_in_a_model(calibrator.as_layer(), scores), calibrator.predict(scores))


@pytest.mark.parametrize("threshold", _TINY)
def test_the_metric_and_the_layer_agree_about_thresholds_next_to_0(threshold):
    scores = np.float32([[0.0], [1e-45], [1e-40], [1.17549435e-38], [2e-38], [0.1]])
    predicted = keras.ops.convert_to_numpy(ThresholdLayer([threshold])(scores))
    metric = MacroF1(threshold, zero_division=0)
    metric.update_state(predicted, scores)
    assert float(metric.result()) == (1.0 if predicted.any() else 0.0)
