import numpy as np
import pytest

from keras_hpa.evaluation import probability_intervals
from keras_hpa.thresholds import ProbabilityCalibrator

_NEW = np.array([[0.1] * 3, [0.5] * 3, [0.9] * 3])


def _truth(scores):
    """What a score is worth: the network is too sure, and misses the share of positives."""
    return 1 / (1 + np.exp(-(0.6 * np.log(scores / (1 - scores)) - 0.5)))


def _draw(rng, num_samples):
    scores = rng.uniform(0.02, 0.98, (num_samples, 3))
    return scores, (rng.uniform(size=scores.shape) < _truth(scores)).astype(int)


def test_intervals_hold_the_true_probability_as_often_as_they_say():
    rng, held = np.random.default_rng(0), []
    for seed in range(25):
        low, high = probability_intervals(
            ProbabilityCalibrator("platt"), *_draw(rng, 200), _NEW, confidence=0.9, num_draws=60, seed=seed
        )
        held.append((low <= _truth(_NEW)) & (_truth(_NEW) <= high))
    assert 0.8 < np.mean(held) < 0.98


def test_they_are_narrow_where_much_is_known_and_wide_where_groups_are_few():
    rng = np.random.default_rng(1)
    few, many = (
        probability_intervals(ProbabilityCalibrator("platt"), *_draw(rng, n), _NEW, num_draws=50) for n in (50, 2000)
    )
    assert ((few[1] - few[0]) > 2 * (many[1] - many[0])).all()
    scores, labels = _draw(rng, 40)
    repeated = np.repeat(scores, 10, axis=0), np.repeat(labels, 10, axis=0)
    alone, grouped = (
        probability_intervals(ProbabilityCalibrator("platt"), *repeated, _NEW, groups=groups, num_draws=50)
        for groups in (None, np.repeat(np.arange(40), 10).tolist())
    )
    assert ((grouped[1] - grouped[0]) > 1.3 * (alone[1] - alone[0])).mean() > 0.8


def test_the_same_seed_gives_the_same_and_the_calibrator_stays_as_it_was():
    scores, labels = _draw(np.random.default_rng(2), 100)
    calibrator = ProbabilityCalibrator()
    one, other = (probability_intervals(calibrator, scores, labels, _NEW, num_draws=20, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert not hasattr(calibrator, "maps_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"calibrator": "platt"}, "`calibrator` must be a ProbabilityCalibrator"),
        ({"confidence": 95}, "`confidence` must be a number between 0 and 1. Received: 95"),
        ({"num_draws": 5}, "`num_draws` must be a whole number, at least 20. Received: 5"),
        ({"new_scores": [[0.5] * 2]}, "3|2"),
        ({"groups": ["a"]}, "groups"),
    ],
)
def test_wrong_argument_is_named(options, message):
    scores, labels = _draw(np.random.default_rng(3), 30)
    given = {"calibrator": ProbabilityCalibrator(), "scores": scores, "labels": labels, "new_scores": _NEW}
    with pytest.raises(ValueError, match=message):
        probability_intervals(**given | options)
