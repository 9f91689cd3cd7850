import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from keras_hpa import ThresholdCalibrator, atlas
from keras_hpa.thresholds import Auto, Fixed, ReportGrid
from keras_hpa.thresholds.rule_names import RULES
from tests.thresholds.drawn import draw_scores


def _transcribed_report_rule(scores, labels):
    """The notebook's loop: the first best of a grid of a thousand."""
    grid = np.arange(0, 1, 0.001)
    f1 = np.zeros((len(grid), labels.shape[1]))
    for row, t in enumerate(grid):
        for column in range(labels.shape[1]):
            predicted = scores[:, column] > t
            tp = np.sum(predicted & (labels[:, column] == 1))
            f1[row, column] = 2 * tp / max(predicted.sum() + labels[:, column].sum(), 1)
    return np.array([grid[np.where(f1[:, c] == f1[:, c].max())[0][0]] for c in range(labels.shape[1])])


@pytest.mark.real_data
@pytest.mark.parametrize("network", ["resnet34", "vgg16", "blue_only_vgg16"])
def test_report_rule_equals_its_transcription_on_real_networks(real_data, network):
    with np.load(real_data / "scores" / "validation_6215.npz") as file:
        scores, labels = file[network], file["labels"]
    expected = _transcribed_report_rule(scores, labels)
    calibrator = ThresholdCalibrator("report").fit(scores, labels)
    np.testing.assert_array_equal(calibrator.thresholds_, expected + 1e-4)
    np.testing.assert_array_equal(calibrator.predict(scores), scores >= expected + 1e-4)
    # The intercept does not keep a class without positives, threshold 0, from being predicted.
    assert (scores >= 1e-4).mean(axis=0).min() > 0.999


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_report_rule_equals_its_transcription_on_the_grid_too(seed, dtype):
    scores, labels = draw_scores(seed=seed)
    scores = scores.round(seed % 4 + 1).astype(dtype)
    calibrator = ThresholdCalibrator(ReportGrid(intercept=0)).fit(scores, labels)
    np.testing.assert_array_equal(calibrator.thresholds_, _transcribed_report_rule(scores, labels))


def test_report_rule_warns_of_absent_classes_and_predicts_them():
    scores, labels = draw_scores()
    labels[:, [1, 3]] = 0
    with pytest.warns(UserWarning, match=r"no positives of class 1 \(Nuclear membrane\), 3 \(Nucleoli fibrillar"):
        calibrator = ThresholdCalibrator("report", class_names=atlas.CLASS_NAMES[:5]).fit(scores, labels)
    assert calibrator.thresholds_[1] == 1e-4
    assert calibrator.predict(scores)[:, [1, 3]].mean() > 0.999
    assert calibrator.flags_[1] == ("no positives",)


@pytest.mark.parametrize("rule", [Auto("never"), *(name for name in RULES if name not in ("auto", "fixed", "report"))])
def test_absent_class_is_never_predicted(rule, tmp_path):
    scores, labels = draw_scores()
    labels[:, 2] = 0
    labels[:50, 2] = -1
    calibrator = ThresholdCalibrator(rule).fit(scores, labels)
    assert calibrator.thresholds_[2] == np.inf
    assert np.isfinite(np.delete(calibrator.thresholds_, 2)).all()
    assert not calibrator.predict(np.ones_like(scores))[:, 2].any()
    assert calibrator.flags_[2] == ("no positives",)
    assert calibrator.support_[2] == 0
    calibrator.save(tmp_path / "thresholds.json")
    assert json.loads((tmp_path / "thresholds.json").read_text())["thresholds"][2] is None
    assert ThresholdCalibrator.load(tmp_path / "thresholds.json").thresholds_[2] == np.inf


@pytest.mark.parametrize("rule", RULES)
def test_predict_is_score_at_least_threshold(rule):
    scores, labels = draw_scores()
    calibrator = ThresholdCalibrator(rule).fit(scores, labels)
    at = np.tile(calibrator.thresholds_, (2, 1))
    at[1] = np.nextafter(at[1], 0)
    np.testing.assert_array_equal(calibrator.predict(at), [[1] * 5, [0] * 5])


