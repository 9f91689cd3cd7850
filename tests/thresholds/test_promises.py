"""Rules that promise; whether they keep it is in tests/evaluation/test_simulations.py."""

import numpy as np
import pytest
from scipy.stats import binom

from keras_hpa import ThresholdCalibrator
from keras_hpa.thresholds import Precision, Promises, Recall, effective_size


def _perfect(num_positives, num_negatives=100):
    scores = np.concatenate([np.linspace(0.6, 0.9, num_positives), np.linspace(0.1, 0.4, num_negatives)])
    return scores[:, None], (scores > 0.5).astype(int)[:, None]


@pytest.mark.parametrize("rule", [Precision(at_least=0.9), Recall(at_least=0.9)], ids=["precision", "recall"])
def test_29_positives_are_the_fewest(rule):
    enough = ThresholdCalibrator(rule).fit(*_perfect(29))
    assert enough.flags_ == [()]
    assert enough.predict(_perfect(29)[0]).sum() == 29
    few = ThresholdCalibrator(rule).fit(*_perfect(28))
    assert few.flags_ == [("promise impossible",)]
    assert few.thresholds_[0] == (np.inf if isinstance(rule, Precision) else 0)


def test_recall_is_the_tolerance_limit_of_wilks():
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(500, 1)) < 0.4).astype(int)
    scores = np.clip(0.4 * labels + rng.uniform(0, 0.6, labels.shape), 0, 1)
    calibrator = ThresholdCalibrator(Recall(at_least=0.8, confidence=0.9)).fit(scores, labels)
    positives = scores[labels == 1]
    missed = (positives < calibrator.thresholds_[0]).sum()
    assert binom.cdf(missed, len(positives), 0.2) <= 0.1 < binom.cdf(missed + 1, len(positives), 0.2)


def test_precision_passes_the_exact_test_where_it_is_promised():
    rng = np.random.default_rng(1)
    labels = (rng.uniform(size=(2000, 1)) < 0.3).astype(int)
    scores = 1 / (1 + np.exp(-(rng.normal(size=labels.shape) + 2.5 * labels - 2)))
    calibrator = ThresholdCalibrator(Precision(at_least=0.8)).fit(scores, labels)
    called = scores[:, 0] >= calibrator.thresholds_[0]
    assert called.sum() > 100
    assert binom.sf(labels[called].sum() - 1, called.sum(), 0.8) <= 0.05


def test_a_class_that_scores_do_not_separate_is_out_of_reach():
    labels = np.tile([[0], [1]], (200, 1))
    scores = np.random.default_rng(0).uniform(size=labels.shape)
    calibrator = ThresholdCalibrator(Precision(at_least=0.9)).fit(scores, labels)
    assert calibrator.flags_ == [("promise out of reach",)]
    assert not calibrator.predict(scores).any()


@pytest.mark.parametrize("rule", [Precision(at_least=0.9), Recall(at_least=0.9)], ids=["precision", "recall"])
def test_copies_in_a_group_count_as_one(rule):
    scores, labels = _perfect(20)
    copies = scores.repeat(5, axis=0), labels.repeat(5, axis=0)
    groups = np.repeat(np.arange(120), 5)
    assert ThresholdCalibrator(rule).fit(*copies).flags_ == [()]
    assert ThresholdCalibrator(rule).fit(*copies, groups=groups).flags_ == [("promise out of reach",)]
    scores, labels = _perfect(40)
    copies = scores.repeat(5, axis=0), labels.repeat(5, axis=0)
    assert ThresholdCalibrator(rule).fit(*copies, groups=np.repeat(np.arange(140), 5)).flags_ == [()]


def test_effective_size_of_copies_and_of_independent_rows():
    """Copies are worth their groups; groups of one, where many differ, nearly their number."""
    parts = (np.arange(200) % 2).astype(float)
    of_copies = effective_size(5 * parts, np.full(200, 5.0), 0.975)
    of_rows = effective_size(parts, np.ones(200), 0.975)
    assert 190 < of_copies <= 200
    assert 190 < of_rows <= 200
    assert effective_size(np.zeros(0), np.zeros(0), 0.975) == 0


