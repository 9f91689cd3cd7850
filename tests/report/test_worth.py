import numpy as np
import pytest
from scipy.special import expit, logit

import keras_hpa
from keras_hpa.evaluation import evaluate
from keras_hpa.report.worth import evaluate_run, find_wrong_probabilities, promise, tenths, with_intervals
from keras_hpa.thresholds import Precision, Promises


def _scored(num_samples=400, num_groups=None):
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(num_samples, 3)) < [0.4, 0.3, 0.02]).astype(int)
    labels[:5, 0] = -1
    scores = expit(rng.normal(2.5 * (labels == 1) * [2.5, 0.2, 1] - 1, 1))
    groups = None if num_groups is None else [f"plate {number % num_groups}" for number in range(num_samples)]
    source = keras_hpa.ArraySource(np.zeros((num_samples, 2, 2, 1), np.uint8))
    return keras_hpa.Samples(source, labels, class_names=["clear", "poor", "rare"], groups=groups), scores


@pytest.mark.parametrize("num_groups", [None, 20])
def test_the_table_is_that_of_evaluate_over_the_groups(num_groups):
    samples, scores = _scored(num_groups=num_groups)
    calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit(scores, samples.labels)
    table = evaluate_run(samples, scores, calibrator)
    assert table.unit == ("row" if num_groups is None else "group")
    expected = evaluate(scores, samples, thresholds=calibrator.thresholds_)["clear"]
    row = with_intervals(calibrator.report(scores, samples.labels).rows[0], table.rows[0])
    assert (row["f_beta"], row["low"], row["high"]) == (expected["f1"], expected["f1_low"], expected["f1_high"])
    assert row["precision_low"] == expected["precision_low"]
    assert row["f_beta"] == pytest.approx(calibrator.f_beta_[0])


def test_scores_may_be_logits():
    samples, scores = _scored()
    of_scores = keras_hpa.ThresholdCalibrator("max_f1").fit(scores, samples.labels)
    of_logits = keras_hpa.ThresholdCalibrator("max_f1", from_logits=True).fit(logit(scores), samples.labels)
    rows = [evaluate_run(samples, *one).rows[0] for one in ((scores, of_scores), (logit(scores), of_logits))]
    for name in ("f1", "recall_low", "average_precision", "calibration_error"):
        assert rows[0][name] == pytest.approx(rows[1][name])
    bins = [tenths(scores, samples.labels, from_logits=False), tenths(logit(scores), samples.labels, from_logits=True)]
    assert bins[0][3]["count"] == bins[1][3]["count"]


def test_tenths_are_counted_as_by_hand_and_tell_what_is_no_probability():
    samples, scores = _scored(4000)
    labels = samples.labels
    bins = tenths(scores, labels, from_logits=False)
    assert sum(one["count"] for one in bins) == (labels >= 0).sum()
    chosen = (scores >= 0.3) & (scores < 0.4) & (labels >= 0)
    assert bins[3]["count"] == chosen.sum()
    assert bins[3]["mean"] == pytest.approx(scores[chosen].mean())
    assert bins[3]["share"] == pytest.approx((labels[chosen] == 1).mean())
    assert "ProbabilityCalibrator" in find_wrong_probabilities(bins)[0][1]
    calibrated = keras_hpa.ProbabilityCalibrator().fit(scores, labels).transform(scores)
    assert find_wrong_probabilities(tenths(calibrated, labels, from_logits=False)) == []
    assert find_wrong_probabilities(tenths(scores[:20], labels[:20], from_logits=False)) == [], "too few to tell"
    assert tenths(scores[:2], np.full((2, 3), -1), from_logits=False) == []


@pytest.mark.parametrize("rule", ["auto", Precision(0.9, 0.9), Promises(0.9, 0.7, 0.9)])
def test_promises_are_those_of_the_rule(rule):
    samples, scores = _scored()
    calibrator = keras_hpa.ThresholdCalibrator(rule).fit(scores, samples.labels)
    found = promise(samples, scores, calibrator, samples.class_names)
    expected = Precision() if rule == "auto" else Precision(0.9, 0.9)
    assert (found["at_least"], found["confidence"]) == (expected.at_least, expected.confidence)
    thresholds = keras_hpa.ThresholdCalibrator(expected).fit(scores, samples.labels).thresholds_
    assert [row["class"] for row in found["made"]] == ["clear"]
    assert found["made"][0]["threshold"] == thresholds[0]
    passed = scores[:, 0] >= thresholds[0]
    assert found["made"][0]["found"] == (passed & (samples.labels[:, 0] == 1)).sum()
    assert (found["too_few"], found["out_of_reach"]) == (["rare"], ["poor"])


def test_batches_in_place_of_samples_are_refused(tmp_path):
    samples = keras_hpa.SyntheticAtlas(4, image_size=32).samples
    with pytest.raises(TypeError, match=r"`samples` must be `Samples`; batches go to `batches`\. Received: .*Sequence"):
        keras_hpa.report.write_report(tmp_path / "report.html", samples.batches(), np.zeros((4, 28)), None)