@pytest.mark.parametrize("rule", RULES)
def test_scores_are_f1_on_the_fitting_data(rule):
    scores, labels = draw_scores()
    calibrator = ThresholdCalibrator(rule).fit(scores, labels)
    np.testing.assert_allclose(calibrator.f_beta_, f1_score(labels, calibrator.predict(scores), average=None))


@pytest.mark.parametrize("rule", RULES)
def test_unknown_labels_count_for_nothing(rule):
    scores, labels = draw_scores()
    more_scores, more_labels = draw_scores(seed=1)
    more_labels[:] = -1
    calibrator = ThresholdCalibrator(rule)
    alone = calibrator.fit(scores, labels)
    thresholds, support = alone.thresholds_, alone.support_
    both = calibrator.fit(np.concatenate([scores, more_scores]), np.concatenate([labels, more_labels]))
    np.testing.assert_array_equal(both.thresholds_, thresholds)
    np.testing.assert_array_equal(both.support_, support)


def test_fixed_takes_what_the_user_gives():
    scores, labels = draw_scores()
    labels[:, 0] = 0
    given = [0.1, 0.2, 0.3, 0.4, np.inf]
    np.testing.assert_array_equal(ThresholdCalibrator(Fixed(given)).fit(scores, labels).thresholds_, given)
    np.testing.assert_array_equal(ThresholdCalibrator(Fixed(0.2)).fit(scores, labels).predict(scores), scores >= 0.2)


@pytest.mark.parametrize("rule", RULES)
def test_saved_and_loaded_predicts_the_same(rule, tmp_path):
    scores, labels = draw_scores()
    rule = Fixed((0.1, 0.2, 0.3, 0.4, np.inf)) if rule == "fixed" else rule
    calibrator = ThresholdCalibrator(rule, class_names=list("abcde"))
    calibrator.fit(scores, labels).save(tmp_path / "thresholds.json")
    loaded = ThresholdCalibrator.load(tmp_path / "thresholds.json")
    np.testing.assert_array_equal(loaded.thresholds_, calibrator.thresholds_)
    np.testing.assert_array_equal(loaded.f_beta_, calibrator.f_beta_)
    np.testing.assert_array_equal(loaded.support_, calibrator.support_)
    np.testing.assert_array_equal(loaded.predict(scores), calibrator.predict(scores))
    assert loaded.flags_ == calibrator.flags_
    assert loaded.get_params() == calibrator.get_params()
    assert [path.name for path in tmp_path.iterdir()] == ["thresholds.json"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "must be a JSON file"),
        ("[]", "in field 'format'"),
        ('{"format": "keras_hpa.ThresholdCalibrator", "version": 99}', "99"),
    ],
)
def test_foreign_file_is_refused(content, message, tmp_path):
    (tmp_path / "file.json").write_text(content)
    with pytest.raises(ValueError, match=message):
        ThresholdCalibrator.load(tmp_path / "file.json")


def test_unfitted_calibrator_says_so():
    with pytest.raises(NotFittedError):
        ThresholdCalibrator().predict([[0.5]])


def test_works_in_pipelines_searches_and_cross_validation():
    scores, labels = draw_scores()
    logits = np.log(scores / (1 - scores))
    to_scores = FunctionTransformer(lambda z: 1 / (1 + np.exp(-z)))
    pipeline = make_pipeline(to_scores, ThresholdCalibrator("max_f1"))
    predicted = pipeline.fit(logits, labels).predict(logits)
    np.testing.assert_array_equal(predicted, ThresholdCalibrator("max_f1").fit(scores, labels).predict(scores))
    out_of_fold = cross_val_predict(ThresholdCalibrator("prevalence"), scores, labels, cv=4)
    assert out_of_fold.shape == labels.shape
    first = ThresholdCalibrator("prevalence").fit(scores[50:], labels[50:])
    np.testing.assert_array_equal(out_of_fold[:50], first.predict(scores[:50]))
    search = GridSearchCV(ThresholdCalibrator(), {"rule": [Fixed(0.9), Auto()]}, cv=3).fit(scores, labels)
    assert search.best_params_ == {"rule": Auto()}