@pytest.mark.parametrize("rule", [Precision(at_least=0.75, confidence=0.9), Recall(at_least=0.75)], ids=["p", "r"])
def test_saved_and_loaded(rule, tmp_path):
    calibrator = ThresholdCalibrator(rule).fit(*_perfect(40))
    calibrator.save(tmp_path / "calibrator.json")
    loaded = ThresholdCalibrator.load(tmp_path / "calibrator.json")
    assert loaded.rule == rule
    assert loaded.thresholds_.tolist() == calibrator.thresholds_.tolist()


@pytest.mark.parametrize("rule", [Precision, Recall])
def test_wrong_options(rule):
    for options in ({"at_least": 1}, {"at_least": True}, {"confidence": 0}, {"confidence": "high"}):
        name = next(iter(options))
        with pytest.raises(ValueError, match=f"`{name}` must lie between 0 and 1. Received: "):
            rule(**options)
    scores, labels = _perfect(40)
    with pytest.raises(ValueError, match=r"`sample_weight` must not be given .* Received: weights that differ"):
        ThresholdCalibrator(rule()).fit(scores, labels, np.arange(1, 141))
    with pytest.raises(ValueError, match=r"`groups` must have one entry per sample, 140\. Received: 1"):
        ThresholdCalibrator(rule()).fit(scores, labels, groups=[1])


def test_unknown_labels_and_their_groups_count_for_nothing():
    scores, labels = _perfect(40)
    hidden = np.concatenate([scores, np.full((50, 1), 0.95)]), np.concatenate([labels, np.full((50, 1), -1)])
    groups = np.arange(190)
    for rule in (Precision(), Recall()):
        expected = ThresholdCalibrator(rule).fit(scores, labels, groups=groups[:140])
        found = ThresholdCalibrator(rule).fit(*hidden, groups=groups)
        assert found.thresholds_.tolist() == expected.thresholds_.tolist()


def test_abstains_between_two_promises(tmp_path):
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(2000, 2)) < [0.4, 0.01]).astype(int)
    scores = 1 / (1 + np.exp(-rng.normal(size=labels.shape) - 2 * labels + 1))
    calibrator = ThresholdCalibrator(Promises(precision=0.9, recall=0.95)).fit(scores, labels)
    upper = ThresholdCalibrator(Precision(0.9)).fit(scores, labels).thresholds_
    lower = ThresholdCalibrator(Recall(0.95)).fit(scores, labels).thresholds_
    expected = np.where(scores >= upper, 1, np.where(scores < lower, 0, -1))
    calibrator.save(tmp_path / "calibrator.json")
    for one in (calibrator, ThresholdCalibrator.load(tmp_path / "calibrator.json")):
        found = one.predict(scores, abstain=True)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.int8
        np.testing.assert_array_equal(one.predict(scores), scores >= upper)
    assert {-1, 0, 1} == set(found[:, 0].tolist())
    assert (found[:, 1] == -1).all()  # with so few positives nothing can be promised on either side
    assert calibrator.flags_[1] == ("precision promise impossible", "recall promise impossible")
    assert labels[found[:, 0] == 1, 0].mean() >= 0.9
    assert (found[labels[:, 0] == 1, 0] != 0).mean() >= 0.95


def test_where_both_promises_hold_at_once_nothing_is_left_between():
    scores, labels = _perfect(60)
    assert set(ThresholdCalibrator(Promises()).fit(scores, labels).predict(scores, abstain=True).ravel()) == {0, 1}


def test_other_rules_do_not_abstain():
    scores, labels = _perfect(40)
    with pytest.raises(ValueError, match=r"`abstain` needs the rule `Promises`.* Received: rule 'auto'"):
        ThresholdCalibrator().fit(scores, labels).predict(scores, abstain=True)
    with pytest.raises(ValueError, match=r"`at_least_one` must be False\. Received: .*at_least_one=True"):
        ThresholdCalibrator(Promises(), at_least_one=True).fit(scores, labels).predict(scores, abstain=True)
    with pytest.raises(ValueError, match=r"`recall` must lie between 0 and 1. Received: 2"):
        Promises(recall=2)
