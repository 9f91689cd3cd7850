"""Metrics and losses: against scikit-learn and plain NumPy, and with what they are not made for."""

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score

import keras_hpa
from keras_hpa.f_beta import f_beta, f_beta_per_class
from tests.fuzz.feed import feed, inputs
from tests.fuzz.odd_values import NUMBERS, OBJECTS, label_matrix, pick, spoiled_numbers

_SHAPES = [(1, 1), (2, 3), (6, 3), (3, 3), (16, 5), (16, 5)]  # few, as JAX compiles for each


def _draw(rng, from_logits=False):
    labels = label_matrix(rng, pick(rng, _SHAPES))
    scores = rng.random(labels.shape).astype("f4")
    return labels, (scores - np.float32(0.5)) * np.float32(pick(rng, [1, 30])) if from_logits else scores


def _weights(rng, shape):
    kind = rng.integers(5)
    if kind > 1:
        return None, np.ones(shape)
    weights = rng.uniform(0, 3, size=shape if kind else shape[0]).astype("f4")
    return weights, np.broadcast_to(weights if kind else weights[:, None], shape)


def _measure_macro_f1(rng):
    from_logits, average = bool(rng.integers(2)), pick(rng, ["macro", "micro", "weighted"])
    labels, scores = _draw(rng, from_logits)
    threshold = pick(rng, [0.5, 0.5, 0, 1, [0.4] * labels.shape[1], math.inf])
    zero_division = pick(rng, [0, 1, math.nan, "nan"])
    if rng.random() < 0.2:
        threshold = pick(rng, [*NUMBERS, *OBJECTS, [0.5, 0.5]])
    if rng.random() < 0.1:
        zero_division = pick(rng, [*NUMBERS, *OBJECTS])
    options = {"num_classes": pick(rng, [None, None, 3, 0, 1.5, "3"])} if rng.random() < 0.3 else {}
    metric = keras_hpa.MacroF1(
        threshold=threshold, zero_division=zero_division, average=average, from_logits=from_logits, **options
    )
    given, weights = _weights(rng, labels.shape)
    odd_labels = spoiled_numbers(labels, rng) if rng.random() < 0.3 else labels
    odd_scores = spoiled_numbers(scores, rng) if rng.random() < 0.2 else scores
    if odd_labels is not labels or odd_scores is not scores:
        metric.update_state(odd_labels, odd_scores, given)
        found = float(metric.result())
        assert np.isnan(found) or 0 <= found <= 1 + 1e-6
        return
    half = len(labels) // 2
    for rows in (slice(0, half), slice(half, None)) if half else (slice(None),):
        metric.update_state(labels[rows], scores[rows], None if given is None else given[rows])
    found = float(metric.result())

    cuts = np.broadcast_to(np.asarray(threshold, float), labels.shape[1])
    if from_logits:
        with np.errstate(divide="ignore", invalid="ignore"):
            cuts = np.where(cuts > 1, math.inf, np.where(cuts <= 0, -math.inf, np.log(cuts) - np.log1p(-cuts)))
        if (np.abs(scores - cuts) < 1e-5).any():
            return  # the sigmoid is rounded
        if np.isposinf(cuts).any():
            return  # a sigmoid of 1 in float32
    predicted, known = scores >= cuts, labels >= 0
    weights = weights * known
    tp, all_predicted, present = (
        (weights * part).sum(axis=0) for part in (predicted & (labels == 1), predicted, labels == 1)
    )
    if average == "micro":
        tp, all_predicted, present = tp.sum(), all_predicted.sum(), present.sum()
    values = np.atleast_1d(f_beta(tp, all_predicted, present, zero_division=float(zero_division)))
    shares = present if average == "weighted" else np.ones(len(values))
    is_defined = ~np.isnan(values)
    shares = np.where(is_defined, shares, 0)
    shares = shares if shares.sum() else is_defined.astype(float)
    if not shares.sum():
        assert np.isnan(found)
        return
    assert found == pytest.approx((shares * np.nan_to_num(values)).sum() / shares.sum(), abs=1e-5)
    if given is None and average == "macro" and known.all() and float(zero_division) in (0, 1):
        expected = f1_score(labels, predicted, average="macro", zero_division=int(float(zero_division)))
        if labels.shape[1] > 1:
            assert found == pytest.approx(expected, abs=1e-5)
    per_class = f_beta_per_class(labels, predicted, zero_division=float(zero_division))
    assert per_class.shape == (labels.shape[1],)


