import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.metrics import f1_score

from keras_hpa import ProbabilityCalibrator, ThresholdCalibrator
from keras_hpa.thresholds import Prevalence, Resampled, estimate_prevalence

_SKILL = np.array([3.0, 2.5, 3.5, 0.0])


def _draw(shares, num_samples, seed, *, skill=_SKILL):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(num_samples, len(shares))) < shares).astype(int)
    return expit(1.5 * (rng.normal(size=labels.shape) + skill * labels - skill / 2)), labels


def test_shares_of_another_population_are_found_and_intervals_hold_them():
    scores, labels = _draw([0.3, 0.1, 0.2, 0.2], 2000, 0)
    new, truth = _draw([0.1, 0.3, 0.4, 0.5], 4000, 1)
    found = estimate_prevalence(scores, labels, new)
    assert found.is_told.tolist() == [True, True, True, False], "the last class is hardly known"
    np.testing.assert_allclose(found.shares[:3], truth.mean(axis=0)[:3], rtol=0.15)
    assert ((found.low < truth.mean(axis=0)) & (truth.mean(axis=0) < found.high))[:3].all()
    assert found.shares[3] == labels[:, 3].mean()
    wider = estimate_prevalence(scores, labels, new, confidence=0.999)
    assert ((wider.low < found.low) & (found.high < wider.high)).all()


def test_the_estimate_is_the_likeliest_share_under_the_calibrated_scores():
    scores, labels = _draw([0.3], 4000, 0, skill=np.array([3.0]))
    new, _ = _draw([0.1], 2000, 1, skill=np.array([3.0]))
    calibrated = ProbabilityCalibrator().fit(scores, labels)
    odds = logit(calibrated.transform(new)) - logit(labels.mean())

    def loss(at):  # both parts stand in the class's documentation
        likelihood = (np.logaddexp(0, at + odds) - np.logaddexp(0, at)).sum()
        return (at - logit(labels.mean())) ** 2 / 2 - likelihood / (1 + 2000 / 4000)

    best = expit(minimize_scalar(loss, bounds=(-6, 3), method="bounded").x)
    assert estimate_prevalence(scores, labels, new).shares[0] == pytest.approx(best, rel=0.05)


def test_coverage_of_the_intervals():
    held = []
    for seed in range(40):
        scores, labels = _draw([0.3, 0.1, 0.2], 500, [seed, 0], skill=_SKILL[:3])
        shares = np.random.default_rng(seed).uniform(0.05, 0.4, 3)
        new, _ = _draw(shares, 1000, [seed, 1], skill=_SKILL[:3])
        found = estimate_prevalence(scores, labels, new)
        held.append((found.low <= shares) & (shares <= found.high))
    assert np.mean(held) >= 0.9


def test_thresholds_suit_the_other_population():
    scores, labels = _draw([0.3, 0.1, 0.2, 0.2], 2000, 0)
    new, truth = _draw([0.05, 0.4, 0.5, 0.2], 4000, 1)
    plain = ThresholdCalibrator("prevalence").fit(scores, labels)
    calibrator = ThresholdCalibrator(Prevalence(from_scores=new)).fit(scores, labels)
    before, after, best = (
        f1_score(truth[:, :3], predicted, average="macro")
        for predicted in (
            plain.predict(new)[:, :3],
            calibrator.predict(new)[:, :3],
            np.stack([new[:, c] >= np.quantile(new[:, c], 1 - truth[:, c].mean()) for c in range(3)], axis=1),
        )
    )
    assert after - before > 0.5 * (best - before) > 0.01
    assert calibrator.flags_ == [(), (), (), ("prevalence not told",)]
    assert calibrator.thresholds_[3] == plain.thresholds_[3]


def test_without_a_shift_hardly_anything_changes():
    scores, labels = _draw([0.3, 0.1, 0.2], 2000, 0, skill=_SKILL[:3])
    new, truth = _draw([0.3, 0.1, 0.2], 4000, 1, skill=_SKILL[:3])
    plain, estimated = (
        f1_score(truth, ThresholdCalibrator(rule).fit(scores, labels).predict(new), average="macro")
        for rule in (Prevalence(), Prevalence(from_scores=new))
    )
    assert abs(estimated - plain) < 0.01


