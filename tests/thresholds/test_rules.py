import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, fbeta_score

from keras_hpa import ThresholdCalibrator
from keras_hpa.thresholds import (
    Auto,
    ClassScores,
    MaxF1,
    Prevalence,
    Resampled,
)
from keras_hpa.thresholds.rule_names import RULES
from tests.thresholds.drawn import draw_network

_FITTED_RULES = [name for name in RULES if name not in ("fixed", "report")]


def _best_by_brute_force(scores, labels, beta=1.0, weights=None):
    """The best F-beta over every cut that tells scores apart."""
    return max(
        fbeta_score(labels, scores >= cut, beta=beta, sample_weight=weights, zero_division=0.0)
        for cut in np.unique(scores)
    )


_SMALL = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        arrays(np.float64, n, elements=st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0])),
        arrays(np.int8, n, elements=st.integers(0, 1)),
        arrays(np.float64, n, elements=st.sampled_from([0.5, 1.0, 3.0])),
    )
)


@given(_SMALL, st.sampled_from([0.5, 1.0, 2.0]), st.booleans(), st.sampled_from(["float32", "float64"]))
@settings(max_examples=60, deadline=None)
def test_max_f1_is_never_less_than_brute_force(data, beta, weighted, dtype):
    scores, labels, weights = data
    weights = weights if weighted else None
    calibrator = ThresholdCalibrator(MaxF1(beta))
    calibrator.fit(scores[:, None].astype(dtype), labels[:, None], weights)
    if not labels.any():
        assert calibrator.thresholds_[0] == np.inf
        return
    assert calibrator.f_beta_[0] == pytest.approx(_best_by_brute_force(scores, labels, beta, weights))
    predicted = calibrator.predict(scores[:, None].astype(dtype))[:, 0]
    assert fbeta_score(labels, predicted, beta=beta, sample_weight=weights) == pytest.approx(calibrator.f_beta_[0])


def test_max_f1_tells_neighbouring_floats_apart():
    below = np.float64(0.3)
    scores = np.array([[below], [np.nextafter(below, 1)]])
    calibrator = ThresholdCalibrator("max_f1").fit(scores, [[0], [1]])
    np.testing.assert_array_equal(calibrator.predict(scores), [[0], [1]])


def test_global_is_the_best_single_threshold():
    scores, labels = draw_network(num_samples=60)
    found = ThresholdCalibrator("global").fit(scores, labels)
    assert len(np.unique(found.thresholds_)) == 1
    best = max(f1_score(labels, scores >= cut, average="macro", zero_division=0.0) for cut in np.unique(scores))
    assert f1_score(labels, found.predict(scores), average="macro") == pytest.approx(best)


def test_prevalence_predicts_as_many_as_there_are():
    scores, labels = draw_network()
    predicted = ThresholdCalibrator("prevalence").fit(scores, labels).predict(scores)
    np.testing.assert_array_equal(predicted.sum(axis=0), labels.sum(axis=0))
    given_shares = [0.5, 0.25, 0.1, 0.1, 0.1, 0.01]
    predicted = ThresholdCalibrator(Prevalence(given_shares)).fit(scores, labels).predict(scores)
    np.testing.assert_allclose(predicted.mean(axis=0), given_shares, atol=1 / len(scores))


@given(_SMALL)
@settings(max_examples=60, deadline=None)
def test_prevalence_comes_as_near_as_ties_allow(data):
    scores, labels, weights = data
    one = ClassScores(scores, labels == 1, weights)
    possible = np.array([weights[scores >= cut].sum() for cut in np.unique(scores)])
    wanted = weights[labels == 1].sum()
    cut = one.cut_predicting(wanted)
    assert abs(weights[scores >= cut].sum() - wanted) == pytest.approx(np.abs(possible - wanted).min())


def test_shrink_lies_between_its_two_parts():
    scores, labels = draw_network()
    own, common, drawn = (
        ThresholdCalibrator(rule).fit(scores, labels).thresholds_ for rule in ("max_f1", "global", "shrink")
    )
    assert ((drawn >= np.minimum(own, common)) & (drawn <= np.maximum(own, common))).all()
    trust = labels.sum(axis=0) / (labels.sum(axis=0) + 10)
    logit = [np.log(t / (1 - t)) for t in (own, common, drawn)]
    np.testing.assert_allclose(logit[2], trust * logit[0] + (1 - trust) * logit[1])


