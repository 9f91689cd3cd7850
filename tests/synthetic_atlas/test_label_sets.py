import csv
from collections import Counter

import numpy as np
import pytest

from keras_hpa import atlas, format_labels
from keras_hpa.synthetic_atlas import SyntheticAtlas
from keras_hpa.synthetic_atlas.label_sets import draw_labels


def test_atlas_balance_has_the_real_frequencies_and_pairs():
    labels = draw_labels(60_000, "atlas", seed=0).astype(int)
    expected = np.array(atlas.CLASS_COUNTS) / 31072
    np.testing.assert_allclose(labels.mean(0), expected, atol=5 * np.sqrt(expected / 60_000).max())
    assert labels.sum(1).mean() == pytest.approx(1.634, abs=0.02)
    pairs = labels.T @ labels / 60_000
    for first, second, count in ((0, 25, 3631), (0, 2, 1735), (0, 21, 1343), (0, 7, 1092)):
        assert pairs[first, second] == pytest.approx(count / 31072, rel=0.1)
    assert pairs[10, 9] == pairs[10, 10]  # lysosomes never come without endosomes


def test_uniform_balance_makes_classes_equally_frequent():
    labels = draw_labels(28_000, "uniform", seed=0).astype(int)
    assert labels.sum(1).mean() == pytest.approx(1.634, abs=0.02)
    assert labels.sum(1).min() == 1
    np.testing.assert_allclose(labels.mean(0), 1.634 / 28, rtol=0.06)


@pytest.mark.parametrize("balance", ["atlas", "uniform"])
def test_first_labels_do_not_depend_on_how_many_follow(balance):
    many = draw_labels(500, balance, seed=3)
    for count in (0, 1, 27, 28, 29, 200):
        np.testing.assert_array_equal(draw_labels(count, balance, seed=3), many[:count])
    assert (draw_labels(500, balance, seed=4) != many).any()


def test_wrong_labels_are_the_share_asked_for():
    source = SyntheticAtlas(4000, balance="uniform", wrong_labels=0.25)
    clean = SyntheticAtlas(4000, balance="uniform")
    np.testing.assert_array_equal(source.true_labels, clean.labels)
    np.testing.assert_array_equal(clean.true_labels, clean.labels)
    assert (source.labels != source.true_labels).any(1).mean() == pytest.approx(0.25, abs=0.03)
    assert source.labels.any(1).all()


@pytest.mark.real_data
def test_label_sets_are_those_of_the_challenge(real_data):
    from keras_hpa.synthetic_atlas.label_sets import _atlas_label_sets

    with (real_data / "labels" / "train.csv").open() as file:
        rows = Counter(frozenset(row["Target"].split()) for row in csv.DictReader(file))
    sets, counts = _atlas_label_sets()
    assert {frozenset(text.split()): count for text, count in zip(format_labels(sets), counts, strict=True)} == rows
