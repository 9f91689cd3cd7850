"""What drawn inputs have found, each as an input of its own."""

import re

import numpy as np
import pytest

import keras_hpa
from keras_hpa import thresholds

_PAIR = np.ones(2)
_SAMPLES = keras_hpa.Samples(keras_hpa.ArraySource(np.zeros((2, 1, 1, 1), "u1")), np.eye(2, dtype=int))
_SCORES, _LABELS = (
    np.array([[0.9, 0.2], [0.1, 0.7], [0.6, 0.4], [0.2, 0.1]]),
    np.array([[1, 0], [0, 1], [1, 0], [0, 1]]),
)


def _fit(weights, labels=_LABELS):
    return keras_hpa.ThresholdCalibrator("max_f1").fit(_SCORES, labels, weights)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: keras_hpa.parse_labels(["0"], 2, separator=None), "`separator` must be a text, not empty"),
        (lambda: keras_hpa.format_labels([[1]], 3), "`separator` must be a text, not empty"),
        (lambda: keras_hpa.parse_labels(None, 2), "`texts` must be a list"),
        (lambda: keras_hpa.parse_labels([_PAIR], 2), "A label must be a whole number"),
        (lambda: keras_hpa.parse_labels(["0"], ["a", " "]), "`class_names` must be texts, none empty"),
        (lambda: keras_hpa.parse_labels(["0"], ["a", "a "]), "`class_names` must differ, case aside"),
        (lambda: keras_hpa.Samples(_SAMPLES, class_names=3), "`class_names` must be a list of names"),
        (lambda: keras_hpa.Samples(_SAMPLES, metadata=3), "`metadata` must be a mapping"),
        (lambda: keras_hpa.Samples(_SAMPLES, metadata={"a": 3}), "`metadata['a']` must have 2 values"),
        (lambda: keras_hpa.ArraySource([np.zeros((1, 1, 1))], 3), "`ids` must be a list of texts"),
        (lambda: keras_hpa.ArraySource([np.zeros((1, 1, 1))], [_PAIR]), "`ids` and `channels` must be texts"),
        (lambda: keras_hpa.ArraySource([np.zeros((1, 1, 1))], channels=True), "`channels` must be a list of texts"),
        (lambda: _SAMPLES[:1.5], "`samples[...]` must have whole numbers in a slice"),
        (lambda: _SAMPLES[::0], "`samples[...]` must have whole numbers in a slice"),
        (lambda: _SAMPLES[[_PAIR]], "`samples[...]` must have positions or ids"),
        (lambda: _SAMPLES[[np.ma.masked]], "`samples[...]` must have positions or ids"),
        (lambda: _fit({}), "`sample_weight` must hold numbers"),
        (lambda: _fit([[1], [1, 2]]), "`sample_weight` must hold numbers"),
        (lambda: _fit(np.ma.masked_array(np.ones(4), [1, 0, 0, 0])), "`sample_weight` must not be masked"),
        (lambda: _fit([1, 1, 1, 1e307]), "`sample_weight` must have a sum above zero and below 1e100"),
        (lambda: keras_hpa.stratified_split(np.array([[1 + 0j], [0]], object)), "`labels` must hold 0, 1, or -1"),
        (lambda: _fit(None, [[1], [1, 0]]), "`y_true` must hold numbers"),
        (lambda: keras_hpa.cross_fit("max_f1", _SCORES, _LABELS, object), "`groups` must be a list"),
        (lambda: keras_hpa.cross_fit("max_f1", _SCORES, _LABELS, zero_division=_PAIR), "`zero_division` must be"),
        (lambda: thresholds.ReportGrid([0.5]), "`intercept` must be finite"),
        (lambda: thresholds.ReportGrid(1j), "`intercept` must be finite"),
        (lambda: thresholds.MaxF1(beta=10**400), "`beta` must be finite and more than 0"),
        (lambda: thresholds.Auto(absent_classes=_PAIR), "`absent_classes` must be one of"),
        (lambda: keras_hpa.ThresholdLayer([0.5, _PAIR]), "`thresholds` must hold numbers or None"),
        (lambda: keras_hpa.MacroF1(object), "`threshold` must be a number"),
        (lambda: keras_hpa.MacroF1(1j), "`threshold` must be a number"),
        (lambda: keras_hpa.MacroF1(num_classes="3"), "`num_classes` must be at least 1"),
        (lambda: keras_hpa.MacroF1(num_classes=1.5), "`num_classes` must be at least 1"),
        (lambda: keras_hpa.MacroF1(average=_PAIR), "`average` must be one of"),
        (lambda: keras_hpa.MacroF1Loss(_PAIR), "`variant` must be one of"),
        (lambda: keras_hpa.MacroF1Loss(label_smoothing="x"), "`label_smoothing` must lie in [0, 1)"),
        (lambda: keras_hpa.AsymmetricLoss(gamma_negative=[]), "`gamma_negative` must lie in [0, 1e+06)"),
        (lambda: keras_hpa.AsymmetricLoss(gamma_positive=1e300), "`gamma_positive` must lie in [0, 1e+06)"),
        (lambda: keras_hpa.AsymmetricLoss(margin=object), "`margin` must lie in [0, 1)"),
        (lambda: keras_hpa.ClassBalancedCrossentropy("x"), "`class_counts` must hold one number"),
        (lambda: keras_hpa.ClassBalancedCrossentropy([1], beta=1j), "`beta` must lie in [0, 1)"),
        (lambda: keras_hpa.ClassBalancedFocalCrossentropy([1], gamma=np.bool_(True)), "`gamma` must lie in [0, 1e+06)"),
        (lambda: keras_hpa.WeightedSumLoss([keras_hpa.MacroF1Loss()], object), "`weights` must hold one finite number"),
        (lambda: keras_hpa.WeightedSumLoss([keras_hpa.MacroF1Loss()], ["x"]), "`weights` must hold one finite number"),
    ],
)
def test_it_is_refused_by_name(call, message):
    with pytest.raises((ValueError, TypeError), match=rf"{re.escape(message)}.*Received: ."):
        call()


@pytest.mark.parametrize("ids", [["a", None], ["a", 3], ["a", "b\r"], ["a", ""]])
def test_a_submission_needs_ids_of_one_line(ids, tmp_path):
    with pytest.raises(ValueError, match="`ids` must be texts of one line"):
        keras_hpa.write_submission(tmp_path / "submission.csv", ids, [[1], [0]])


def test_a_tab_separates_names_of_several_words():
    names = ["Golgi apparatus", "Cytosol"]
    assert keras_hpa.parse_labels(["Golgi apparatus\tCytosol"], names, separator="\t").tolist() == [[1, 1]]
    assert keras_hpa.format_labels([[1, 1]], "\t", class_names=names) == ["Golgi apparatus\tCytosol"]


def test_white_space_around_a_class_name_does_not_count():
    assert keras_hpa.parse_labels(["cytosol"], ["Golgi", " Cytosol "]).tolist() == [[0, 1]]


def test_an_option_may_be_a_number_of_half_precision():
    assert thresholds.MaxF1(beta=np.float16(0.5)).beta == 0.5
    assert keras_hpa.AsymmetricLoss(gamma_negative=np.float16(2)).gamma_negative == 2