def _measure_batch_macro_f1(rng):
    labels, scores = _draw(rng)
    given, weights = _weights(rng, labels.shape)
    odd_labels = spoiled_numbers(labels, rng) if rng.random() < 0.4 else labels
    metric = keras_hpa.BatchMacroF1()
    metric.update_state(odd_labels, scores, given)
    found = float(metric.result())
    if odd_labels is not labels:
        return
    weights = weights * (labels >= 0)
    tp = (weights * (labels == 1) * scores).sum(axis=0)
    precision, recall = (
        tp / ((weights * scores).sum(axis=0) + 1e-7),
        tp / ((weights * (labels == 1)).sum(axis=0) + 1e-7),
    )
    assert found == pytest.approx((2 * precision * recall / (precision + recall + 1e-7)).mean(), abs=1e-4)


def _compute_loss(rng):
    from_logits = bool(rng.integers(2))
    labels, scores = _draw(rng, from_logits)
    smoothing = pick(rng, [0, 0, 0.1])
    options = {"from_logits": from_logits, "label_smoothing": smoothing}
    odd = pick(rng, [*NUMBERS, *OBJECTS]) if rng.random() < 0.15 else None
    name = pick(rng, ["label_smoothing", "own"])
    if odd is not None and name == "label_smoothing":
        options["label_smoothing"] = odd
    own = odd is not None and name == "own"
    counts = pick(rng, [[10] * labels.shape[1], [0] * labels.shape[1], np.arange(labels.shape[1])])
    loss = [
        lambda: keras_hpa.BinaryCrossentropy(**options),
        lambda: keras_hpa.MacroF1Loss(*([odd] if own else []), **options),
        lambda: keras_hpa.SymmetricLovaszHinge(**options),
        lambda: keras_hpa.AsymmetricLoss(**(own and {"gamma_negative": odd}) or {}, **options),
        lambda: keras_hpa.AsymmetricLoss(**{"margin": odd if own else 0, "gamma_positive": 0, **options}),
        lambda: keras_hpa.ClassBalancedCrossentropy(odd if own else counts, **options),
        lambda: keras_hpa.ClassBalancedFocalCrossentropy(counts, **(own and {"gamma": odd}) or {}, **options),
        lambda: keras_hpa.WeightedSumLoss([keras_hpa.MacroF1Loss(**options)], [odd if own else 2.0]),
    ][kind := rng.integers(8)]()
    given, weights = _weights(rng, labels.shape)
    odd_labels = spoiled_numbers(labels, rng) if rng.random() < 0.3 else labels
    found = np.asarray(loss(odd_labels, scores, given))
    assert found.shape == ()
    if odd_labels is not labels:
        return
    assert np.isfinite(found) or odd is not None, f"{loss.name} of {options}"
    assert found >= -1e-6 or odd is not None
    changed = np.where(labels < 0, rng.random(labels.shape).astype("f4"), scores)
    assert float(loss(labels, changed, given)) == pytest.approx(float(found), abs=1e-6), "unknown labels count"
    again = type(loss).from_config(loss.get_config())
    assert float(again(labels, scores, given)) == float(found)
    if odd is None:
        _check_value(kind, found, labels, scores.astype(float), weights, smoothing, from_logits)


def _check_value(kind, found, labels, scores, weights, smoothing, from_logits):
    known = labels >= 0
    weights = weights * known
    targets = np.where(known, labels, 0) * (1 - smoothing) + smoothing / 2
    probabilities = 1 / (1 + np.exp(-scores)) if from_logits else scores
    if kind in (0, 4):  # the focal loss without a focus is cross-entropy
        clipped = scores if from_logits else np.log(np.clip(scores, 1e-7, 1 - 1e-7) / (1 - np.clip(scores, 1e-7, 1)))
        values = weights * (targets * np.logaddexp(0, -clipped) + (1 - targets) * np.logaddexp(0, clipped))
        if kind == 4:
            return  # its exponent for absent labels is 4
        expected = values.sum() / known.sum() if known.any() else 0
    elif kind in (1, 7):
        tp, both = (weights * targets * probabilities).sum(axis=0), (weights * (targets + probabilities)).sum(axis=0)
        is_known = known.any(axis=0)
        expected = (1 - (2 * tp + 1) / (both + 1))[is_known].mean() if is_known.any() else 0
        expected *= 2 if kind == 7 else 1
    else:
        return
    assert float(found) == pytest.approx(expected, abs=1e-4, rel=1e-4)


@inputs(8_000)
def test_macro_f1_is_right_or_refused(number):
    feed(_measure_macro_f1, number)


@inputs(2_000)
def test_macro_f1_of_a_batch_is_right_or_refused(number):
    feed(_measure_batch_macro_f1, number)


@inputs(4_000)
def test_a_loss_is_right_or_refused(number):
    feed(_compute_loss, number)
