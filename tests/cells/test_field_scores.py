"""Scores of fields from cells, and of cells that know of their field."""

import numpy as np
import pytest

from keras_hpa import ArraySource
from keras_hpa.cells import CellCrops, blend_scores, pool_scores

COUNTS = {"A": 3, "B": 1, "C": 2}


@pytest.fixture(scope="module")
def crops():
    masks = [np.pad(np.diag(np.arange(1, count + 1)), (0, 4 - count)) for count in COUNTS.values()]
    return CellCrops(ArraySource(np.ones((3, 4, 4, 1)), list(COUNTS)), masks, size=4)


SCORES = np.random.default_rng(0).uniform(size=(6, 5))


@pytest.mark.parametrize("how", ["max", "mean", "noisy_or"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5], [5, 2, 0, 3, 1, 4], [4, 3]])
def test_fields_from_cells(crops, how, order):
    chosen = crops[order]
    pooled = pool_scores(chosen, SCORES[order], how=how)
    assert list(pooled) == list(dict.fromkeys("AAABCC"[place] for place in order))
    for field, found in pooled.items():
        own = [SCORES[place] for place in order if "AAABCC"[place] == field]
        for column, value in enumerate(found):
            values = [row[column] for row in own]
            absent = 1.0
            for score in values:
                absent *= 1 - score
            expected = {"max": max(values), "mean": sum(values) / len(values), "noisy_or": 1 - absent}[how]
            assert value == pytest.approx(expected)


@pytest.mark.parametrize("how", ["product", "mean"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 1])
def test_cells_from_fields(crops, how, share):
    of_fields = {field: np.random.default_rng(ord(field)).uniform(size=5) for field in "CBAX"}
    found = blend_scores(crops, SCORES, of_fields, how=how, field_share=share)
    for place, field in enumerate("AAABCC"):
        for column in range(5):
            cell, whole = SCORES[place, column], of_fields[field][column]
            mean = (1 - share) * cell + share * whole
            product = np.exp((1 - share) * np.log(cell) + share * np.log(whole))
            assert found[place, column] == pytest.approx({"mean": mean, "product": product}[how])


def test_a_class_that_is_not_in_the_field_is_in_none_of_its_cells(crops):
    of_fields = dict.fromkeys("ABC", (0, 1, 1, 1, 1))
    assert (blend_scores(crops, SCORES, of_fields)[:, 0] == 0).all()
    zeros = blend_scores(crops, np.zeros((6, 5)), dict.fromkeys("ABC", np.zeros(5)))
    np.testing.assert_array_equal(zeros, 0)


def test_scores_of_fields_count_for_nothing_with_no_share(crops):
    found = blend_scores(crops, SCORES, dict.fromkeys("ABC", np.zeros(5)), field_share=0)
    np.testing.assert_array_equal(found, SCORES)


@pytest.mark.parametrize(
    ("scores", "of_fields", "options", "message"),
    [
        (SCORES[:5], {}, {}, r"`scores` must have shape \(6, num_classes\). Received: shape \(5, 5\)"),
        (SCORES + 1, {}, {}, r"`scores` must lie in 0 to 1"),
        (SCORES * np.nan, {}, {}, r"`scores` must lie in 0 to 1. Received: nan"),
        (SCORES, {"A": np.ones(5)}, {}, r"scores of every field. Received: none for 'B'"),
        (SCORES, dict.fromkeys("ABC", np.ones(4)), {}, r"5 numbers from 0 to 1 for each field. .* for 'A'"),
        (SCORES, dict.fromkeys("ABC", np.full(5, np.nan)), {}, r"5 numbers from 0 to 1"),
        (SCORES, {}, {"how": "sum"}, r"`how` must be one of \['product', 'mean'\]. Received: 'sum'"),
        (SCORES, {}, {"field_share": 1.1}, r"`field_share` must be a number from 0 to 1. Received: 1.1"),
        (SCORES, {}, {"field_share": True}, r"`field_share` must be a number"),
    ],
)
def test_wrong_blends(crops, scores, of_fields, options, message):
    with pytest.raises(ValueError, match=message):
        blend_scores(crops, scores, of_fields, **options)


def test_wrong_pooling(crops):
    with pytest.raises(ValueError, match=r"`how` must be one of .* Received: 'median'"):
        pool_scores(crops, SCORES, how="median")
    with pytest.raises(ValueError, match="`cells` must be `CellCrops`"):
        pool_scores(crops.fields, SCORES)
