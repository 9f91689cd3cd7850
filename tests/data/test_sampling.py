import numpy as np
import pytest

from keras_hpa import RareLabels
from keras_hpa.data.sampling import with_replacement, without_replacement


@pytest.mark.parametrize("power", [0, 0.5, 1])
def test_samples_are_drawn_as_often_as_their_rarest_label_demands(power):
    labels = np.zeros((60, 3), int)
    labels[:50, 0] = labels[40:58, 1] = labels[56:58, 2] = 1
    draw = RareLabels(labels, power=power)
    rarest = np.array([50] * 40 + [18] * 16 + [2] * 2 + [60] * 2)
    weights = rarest ** -float(power)
    expected = 60 * weights / weights.sum()
    counts = np.array([np.bincount(draw(np.random.default_rng(seed), 60), minlength=60) for seed in range(300)])
    assert (counts.sum(axis=1) == 60).all()
    assert (counts >= np.floor(expected)).all()
    assert (counts <= np.ceil(expected)).all()
    np.testing.assert_allclose(counts.mean(axis=0), expected, atol=0.15)


def test_unknown_labels_do_not_count():
    labels = np.array([[1, 0], [1, -1], [0, 1]])
    np.testing.assert_array_equal(RareLabels(labels).expected, RareLabels(np.maximum(labels, 0)).expected)


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [([0, 1], {}, "`labels`"), (np.zeros((0, 2)), {}, "`labels`"), ([[1]], {"power": 2}, "`power`")],
)
def test_wrong_argument_is_named(labels, arguments, message):
    with pytest.raises(ValueError, match=message):
        RareLabels(labels, **arguments)


def test_labels_of_other_samples_are_refused():
    with pytest.raises(ValueError, match="3 samples"):
        RareLabels([[1], [1]])(np.random.default_rng(0), 3)


def test_uniform_draws():
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(np.sort(without_replacement(rng, 50)), np.arange(50))
    assert len(set(with_replacement(rng, 1000))) == pytest.approx(1000 * (1 - np.exp(-1)), abs=40)
