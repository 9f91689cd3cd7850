import numpy as np
import pytest

from keras_hpa import ThresholdCalibrator
from keras_hpa.thresholds import Fixed, MaxF1, Prevalence
from tests.thresholds.drawn import draw_scores


def test_swapped_arguments_are_refused():
    scores, labels = draw_scores()
    with pytest.raises(ValueError, match="swapped"):
        ThresholdCalibrator().fit(labels, scores)


@pytest.mark.parametrize(
    ("score", "label", "message"),
    [
        (np.nan, 0, r"`y_score`.*nan in row 1, class 0 \(a\)"),
        (1.5, 0, r"`y_score`.*from_logits.*1.5 in row 1, class 0 \(a\)"),
        (-np.inf, 0, r"`y_score`.*-inf in row 1, class 0 \(a\)"),
        (0.5, 2, r"`y_true`.*2.* in row 1, class 0 \(a\)"),
        (0.5, np.nan, r"`y_true`.*nan in row 1, class 0 \(a\)"),
    ],
)
def test_wrong_value_is_named(score, label, message):
    with pytest.raises(ValueError, match=message):
        ThresholdCalibrator(class_names=["a"]).fit([[0.2], [score]], [[0], [label]])


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (np.zeros((3, 2)), np.zeros((2, 2)), r"shape.*\(3, 2\)"),
        (np.zeros(3), np.zeros(3), "num_samples, num_classes"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "num_samples, num_classes"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "2.*class_names|class_names.*2"),
    ],
)
def test_wrong_shape_is_named(scores, labels, message):
    with pytest.raises(ValueError, match=message):
        ThresholdCalibrator(class_names=["a"]).fit(scores, labels)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rule": "best"}, ValueError, "'auto'.*'shrink'.*'best'"),
        ({"rule": MaxF1}, TypeError, "`rule`.*find_thresholds.*MaxF1"),
        ({"rule": 0.5}, TypeError, "`rule`.*0.5"),
        ({"class_names": "ab"}, ValueError, "`class_names`.*'ab'"),
    ],
)
def test_wrong_argument_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        ThresholdCalibrator(**arguments)


def test_wrong_number_of_columns_is_named():
    scores, labels = draw_scores()
    calibrator = ThresholdCalibrator().fit(scores, labels)
    with pytest.raises(ValueError, match=r"4 features.*5 features"):
        calibrator.predict(scores[:, :4])
    with pytest.raises(ValueError, match=r"5 classes.*2"):
        ThresholdCalibrator(Fixed([0.1, 0.2])).fit(scores, labels)
    with pytest.raises(ValueError, match=r"5 classes.*2"):
        ThresholdCalibrator(Prevalence([0.1, 0.2])).fit(scores, labels)


@pytest.mark.parametrize(
    "weights", [np.ones(3), -np.ones(200), np.full(200, np.nan), np.zeros(200), np.full(200, 1e308)]
)
def test_wrong_weights_are_named(weights):
    scores, labels = draw_scores()
    with pytest.raises(ValueError, match="sample_weight"):
        ThresholdCalibrator().fit(scores, labels, weights)


@pytest.mark.parametrize(("scores", "labels"), [([["a"]], [[1]]), ([[0.5]], [["a"]])])
def test_text_is_refused(scores, labels):
    with pytest.raises(TypeError, match="must hold numbers"):
        ThresholdCalibrator().fit(scores, labels)


def test_masked_labels_are_unknown_and_masked_scores_are_refused():
    scores, labels = draw_scores()
    masked = np.ma.masked_array(labels.astype(np.uint8), mask=np.zeros_like(labels, bool))
    masked[:50, 1] = np.ma.masked
    labels[:50, 1] = -1
    expected = ThresholdCalibrator().fit(scores, labels).thresholds_
    np.testing.assert_array_equal(ThresholdCalibrator().fit(scores, masked).thresholds_, expected)
    with pytest.raises(ValueError, match="`y_score` must not be masked"):
        ThresholdCalibrator().fit(np.ma.masked_array(scores, mask=masked.mask), labels)
