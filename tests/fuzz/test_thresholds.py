"""Calibrators of every rule, their files and layers, and cross-fitting."""

import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from sklearn.metrics import fbeta_score

import keras_hpa
from keras_hpa import thresholds
from tests.fuzz.feed import feed, inputs
from tests.fuzz.odd_values import NUMBERS, OBJECTS, label_matrix, pick, spoiled

pytestmark = pytest.mark.filterwarnings('ignore:Under `rule="report"`')

_RULES = [
    *("auto", "calibrated", "fixed", "global", "max_f1", "prevalence", "report", "resampled_max_f1", "shrink"),
    thresholds.Auto(absent_classes="never", beta=2),
    thresholds.Calibrated(beta=0.5),
    thresholds.Fixed([0.2, math.inf]),
    thresholds.Global(beta=2),
    thresholds.MaxF1(beta=0.5, min_support=4),
    thresholds.Prevalence(shares=0.1),
    thresholds.Resampled(thresholds.Prevalence(), num_resamples=3),
    thresholds.ReportGrid(intercept=0),
    thresholds.Shrink(beta=2),
]


def _draw_scores(rng, labels, from_logits):
    """Scores of a network that has learned something, some equal, some at the ends, some out of all proportion."""
    scores = np.clip(0.3 * labels + rng.random(labels.shape), 0, 1)
    if rng.random() < 0.2:
        scores = scores.round(1)
    if from_logits:
        scores = (scores - 0.5) * pick(rng, [1, 20, 1e6, 1e200])
    if rng.random() < 0.2 and scores.size:
        scores.flat[rng.integers(scores.size)] = pick(rng, [0, 1, 1e-320, 1e-45] + from_logits * [1e9, -1e30, 1.7e308])
    return scores.astype(pick(rng, ["f8", "f8", "f4", "f2"])) if not from_logits else scores


def _calibrate(rng, folder):
    labels = label_matrix(rng)
    from_logits = bool(rng.integers(2))
    scores = spoiled(_draw_scores(rng, labels, from_logits), rng)
    rule = pick(rng, _RULES) if rng.random() < 0.95 else pick(rng, ["no rule", *OBJECTS])
    weights = spoiled(rng.uniform(0.1, 10, len(labels)), rng) if rng.random() < 0.3 else None
    names = list("abcdefg")[: labels.shape[1]] if rng.random() < 0.5 else None
    at_least_one = bool(rng.integers(2))
    calibrator = keras_hpa.ThresholdCalibrator(
        rule, from_logits=from_logits, at_least_one=at_least_one, class_names=names
    )
    given = spoiled(labels, rng)
    calibrator.fit(scores, given, weights)

    scores = np.ma.getdata(scores) if isinstance(scores, np.ma.MaskedArray) else np.asarray(scores)
    labels = np.ma.filled(given, -1) if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    scores, labels = scores.astype(scores.dtype if scores.dtype.kind == "f" else float), labels.astype(int)
    assert calibrator.thresholds_.shape == scores.shape[1:]
    assert not np.isnan(calibrator.thresholds_).any()
    np.testing.assert_array_equal(calibrator.support_, _support(labels, weights))
    _check_counts(calibrator, scores, labels, weights)
    if rule == "max_f1":
        _check_best(calibrator, labels, scores, weights)
    predicted = calibrator.predict(scores)
    assert predicted.shape == scores.shape
    assert predicted.dtype == np.uint8
    assert set(np.unique(predicted)) <= {0, 1}
    alone = _passed(scores, calibrator.thresholds_)
    if at_least_one and np.isfinite(calibrator.thresholds_).any():
        assert (predicted.sum(axis=1) == np.maximum(alone.sum(axis=1), 1)).all()
        assert (predicted >= alone).all()
    else:
        np.testing.assert_array_equal(predicted, alone)
    margins = calibrator.transform(scores)
    np.testing.assert_array_equal(margins >= 0, alone)
    calibrator.save(folder / "calibrator.json")
    loaded = keras_hpa.ThresholdCalibrator.load(folder / "calibrator.json")
    np.testing.assert_array_equal(loaded.predict(scores), predicted)
    np.testing.assert_array_equal(loaded.thresholds_, calibrator.thresholds_)
    assert loaded.get_params() == calibrator.get_params()
    assert len(calibrator.report(num_resamples=3).rows) == scores.shape[1]


def _passed(scores, values):
    """Where scores pass; those below the smallest normal number are 0, and so is what lies between it and 0."""
    tiny = np.finfo(scores.dtype).tiny
    scores = np.where(np.abs(scores) < tiny, 0, scores).astype(float)
    return scores >= np.where((values > 0) & (values < tiny), float(tiny), values)


def _support(labels, weights):
    counted = labels == 1 if weights is None else (labels == 1) & (np.asarray(weights, float) > 0)[:, None]
    return counted.sum(axis=0)


def _check_counts(calibrator, scores, labels, weights):
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, float)
    for column, threshold in enumerate(calibrator.thresholds_):
        known = labels[:, column] >= 0
        passed, present = scores[known, column].astype(float) >= threshold, labels[known, column] == 1
        counts = [
            (weights[known] * part).sum()
            for part in (passed & present, passed & ~present, ~passed & present, ~passed & ~present)
        ]
        np.testing.assert_allclose(calibrator.counts_[column], counts, rtol=1e-9, atol=1e-9 * weights.sum())
        if weights[known].sum() and (passed | present)[weights[known] > 0].any():
            beta = calibrator.beta_
            expected = fbeta_score(present, passed, beta=beta, sample_weight=weights[known], zero_division=0)
            assert calibrator.f_beta_[column] == pytest.approx(expected, abs=1e-6)
        else:
            assert np.isnan(calibrator.f_beta_[column])


