"""scikit-learn is the oracle of every number."""

import csv
import warnings

import numpy as np
import pytest
from scipy.stats import beta
from sklearn import metrics
from sklearn.calibration import calibration_curve

from keras_hpa import ArraySource, Samples, ThresholdCalibrator
from keras_hpa.evaluation import evaluate

_NAMES = ["Nucleoplasm", "Cytosol", "Nucleoli", "Rods & rings"]


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(400, 4)) < [0.5, 0.3, 0.1, 0.02]).astype(np.int8)
    scores = np.round(1 / (1 + np.exp(-(rng.normal(size=labels.shape) + 2 * labels - 1))), 2)
    return scores, labels


def _expected_calibration_error(labels, scores):
    shares, means = calibration_curve(labels, scores, n_bins=10)
    counts = np.histogram(scores, np.linspace(0, 1, 11))[0]
    return np.abs(shares - means) @ counts[counts > 0] / len(scores)


def _oracle(labels, scores, predicted, average=None):
    options = {"average": average, "zero_division": np.nan}
    return {
        "average_precision": metrics.average_precision_score(labels, scores, average=average),
        "roc_auc": metrics.roc_auc_score(labels, scores, average=average),
        "f1": metrics.f1_score(labels, predicted, **options),
        "precision": metrics.precision_score(labels, predicted, **options),
        "recall": metrics.recall_score(labels, predicted, **options),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_is_that_of_scikit_learn(scored, dtype):
    scores, labels = scored[0].astype(dtype), scored[1]
    cuts = np.array([0.5, 0.31, 0.4, 0.21])
    table = evaluate(scores, labels, thresholds=cuts)
    assert [row["class"] for row in table.rows] == ["0", "1", "2", "3", "macro", "micro"]
    predicted = (scores.astype(np.float64) >= cuts).astype(int)
    per_class = _oracle(labels, scores, predicted)
    for column, row in enumerate(table.rows[:4]):
        for name, values in per_class.items():
            np.testing.assert_allclose(row[name], values[column], rtol=1e-6, err_msg=name)
        truth, score = labels[:, column], scores[:, column]
        assert row["support"] == row["groups"] == truth.sum()
        assert row["threshold"] == cuts[column]
        np.testing.assert_allclose(row["prevalence"], truth.mean())
        np.testing.assert_allclose(row["brier"], metrics.brier_score_loss(truth, score), rtol=1e-5)
        off_edges = np.abs(score * 10 - np.round(score * 10)) > 1e-3
        own = evaluate(score[off_edges, None], truth[off_edges, None]).rows[0]["calibration_error"]
        np.testing.assert_allclose(own, _expected_calibration_error(truth[off_edges], score[off_edges]), rtol=1e-4)
    for average in ("macro", "micro"):
        for name, value in _oracle(labels, scores, predicted, average).items():
            np.testing.assert_allclose(table[average][name], value, rtol=1e-6, err_msg=f"{average} {name}")
    np.testing.assert_allclose(table["macro"]["brier"], np.mean([row["brier"] for row in table.rows[:4]]))


def test_every_number_has_an_interval_that_holds_it_and_a_method(scored):
    scores, labels = scored
    for groups in (None, np.arange(400) // 4):
        table = evaluate(scores, labels, groups=groups)
        for row in table.rows:
            for name in ("prevalence", "average_precision", "roc_auc", "f1", "precision", "recall", "brier"):
                low, high = row[f"{name}_low"], row[f"{name}_high"]
                assert row[f"{name}_method"]
                assert 0 <= low <= row[name] <= high <= 1 or row[f"{name}_method"] == "not enough"
        assert table["3"]["average_precision_method"] in ("not enough", "influence function, widened")


def test_precision_and_recall_have_the_interval_of_clopper_and_pearson(scored):
    scores, labels = scored
    row = evaluate(scores, labels, confidence=0.9).rows[1]
    called, present = scores[:, 1] >= 0.5, labels[:, 1] == 1
    both = (called & present).sum()
    for name, whole in (("precision", called.sum()), ("recall", present.sum())):
        expected = beta.ppf(0.05, both, whole - both + 1), beta.ppf(0.95, both + 1, whole - both)
        np.testing.assert_allclose((row[f"{name}_low"], row[f"{name}_high"]), expected)


def test_the_variance_of_the_auc_is_that_of_delong():
    """Worked by hand: placements of positives 1, 1/2, 1; of negatives 1, 2/3 and their variances."""
    from keras_hpa.evaluation.ranking import roc_auc

    scores, positive = np.array([0.9, 0.4, 0.8, 0.1, 0.6]), np.array([True, True, True, False, False])
    ranked = roc_auc(scores, positive)
    np.testing.assert_allclose(ranked.value, 5 / 6)
    np.testing.assert_allclose(ranked.influence * [3, 3, 3, 2, 2], [1 / 6, -1 / 3, 1 / 6, 1 / 6, -1 / 6])


def test_influence_is_the_derivative():
    """What a sample of a little more weight moves average precision by."""
    from keras_hpa.evaluation.ranking import average_precision

    rng = np.random.default_rng(1)
    positive = rng.uniform(size=60) < 0.3
    scores = np.round(rng.normal(size=60) + positive, 1)
    ranked = average_precision(scores, positive)
    for row in range(60):
        weights = np.ones(60)
        weights[row] += 1e-5
        moved = metrics.average_precision_score(positive, scores, sample_weight=weights) - ranked.value
        np.testing.assert_allclose(ranked.influence[row], moved / 1e-5, atol=1e-4)


def test_unknown_labels_count_for_nothing(scored):
    scores, labels = scored
    hidden = labels.copy()
    hidden[300:, 1] = -1
    row, expected = evaluate(scores, hidden).rows[1], evaluate(scores[:300], labels[:300]).rows[1]
    for name, value in expected.items():
        if not name.startswith("calibration_error_"):  # drawn
            assert row[name] == value or np.isclose(row[name], value, equal_nan=True), name
    row = evaluate(scores[:, :1], np.full((400, 1), -1)).rows[0]
    assert row["support"] == 0
    assert row["average_precision_method"] == row["calibration_error_method"] == "not defined"
    assert np.isnan([row["roc_auc"], row["calibration_error"]]).all()


def test_absent_and_ubiquitous_classes_are_not_defined_or_not_enough():
    scores = np.linspace(0, 0.4, 30)[:, None].repeat(3, axis=1)
    labels = np.stack([np.zeros(30), np.ones(30), np.arange(30) > 26], axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        absent, present, rare, macro, _ = evaluate(scores, labels).rows
    assert np.isnan(absent["average_precision"])
    assert absent["precision_method"] == "not defined"
    assert present["average_precision"] == 1
    assert present["roc_auc_method"] == "not defined"
    assert rare["average_precision_method"] == rare["roc_auc_method"] == "not enough"
    assert macro["average_precision"] == np.mean([present["average_precision"], rare["average_precision"]])


def test_groups_of_copies_say_no_more_than_one_of_each(scored):
    scores, labels = (one[:100] for one in scored)
    row = evaluate(scores, labels).rows[0]
    groups = np.repeat(np.arange(100), 5)
    many = evaluate(scores.repeat(5, axis=0), labels.repeat(5, axis=0), groups=groups).rows[0]
    blind = evaluate(scores.repeat(5, axis=0), labels.repeat(5, axis=0)).rows[0]
    for name in ("average_precision", "roc_auc", "f1", "precision", "recall", "brier"):
        width, of_copies, as_rows = (one[f"{name}_high"] - one[f"{name}_low"] for one in (row, many, blind))
        assert 0.95 * width < of_copies < 1.25 * width, name
        assert as_rows < 0.6 * width, name


def test_samples_bring_their_groups_and_names(scored):
    scores, labels = scored
    source = ArraySource(np.zeros((400, 2, 2, 1), np.uint8))
    samples = Samples(source, labels, class_names=_NAMES, groups=[str(row // 4) for row in range(400)])
    table = evaluate(scores, samples)
    expected = evaluate(scores, labels, groups=np.arange(400) // 4, class_names=_NAMES)
    assert table.rows[:4] == expected.rows[:4]
    assert "Nucleoli" in str(table)
    assert "over groups" in str(table)


def test_a_calibrator_predicts_as_it_does(scored):
    scores, labels = scored
    calibrator = ThresholdCalibrator("max_f1", at_least_one=True).fit(scores, labels)
    table = evaluate(scores, labels, thresholds=calibrator)
    assert table["macro"]["f1"] == metrics.f1_score(labels, calibrator.predict(scores), average="macro")


def test_frame_csv_html_and_figure(scored, tmp_path):
    scores, labels = scored
    table = evaluate(scores, labels, class_names=["=1+1", "Cytosol", "<b>", "Rods & rings"])
    frame = table.to_frame()
    assert list(frame.index) == ["=1+1", "Cytosol", "<b>", "Rods & rings", "macro", "micro"]
    for column in ("support", "groups", "prevalence", "average_precision", "average_precision_low", "f1_method"):
        assert column in frame.columns
    table.to_csv(tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["class"] == "'=1+1"
    assert float(rows[1]["roc_auc"]) == table["Cytosol"]["roc_auc"]
    assert rows[4]["threshold"] == ""
    text = table.to_html(tmp_path / "table.html")
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert text in (tmp_path / "table.html").read_text()
    axes = table.plot("f1").axes[0]
    assert [one.get_text() for one in axes.get_yticklabels()][1].startswith("Cytosol (")
    with pytest.raises(ValueError, match=r"`metric` must be one of .* Received: 'accuracy'"):
        table.plot("accuracy")
    with pytest.raises(KeyError, match="Received: 'Golgi'"):
        table["Golgi"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"thresholds": [0.5, 0.5]}, "`thresholds` must be a number"),
        ({"thresholds": -0.1}, "`thresholds` must be a number"),
        ({"thresholds": np.nan}, "`thresholds` must be a number"),
        ({"groups": [0, 1]}, "`groups` must have one entry per sample"),
        ({"class_names": ["a"]}, "`class_names` must be 4"),
        ({"confidence": 1}, "`confidence` must lie between 0 and 1"),
        ({"num_draws": 0}, "`num_draws` must be a whole number"),
    ],
    ids=["too few", "negative", "nan", "groups", "names", "confidence", "draws"],
)
def test_wrong_arguments(scored, options, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        evaluate(*scored, **options)


def test_samples_without_labels_and_labels_of_another_shape(scored):
    unlabelled = Samples(ArraySource(np.zeros((400, 2, 2, 1), np.uint8)))
    with pytest.raises(ValueError, match="`samples_or_labels` must have labels"):
        evaluate(scored[0], unlabelled)
    with pytest.raises(ValueError, match="must have the shape of `y_score`"):
        evaluate(scored[0], scored[1][:, :2])
