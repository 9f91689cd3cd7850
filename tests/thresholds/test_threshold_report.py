import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from keras_hpa import ThresholdCalibrator, ThresholdReport, atlas
from keras_hpa.thresholds import Auto, Fixed

_NAMES = atlas.CLASS_NAMES[:4]


def _fitted(seed=0, rule="auto"):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(400, 4)) < [0.01, 0.1, 0.3, 0.5]).astype(np.int8)
    scores = rng.beta(2 + 2 * labels, 5)
    return ThresholdCalibrator(rule, class_names=_NAMES).fit(scores, labels), scores, labels


@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("on_other_samples", [False, True])
def test_rows_are_those_of_scikit_learn(beta, on_other_samples):
    calibrator, scores, labels = _fitted(rule=Auto(beta=beta))
    _, new_scores, new_labels = _fitted(seed=1)
    judged = (new_scores, new_labels) if on_other_samples else (scores, labels)
    rows = calibrator.report(*(judged if on_other_samples else ())).rows
    expected = precision_recall_fscore_support(judged[1], calibrator.predict(judged[0]), beta=beta, zero_division=0)
    for name, values in zip(("precision", "recall", "f_beta", "support"), expected, strict=True):
        np.testing.assert_allclose([row[name] for row in rows], values)
    assert [row["class"] for row in rows] == list(_NAMES)
    np.testing.assert_array_equal([row["threshold"] for row in rows], calibrator.thresholds_)
    assert all(0 <= row["low"] <= row["f_beta"] <= row["high"] <= 1 for row in rows)


def test_interval_holds_the_f1_of_other_samples():
    """About 95 of 100 data sets of the same kind lie inside the interval of one; rounding and luck take a few."""
    calibrator, _, _ = _fitted(rule=Fixed(0.35))
    _, scores, labels = _fitted(seed=1, rule="fixed")
    rows = calibrator.report(scores, labels).rows[1:]
    inside = []
    for seed in range(2, 102):
        _, scores, labels = _fitted(seed=seed, rule="fixed")
        others = calibrator.report(scores, labels, num_resamples=1).rows[1:]
        inside.append([row["low"] <= other["f_beta"] <= row["high"] for row, other in zip(rows, others, strict=True)])
    # Two samples differ, so that the interval of one holds less than its 95 % of the others: 83 % in expectation.
    assert np.mean(inside) > 0.7


def test_wider_confidence_is_a_wider_interval():
    calibrator, _, _ = _fitted()
    narrow, wide = (calibrator.report(confidence=c).rows[2] for c in (0.5, 0.99))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]


def test_text_has_a_line_per_class_with_its_flags():
    calibrator, scores, labels = _fitted(rule=Auto("never"))
    labels[:, 0] = 0
    labels[5:, 1] = -1
    lines = str(calibrator.fit(scores, labels).report()).splitlines()
    assert len(lines) == 5
    assert lines[1].startswith("Nucleoplasm")
    assert lines[1].endswith("no positives")
    assert " inf " in lines[1]
    assert repr(calibrator.report()) == str(calibrator.report())


@pytest.mark.parametrize(("argument", "value"), [("confidence", 1.0), ("num_resamples", 0)])
def test_wrong_argument_is_named(argument, value):
    calibrator, _, _ = _fitted()
    with pytest.raises(ValueError, match=argument):
        calibrator.report(**{argument: value})


def test_scores_alone_are_refused():
    calibrator, scores, _ = _fitted()
    with pytest.raises(ValueError, match="y_true"):
        calibrator.report(scores)


def test_what_is_0_by_0_is_nan():
    absent, missed, guessed = ThresholdReport(
        [[0, 0, 0, 9], [0, 0, 3, 6], [0, 1, 0, 8]], [np.inf] * 3, class_names=range(3), flags=[()] * 3
    ).rows
    nan = float("nan")
    values = [[row[name] for name in ("precision", "recall", "f_beta")] for row in (absent, missed, guessed)]
    np.testing.assert_equal(values, [[nan, nan, nan], [nan, 0.0, 0.0], [0.0, nan, 0.0]])
    np.testing.assert_equal([absent["low"], absent["high"], missed["low"]], [nan, nan, 0.0])


@pytest.mark.parametrize("beta", [1.0, 2.0])
def test_few_positives_are_not_made_to_look_sure(beta):
    """One right answer of one says little, and no resampling of it says so."""
    one, some, many = ThresholdReport(
        [[1, 0, 0, 19], [3, 1, 1, 95], [40, 5, 5, 450]], [0.5] * 3, class_names=range(3), flags=[()] * 3, beta=beta
    ).rows
    assert one["low"] < 0.1
    assert one["high"] == 1.0
    assert some["low"] < 0.3
    assert many["low"] > 0.75