def test_calibrated_finds_the_best_threshold_of_calibrated_scores():
    """For p calibrated and uniform, F1 at t is (1 - t^2) / (1.5 - t), which is largest at (3 - sqrt 5) / 2."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(size=(200_000, 2))
    labels = (rng.uniform(size=scores.shape) < scores).astype(np.int8)
    found = ThresholdCalibrator("calibrated").fit(scores, labels).thresholds_
    np.testing.assert_allclose(found, (3 - np.sqrt(5)) / 2, atol=0.02)


@pytest.mark.parametrize("rule", ["auto", "calibrated", "resampled_max_f1", "max_f1"])
def test_rules_agree_where_data_abound(rule):
    rng = np.random.default_rng(1)
    scores = rng.uniform(size=(100_000, 3))
    labels = (rng.uniform(size=scores.shape) < scores).astype(np.int8)
    found = ThresholdCalibrator(rule).fit(scores, labels).thresholds_
    np.testing.assert_allclose(found, (3 - np.sqrt(5)) / 2, atol=0.04)


@pytest.mark.parametrize("seed", range(3))
def test_auto_loses_less_than_max_f1_on_new_samples(seed):
    scores, labels = draw_network(num_samples=20_100, num_classes=12, seed=seed)
    held_out = {}
    for rule in ("auto", "max_f1"):
        predicted = ThresholdCalibrator(rule).fit(scores[:100], labels[:100]).predict(scores[100:])
        held_out[rule] = f1_score(labels[100:], predicted, average="macro")
    assert held_out["auto"] > held_out["max_f1"]


def test_auto_takes_the_best_alone_where_calibration_misleads():
    """Negatives above all positives: no line can say so, and as many predictions as positives are all wrong."""
    rng = np.random.default_rng(0)
    labels = np.zeros((4000, 5), np.int8)
    labels[:800] = 1
    scores = np.where(labels == 1, rng.uniform(0.4, 0.6, labels.shape), rng.uniform(0.0, 0.4, labels.shape))
    scores[-800:] = rng.uniform(0.9, 1.0, (800, 5))
    auto, alone = (ThresholdCalibrator(rule).fit(scores, labels) for rule in ("auto", "resampled_max_f1"))
    np.testing.assert_array_equal(auto.thresholds_, alone.thresholds_)
    assert (auto.f_beta_ > 0.6).all()


@pytest.mark.parametrize("rule", [*_FITTED_RULES, "report"])
def test_logits_and_probabilities_give_the_same_labels(rule):
    probabilities, labels = draw_network()
    probabilities = probabilities.astype(np.float64)
    logits = np.log(probabilities) - np.log1p(-probabilities)
    first = ThresholdCalibrator(rule).fit(probabilities, labels)
    second = ThresholdCalibrator(rule, from_logits=True).fit(logits, labels)
    # Half-way between two scores is another place on each scale; no more than a score or two may fall between.
    assert (first.predict(probabilities) != second.predict(logits)).mean() < 0.002


@pytest.mark.parametrize("rule", RULES)
def test_equal_weights_change_nothing(rule):
    scores, labels = draw_network()
    plain = ThresholdCalibrator(rule).fit(scores, labels)
    weighted = ThresholdCalibrator(rule).fit(scores, labels, np.full(len(scores), 2.0))
    np.testing.assert_allclose(weighted.thresholds_, plain.thresholds_)
    np.testing.assert_array_equal(weighted.support_, plain.support_)


@pytest.mark.parametrize("rule", RULES)
def test_samples_without_weight_count_for_nothing(rule):
    scores, labels = draw_network()
    weights = np.ones(len(scores))
    weights[::3] = 0
    kept = weights > 0
    np.testing.assert_allclose(
        ThresholdCalibrator(rule).fit(scores, labels, weights).thresholds_,
        ThresholdCalibrator(rule).fit(scores[kept], labels[kept]).thresholds_,
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        ([[0.3]], [[1]]),
        ([[0.3]], [[0]]),
        ([[0.3]], [[-1]]),
        ([[0.5]] * 4, [[0], [1], [0], [1]]),
        ([[0.2], [0.7]], [[1], [1]]),
        ([[0.0], [1.0]], [[0], [1]]),
        ([[1.0], [0.0]], [[0], [1]]),
        ([[0.1, 0.2], [0.2, 0.3]], [[0, -1], [0, -1]]),
    ],
)
@pytest.mark.filterwarnings('ignore:Under `rule="report"`:UserWarning')
def test_extreme_data_have_defined_results(rule, dtype, scores, labels):
    scores, labels = np.array(scores, dtype), np.array(labels)
    calibrator = ThresholdCalibrator(rule).fit(scores, labels)
    assert not np.isnan(calibrator.thresholds_).any()
    predicted = calibrator.predict(scores)
    if rule not in ("fixed", "report"):
        absent = (labels != 1).all(axis=0)
        assert not predicted[:, absent].any()
        assert np.isfinite(calibrator.thresholds_[~absent]).all()


@pytest.mark.parametrize("rule", ["max_f1", "prevalence", "global"])
def test_class_of_positives_only_is_always_predicted(rule):
    scores = np.array([[0.2], [0.7], [0.9]])
    assert ThresholdCalibrator(rule).fit(scores, np.ones((3, 1))).predict(scores).all()


def test_rare_classes_can_take_the_global_threshold():
    scores, labels = draw_network()
    common = ThresholdCalibrator("global").fit(scores, labels).thresholds_[0]
    calibrator = ThresholdCalibrator(MaxF1(min_support=labels[:, 1].sum() + 1)).fit(scores, labels)
    np.testing.assert_array_equal(calibrator.thresholds_[:2], common)
    assert (calibrator.thresholds_[2:] != common).all()
    assert "global threshold" in calibrator.flags_[0]


def test_absent_class_can_be_predicted_above_all_that_was_seen():
    scores, labels = draw_network()
    labels[:, 3] = 0
    calibrator = ThresholdCalibrator(Auto(absent_classes="highest_score")).fit(scores, labels)
    assert calibrator.thresholds_[3] == np.nextafter(scores[:, 3].max(), np.inf, dtype=np.float64)
    assert not calibrator.predict(scores)[:, 3].any()
    assert calibrator.predict(scores + 1e-6)[:, 3].sum() == 1
    assert calibrator.flags_[3] == ("no positives",)


@pytest.mark.parametrize("rule", _FITTED_RULES)
def test_absent_class_is_guessed_by_auto_alone(rule):
    scores, labels = draw_network()
    labels[:, 3] = 0
    found = ThresholdCalibrator(rule).fit(scores, labels)
    assert np.isfinite(found.thresholds_[3]) == (rule == "auto")
    if rule == "auto":
        never = ThresholdCalibrator(Auto(absent_classes="never")).fit(scores, labels)
        np.testing.assert_array_equal(never.thresholds_[3], np.inf)
        np.testing.assert_array_equal(np.delete(found.thresholds_, 3), np.delete(never.thresholds_, 3))


def test_resampled_prevalence_keeps_the_shares_that_were_given():
    scores, labels = draw_network(num_samples=3000)
    labels[:, 2] = 0
    shares = [0.5, 0.25, 0.1, 0.1, 0.1, 0.01]
    predicted = ThresholdCalibrator(Resampled(Prevalence(shares))).fit(scores, labels).predict(scores)
    np.testing.assert_allclose(predicted.mean(axis=0), np.where(np.arange(6) == 2, 0, shares), atol=0.01)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("outlier", [1e3, 1e6, 1.7e308, -1e6, -1.7e308])
def test_one_logit_far_away_changes_little(rule, outlier):
    """As little as the same sample would with a score just beyond the others."""
    if rule == "fixed":
        pytest.skip("does not look at scores")
    probabilities, labels = draw_network(num_samples=3000)
    logits = np.log(probabilities) - np.log1p(-probabilities.astype(np.float64))
    labels[0] = 0
    near, far = logits.copy(), logits.copy()
    near[0] = logits.max(axis=0) + 0.01 if outlier > 0 else logits.min(axis=0) - 0.01
    far[0] = outlier
    first, second = (ThresholdCalibrator(rule, from_logits=True).fit(each, labels) for each in (near, far))
    f1 = [f1_score(labels, one.predict(near), average="macro") for one in (first, second)]
    assert f1[1] == pytest.approx(f1[0], abs=0.005)


@pytest.mark.parametrize("rule", ["auto", "resampled_max_f1", "resampled_prevalence"])
def test_uneven_weights_have_thresholds(rule):
    """Sums of weights are rounded, and what is left of their differences may be less than nothing."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores, labels = draw_network(num_samples=150, seed=seed)
        calibrator = ThresholdCalibrator(rule).fit(scores, labels, rng.uniform(0.1, 10, 150))
        assert np.isfinite(calibrator.thresholds_[labels.any(axis=0)]).all()
        assert (calibrator.counts_ >= 0).all()
        calibrator.report(num_resamples=2)