def _check_best(calibrator, labels, scores, weights):
    """No other cut gives a class a better F1."""
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, float)
    for column in np.flatnonzero(calibrator.support_):
        known = labels[:, column] >= 0
        present = labels[known, column] == 1
        for cut in scores[known, column]:
            passed = scores[known, column] >= cut
            tp = (weights[known] * (passed & present)).sum()
            f1 = 2 * tp / ((weights[known] * passed).sum() + (weights[known] * present).sum())
            assert f1 <= calibrator.f_beta_[column] + 1e-9


def _cross_fit(rng):
    labels = label_matrix(rng)
    from_logits, at_least_one = bool(rng.integers(2)), bool(rng.integers(2))
    scores = _draw_scores(rng, labels, from_logits)
    rule = pick(rng, ["auto", "fixed", "global", "max_f1", "prevalence", "shrink", thresholds.MaxF1(beta=2), "x", 3])
    groups = pick(rng, [None, None, rng.integers(1 + len(labels) // 3, size=len(labels)), "ab", spoiled(labels, rng)])
    options = {"seed": pick(rng, [0, 1, 2**31, *([-1, None, 1.5] if rng.random() < 0.2 else [])])}
    options |= {"from_logits": from_logits, "at_least_one": at_least_one}
    zero_division = pick(rng, [0, 1, "nan", math.nan, 2 if rng.random() < 0.2 else 0])
    found = keras_hpa.cross_fit(rule, scores, labels, groups, zero_division=zero_division, **options)
    predicted = keras_hpa.cross_fit_predict(rule, scores, labels, groups, **options)
    assert predicted.shape == labels.shape
    assert set(np.unique(predicted)) <= {0, 1}
    zero_division = float(zero_division)
    values = []
    for label, column in zip(labels.T, predicted.T, strict=True):
        known = label >= 0
        is_defined = (label[known] | column[known]).any()
        beta = getattr(rule, "beta", 1)
        values.append(fbeta_score(label[known], column[known], beta=beta) if is_defined else zero_division)
    values = np.array(values)[~np.isnan(values)]
    assert found == pytest.approx(values.mean()) if len(values) else np.isnan(found)


def _make_rule(rng):
    kind = pick(rng, [thresholds.Auto, thresholds.Calibrated, thresholds.Fixed, thresholds.Global, thresholds.MaxF1])
    kind = pick(rng, [kind, thresholds.Prevalence, thresholds.Resampled, thresholds.ReportGrid, thresholds.Shrink])
    rule = kind(thresholds.MaxF1()) if kind is thresholds.Resampled else kind()
    name = pick(rng, list(rule.__dataclass_fields__))
    value = pick(rng, [*NUMBERS, *OBJECTS, 3, 5, [0.5, 0.2], [0.5], (0.1, None), "never"])
    changed = replace(rule, **{name: value})
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1], [0, 0]])
    scores = rng.random(labels.shape)
    calibrator = keras_hpa.ThresholdCalibrator(changed).fit(scores, labels)
    assert not np.isnan(calibrator.thresholds_).any()
    assert hash(changed) == hash(replace(changed))
    assert changed == replace(changed)


def _apply_layer(rng):
    values = [pick(rng, [0.5, 0.2, 0, 1, 1e-45, math.inf, None]) for _ in range(pick(rng, [1, 3, 3]))]
    if rng.random() < 0.3:
        values = pick(rng, [[*values, pick(rng, [*NUMBERS, *OBJECTS])], 0.5, [], None, [values], "ab"])
    at_least_one = bool(rng.integers(2))
    layer = keras_hpa.ThresholdLayer(values, at_least_one=at_least_one)
    scores = rng.random((4, pick(rng, [1, 3, 3, len(values)]))).astype("f4")
    labels = keras.ops.convert_to_numpy(layer(scores))
    cuts = np.array([math.inf if one is None else one for one in values], float)
    alone = _passed(scores, np.array([float(one) for one in thresholds_of(cuts)]))
    assert labels.dtype == np.uint8
    assert (labels >= alone).all()
    if not at_least_one or np.isposinf(cuts).all():
        np.testing.assert_array_equal(labels, alone)
    else:
        assert (labels.sum(axis=1) == np.maximum(alone.sum(axis=1), 1)).all()
    again = keras_hpa.ThresholdLayer.from_config(layer.get_config())
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(again(scores)), labels)


def thresholds_of(cuts):
    return [one if one <= 3.4e38 else math.inf for one in cuts]


@inputs(24_000)
def test_a_calibrator_is_fitted_rightly_or_refuses(number, tmp_path):
    feed(_calibrate, number, tmp_path)


@inputs(8_000)
def test_cross_fitting_is_right_or_refused(number):
    feed(_cross_fit, number)


@inputs(4_000)
def test_a_rule_is_made_rightly_or_refused(number):
    feed(_make_rule, number)


@inputs(4_000)
def test_a_layer_of_thresholds_is_right_or_refused(number):
    feed(_apply_layer, number)
