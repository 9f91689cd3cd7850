import numpy as np
import pytest
from sklearn import metrics

from keras_hpa.evaluation import compare


@pytest.fixture(scope="module")
def models():
    """Scores of a worse and a better model, their labels, and groups of four."""
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(600, 3)) < [0.4, 0.2, 0.1]).astype(np.int8)
    latent = rng.normal(size=labels.shape)
    worse, better = (1 / (1 + np.exp(-(latent + skill * labels - 1))) for skill in (1.5, 3))
    return worse, better, labels, np.arange(600) // 4


_ORACLES = {
    "macro_f1": lambda y, s: metrics.f1_score(y, s >= 0.5, average="macro"),
    "macro_precision": lambda y, s: metrics.precision_score(y, s >= 0.5, average="macro"),
    "macro_recall": lambda y, s: metrics.recall_score(y, s >= 0.5, average="macro"),
    "macro_average_precision": lambda y, s: metrics.average_precision_score(y, s, average="macro"),
    "macro_roc_auc": lambda y, s: metrics.roc_auc_score(y, s, average="macro"),
}


@pytest.mark.parametrize("metric", _ORACLES)
def test_values_are_those_of_scikit_learn_and_a_better_model_is_better(models, metric):
    worse, better, labels, groups = models
    found = compare(worse, better, labels, groups, metric)
    np.testing.assert_allclose(found.macro.a, _ORACLES[metric](labels, worse), rtol=1e-6)
    np.testing.assert_allclose(found.macro.b, _ORACLES[metric](labels, better), rtol=1e-6)
    assert found.verdict == "better"
    assert 0 < found.macro.low < found.macro.difference < found.macro.high
    assert found.macro.probability_better > 0.99
    assert found.macro.needed < 150
    assert compare(better, worse, labels, groups, metric).verdict == "worse"
    assert "the second model is better." in str(found)
    assert len(found.per_class) == 3


@pytest.mark.parametrize("metric", _ORACLES)
def test_a_model_is_not_better_than_itself(models, metric):
    scores, _, labels, _ = models
    found = compare(scores, scores, labels, metric=metric)
    assert found.verdict == "cannot tell"
    assert found.macro.p_value == 1
    assert found.macro.probability_better == 0.5
    assert found.macro.difference == found.macro.low == found.macro.high == 0
    assert found.macro.needed == np.inf
    assert "do not tell which is better." in found.sentence()


def test_draws_are_those_of_a_brute_force(models):
    from keras_hpa.evaluation.paired_draws import paired_counts
    from keras_hpa.evaluation.units import Units

    worse, better, labels, groups = models
    units = Units.of(groups.tolist(), 600)
    draws = units.draws(3, 0)
    signs = np.ones_like(draws)
    signs[1] = -1
    paired = paired_counts([worse >= 0.5], [better >= 0.5], labels, "f1", units, draws, signs[:3])
    for draw, weights in zip(paired.drawn, draws, strict=True):
        weight = weights[groups]
        expected = [
            metrics.f1_score(labels, scores >= 0.5, average=None, sample_weight=weight) for scores in (worse, better)
        ]
        np.testing.assert_allclose(draw, expected[1] - expected[0], atol=1e-6)
    np.testing.assert_allclose(paired.exchanged[0], paired.b[0] - paired.a[0], atol=1e-6)
    np.testing.assert_allclose(paired.exchanged[1], paired.a[0] - paired.b[0], atol=1e-6)


def test_several_models_are_corrected_after_holm(models):
    worse, better, labels, _ = models
    rng = np.random.default_rng(1)
    slightly = np.clip(worse + rng.normal(0, 0.05, worse.shape), 0, 1)
    found = compare(worse, {"better": better, "noisy": slightly}, labels)
    alone = compare(worse, slightly, labels)
    assert found["better"].verdict == "better"
    assert found["noisy"].macro.p_value >= alone.macro.p_value
    assert "corrected after Holm, 2 models" in found["better"].sentence()


def test_runs_that_differ_more_than_the_models_do_not_tell(models):
    worse, better, labels, _ = models
    agreeing = compare([worse, worse, worse * 0.999], [better, better, better * 0.999], labels)
    assert agreeing.verdict == "better"
    assert "means of 3 and 3 trainings" in agreeing.sentence()
    differing = compare([worse, better, worse], [better, better, worse], labels)
    assert differing.verdict == "cannot tell"
    assert differing.macro.high - differing.macro.low > 3 * (agreeing.macro.high - agreeing.macro.low)


def test_a_class_that_one_model_never_has_a_value_for_counts_for_nothing(models):
    worse, better, labels, _ = models
    hidden = labels.copy()
    hidden[:, 2] = -1
    expected = compare(worse[:, :2], better[:, :2], labels[:, :2])
    found = compare(worse, better, hidden, class_names=["a", "b", "c"])
    assert found.macro.difference == pytest.approx(expected.macro.difference)
    assert np.isnan(found.per_class["c"].difference)
    assert "nan" in str(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "accuracy"}, "`metric` must be one of"),
        ({"b": np.ones((600, 2))}, "`b` must have the shape of `a`"),
        ({"b": {}}, "`b` must hold at least one model"),
        ({"a": [np.ones((600, 3)), np.ones((600, 2))]}, "`a` must hold runs of one shape"),
        ({"thresholds": [0.5]}, "`thresholds` must be"),
    ],
    ids=["metric", "shape", "no model", "runs", "thresholds"],
)
def test_wrong_arguments(models, change, message):
    worse, better, labels, _ = models
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        compare(**{"a": worse, "b": better, "labels": labels, **change})