def test_logits_give_the_same():
    scores, labels = _draw([0.3, 0.1, 0.2, 0.2], 1000, 0)
    new, _ = _draw([0.1, 0.3, 0.4, 0.2], 1000, 1)
    found = estimate_prevalence(scores, labels, new)
    of_logits = estimate_prevalence(logit(scores), labels, logit(new), from_logits=True)
    np.testing.assert_allclose(of_logits.shares, found.shares, rtol=1e-6)
    calibrator = ThresholdCalibrator(Prevalence(from_scores=logit(new)), from_logits=True).fit(logit(scores), labels)
    assert (np.abs(calibrator.thresholds_) < 10).all()


def test_absent_and_unknown_labels_and_ties():
    scores, labels = _draw([0.3, 0.1, 0.2, 0.2], 600, 0)
    labels[:, 1], labels[:, 2], labels[:200, 3] = 0, -1, -1
    new, _ = _draw([0.5, 0.1, 0.2, 0.2], 600, 1)
    calibrator = ThresholdCalibrator(Prevalence(from_scores=new.round(1))).fit(scores.round(1), labels)
    assert np.isfinite(calibrator.thresholds_[0])
    assert (calibrator.thresholds_[1:3] == np.inf).all()
    assert estimate_prevalence(scores, labels, new).is_told.tolist()[1:3] == [False, False]


def test_a_few_broken_images_count_for_no_more_than_positives_do():
    scores, labels = _draw([0.02], 3000, 0, skill=np.array([3.0]))
    new, _ = _draw([0.02], 3000, 1, skill=np.array([3.0]))
    before = estimate_prevalence(scores, labels, new).shares
    new[:5] = 1.0
    assert estimate_prevalence(scores, labels, new).shares == pytest.approx(before, abs=2 * 5 / 3000)


def test_the_rule_is_compared_cloned_and_saved(tmp_path):
    scores, labels = _draw([0.3, 0.1], 300, 0, skill=_SKILL[:2])
    rule = Prevalence(from_scores=scores[:50])
    assert rule == Prevalence(from_scores=scores[:50].tolist()) != Prevalence(from_scores=scores[:51])
    assert hash(rule) == hash(Prevalence(from_scores=scores[:50]))
    calibrator = clone(ThresholdCalibrator(rule)).fit(scores, labels)
    calibrator.save(tmp_path / "calibrator.json")
    loaded = ThresholdCalibrator.load(tmp_path / "calibrator.json")
    assert loaded.rule == rule
    np.testing.assert_array_equal(loaded.predict(scores), calibrator.predict(scores))


def test_what_does_not_fit_is_refused():
    scores, labels = _draw([0.3, 0.1], 100, 0, skill=_SKILL[:2])
    with pytest.raises(ValueError, match=r"`from_scores` must have 2 columns, one per class. Received: 3"):
        ThresholdCalibrator(Prevalence(from_scores=np.zeros((5, 3)))).fit(scores, labels)
    with pytest.raises(ValueError, match="`from_scores` must not be given with `shares`"):
        Prevalence(0.5, from_scores=scores)
    with pytest.raises(ValueError, match=r"`from_scores` must be numbers of shape .* Received: shape \(3,\)"):
        Prevalence(from_scores=[0.1, 0.2, 0.3])
    with pytest.raises(ValueError, match="`from_scores` must be in"):
        estimate_prevalence(scores, labels, scores + 2)
    with pytest.raises(ValueError, match="`sample_weight` must not be given with `from_scores`"):
        ThresholdCalibrator(Prevalence(from_scores=scores)).fit(scores, labels, np.arange(100))
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1. Received: 1"):
        estimate_prevalence(scores, labels, scores, confidence=1)
    with pytest.raises(ValueError, match="`rule` must not estimate shares of new data"):
        Resampled(Prevalence(from_scores=scores))
