import numpy as np
import pytest
from sklearn.metrics import f1_score, fbeta_score

from keras_hpa import ThresholdCalibrator, cross_fit, cross_fit_predict, stratified_split
from keras_hpa.thresholds import Auto, MaxF1, Prevalence


def _data(num_samples=120, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, 4)) < 0.25).astype(np.int8)
    logits = rng.normal(size=labels.shape) + 2 * labels - 1.5
    return 1 / (1 + np.exp(-logits)), labels


def _by_hand(calibrator, scores, labels, groups=None, seed=0):
    predicted = np.empty_like(labels)
    one, other = stratified_split(labels, 0.5, groups, seed)
    for here, there in ((one, other), (other, one)):
        predicted[there] = calibrator.fit(scores[here], labels[here]).predict(scores[there])
    return predicted


@pytest.mark.parametrize("rule", ["auto", "max_f1", Prevalence(), ThresholdCalibrator("prevalence")])
@pytest.mark.parametrize("grouped", [False, True])
def test_each_half_is_predicted_at_thresholds_of_the_other(rule, grouped):
    scores, labels = _data()
    groups = list("abcdefghij" * 12) if grouped else None
    plain = rule.rule if isinstance(rule, ThresholdCalibrator) else rule
    expected = _by_hand(ThresholdCalibrator(plain), scores, labels, groups, seed=3)
    np.testing.assert_array_equal(cross_fit_predict(rule, scores, labels, groups, seed=3), expected)
    score = cross_fit(rule, scores, labels, groups, seed=3)
    assert score == pytest.approx(f1_score(labels, expected, average="macro"))


def test_samples_of_one_group_are_judged_by_other_groups():
    """Each group has scores of its own scale, so that only its own samples could tell its threshold."""
    rng = np.random.default_rng(0)
    labels = np.tile([[1], [0]], (40, 1))
    groups = np.repeat(np.arange(8), 10)
    scores = (0.5 + 0.05 * labels) / (1 + groups[:, None]) + rng.uniform(0, 1e-3, labels.shape)
    apart = cross_fit("max_f1", scores, labels, groups)
    assert apart < 0.8
    assert apart == cross_fit("max_f1", scores, labels, [f"plate {g}" for g in groups])


@pytest.mark.parametrize("at_least_one", [False, True])
def test_logits_and_options_of_a_calibrator(at_least_one):
    scores, labels = _data()
    labels[::7, 0] = -1
    logits = np.log(scores / (1 - scores))
    calibrator = ThresholdCalibrator(MaxF1(2), from_logits=True, at_least_one=at_least_one)
    predicted = cross_fit_predict(calibrator, logits, labels)
    assert not hasattr(calibrator, "thresholds_")
    np.testing.assert_array_equal(predicted, _by_hand(calibrator, logits, labels))
    same = cross_fit_predict(MaxF1(2), logits, labels, from_logits=True, at_least_one=at_least_one)
    np.testing.assert_array_equal(predicted, same)
    known = [labels[:, c] >= 0 for c in range(4)]
    f2 = [fbeta_score(labels[k, c], predicted[k, c], beta=2) for c, k in enumerate(known)]
    assert cross_fit(calibrator, logits, labels) == pytest.approx(np.mean(f2))


def test_is_lower_than_the_score_of_the_fitting_samples():
    pairs = []
    for seed in range(10):
        scores, labels = _data(60, seed)
        fitted = ThresholdCalibrator("max_f1").fit(scores, labels)
        pairs.append((cross_fit("max_f1", scores, labels), fitted.score(scores, labels)))
    honest, flattering = np.mean(pairs, axis=0)
    assert honest < flattering - 0.05


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"rule": "best"}, ValueError, "`rule`.*'best'"),
        ({"rule": ThresholdCalibrator(), "from_logits": True}, ValueError, "`from_logits`.*True"),
        ({"rule": ThresholdCalibrator(), "at_least_one": True}, ValueError, "`at_least_one`.*True"),
        ({"zero_division": 2}, ValueError, "zero_division.*2"),
        ({"groups": [1, 2]}, ValueError, "`groups`.*2"),
        ({"scores": [[0.5]], "labels": [[1]]}, ValueError, "two samples.*1"),
        ({"scores": np.full((120, 4), 2.0)}, ValueError, "`y_score`.*2.0 in row 0"),
        ({"labels": np.zeros((3, 4))}, ValueError, r"`y_true`.*\(3, 4\)"),
    ],
)
def test_wrong_argument_is_named(change, error, message):
    scores, labels = _data()
    arguments = {"rule": Auto(), "scores": scores, "labels": labels} | change
    with pytest.raises(error, match=message):
        cross_fit(**arguments)