@pytest.mark.parametrize("zero_division", [0, 1, np.nan])
def test_score_is_macro_f1_of_scikit_learn(zero_division):
    scores, labels = draw_scores()
    labels[:, 1] = 0
    calibrator = ThresholdCalibrator(Auto("never")).fit(scores, labels)
    labels[:, 2] = 0  # absent from what is scored, and predicted
    predicted = calibrator.predict(scores)
    assert predicted[:, 2].any()
    expected = f1_score(labels, predicted, average="macro", zero_division=zero_division)
    assert calibrator.score(scores, labels, zero_division=zero_division) == pytest.approx(expected)
    assert np.isnan(
        ThresholdCalibrator("max_f1").fit(scores, np.zeros_like(labels)).score(scores, np.zeros_like(labels))
    )


@pytest.mark.parametrize("from_logits", [False, True])
def test_margins_are_positive_where_predicted(from_logits):
    scores, labels = draw_scores()
    labels[:, 1] = 0
    if from_logits:
        scores = np.log(scores / (1 - scores))
    calibrator = ThresholdCalibrator("prevalence", from_logits=from_logits).fit(scores, labels)
    on_the_edge = np.where(np.isfinite(calibrator.thresholds_), calibrator.thresholds_, 0.5)[None]
    for judged in (scores, on_the_edge):
        margins = calibrator.transform(judged)
        np.testing.assert_array_equal(margins >= 0, calibrator.predict(judged) == 1)
    assert (calibrator.transform(scores)[:, 1] == -np.inf).all()


def test_at_least_one_adds_the_nearest_class_where_nothing_passes():
    thresholds = [0.5, 0.1, np.inf]
    scores = [[0.4, 0.05, 0.99], [0.1, 0.05, 0.99], [0.6, 0.01, 0.0], [0.0, 0.0, 1.0]]
    calibrator = ThresholdCalibrator(Fixed(thresholds), at_least_one=True)
    calibrator.fit(scores, np.zeros((4, 3)))
    np.testing.assert_array_equal(calibrator.predict(scores), [[1, 0, 0], [0, 1, 0], [1, 0, 0], [1, 0, 0]])
    calibrator.set_params(rule=Fixed(np.inf)).fit(scores, np.zeros((4, 3)))
    assert not calibrator.predict(scores).any()


def test_flags_say_what_is_unusual():
    scores = np.tile(np.linspace(0.1, 0.9, 30)[:, None], 5)
    scores[:, 4] = 0.5
    labels = np.zeros((30, 5), int)
    labels[:, 0] = -1
    labels[:4, 2] = 1
    labels[:, 3] = 1
    labels[:15, 4] = 1
    flags = ThresholdCalibrator().fit(scores, labels).flags_
    assert flags == [
        ("no known labels",),
        ("no positives",),
        ("few positives",),
        ("no negatives",),
        ("constant scores",),
    ]


def test_is_a_scikit_learn_estimator():
    calibrator = ThresholdCalibrator(ReportGrid(0.01), class_names=["a"])
    assert clone(calibrator).get_params() == calibrator.get_params()
    assert not hasattr(clone(calibrator.fit([[0.1], [0.9]], [[0], [1]])), "thresholds_")


class _Column:
    """As a pandas Series after sorting: read by its index it is in another order than its values."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        return self.values[-1 - index]


def test_class_names_keep_the_order_in_which_they_are_gone_through():
    scores, labels = draw_scores()
    calibrator = clone(ThresholdCalibrator(class_names=_Column(list("abcde")))).fit(scores, labels)
    assert calibrator.class_names == list("abcde")
    assert [row["class"] for row in calibrator.report().rows] == list("abcde")


@pytest.mark.parametrize("spread", [1.0, 1e100, 1.7e308])
def test_huge_logits_have_thresholds(spread):
    scores, labels = draw_scores()
    logits = np.log(scores / (1 - scores)).astype(np.float64)
    logits = logits / np.abs(logits).max() * spread
    for rule in RULES:
        calibrator = ThresholdCalibrator(rule, from_logits=True, at_least_one=True).fit(logits, labels)
        assert np.isfinite(calibrator.thresholds_).all(), rule
        assert not np.isnan(calibrator.transform(logits)).any()
        calibrator.predict(logits)
