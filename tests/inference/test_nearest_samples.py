import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from keras_hpa import nearest_samples


def clusters(num, num_classes=3, num_groups=12, spread=1.0, seed=0):
    """Embeddings of samples of groups; a group has one set of labels, and a shift of its own."""
    rng = np.random.default_rng(seed)
    of_groups = (rng.uniform(size=(num_groups, num_classes)) < 0.4).astype(int)
    directions = rng.normal(size=(num_classes, 6))
    shifts = rng.normal(size=(num_groups, 6))
    groups = rng.integers(num_groups, size=num)
    labels = of_groups[groups]
    return labels @ directions + spread * (shifts[groups] + 0.3 * rng.normal(size=(num, 6))), labels, groups.tolist()


def by_hand(queries, own, known, theirs, k):
    distances = cdist(queries, known)
    for row, group in enumerate(own):
        distances[row, np.array(theirs) == group] = np.inf
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(distances, order, axis=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_equals_a_sorted_matrix_of_distances(seed, k):
    known, labels, theirs = clusters(40, seed=seed)
    queries, _, own = clusters(7, seed=seed + 1)
    found = nearest_samples(queries, known, labels, groups=own, reference_groups=theirs, k=k, metric="euclidean")
    order, distances = by_hand(queries, own, known, theirs, k)
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-5)
    np.testing.assert_allclose(found.shares, labels[order].mean(axis=1))


def test_samples_of_the_own_group_prove_nothing():
    known, labels, groups = clusters(400, spread=3.0)
    with_groups = nearest_samples(known, known, labels, groups=groups, reference_groups=groups)
    assert not (np.array(groups)[with_groups.indices] == np.array(groups)[:, None]).any()
    pretended = nearest_samples(known, known, labels, groups=range(400), reference_groups=range(400))
    right = [((found.shares >= 0.5) == labels).mean() for found in (with_groups, pretended)]
    assert right[1] > 0.99, "every sample has its twins in its own group"
    assert right[0] < right[1] - 0.05


def test_probabilities_are_right_as_often_as_they_say():
    embeddings, labels, groups = clusters(3000, num_groups=1500, spread=1.5)
    known = np.array(groups) < 750
    found = nearest_samples(
        embeddings[~known],
        embeddings[known],
        labels[known],
        groups=np.array(groups)[~known].tolist(),
        reference_groups=np.array(groups)[known].tolist(),
    )
    probabilities, truth = found.probabilities.ravel(), labels[~known].ravel()
    bins = np.digitize(probabilities, [0.2, 0.4, 0.6])
    assert all(abs((probabilities - truth)[bins == number].mean()) < 0.07 for number in np.unique(bins))
    assert len(np.unique(bins)) == 4
    assert np.corrcoef(probabilities, truth)[0, 1] > 0.3


def test_the_scale_of_a_feature_does_not_matter_to_the_cosine():
    known, labels, _ = clusters(60)
    scales = np.array([1, 1000, 1, 0.001, 1, 1])
    one, other = nearest_samples(known[:5], known, labels), nearest_samples(known[:5] * scales, known * scales, labels)
    np.testing.assert_array_equal(one.indices, other.indices)


def test_unknown_labels_count_for_nothing():
    known = np.array([[0.0], [0.1], [0.2]])
    found = nearest_samples([[0.0]], known, [[1, -1], [-1, -1], [0, -1]], k=3, metric="euclidean")
    np.testing.assert_array_equal(found.shares, [[0.5, np.nan]])
    assert np.isnan(found.probabilities[0, 1])
    assert np.isfinite(found.probabilities[0, 0])


def test_fewer_than_k_are_marked():
    found = nearest_samples([[0.0]], [[1.0], [2.0]], [[1], [0]], k=4, metric="euclidean")
    np.testing.assert_array_equal(found.indices, [[0, 1, -1, -1]])
    assert np.isinf(found.distances[0, 2:]).all()
    np.testing.assert_array_equal(found.shares, [[0.5]])
    assert [row["neighbour"] for row in found.rows(["new"], ["a", "b"])] == ["a", "b"]


def test_rows_say_who_the_neighbours_are():
    known, labels, _ = clusters(20)
    found = nearest_samples(known[:2], known, labels, k=3)
    rows = found.rows(["x", "y"], [f"known {number}" for number in range(20)], ["a", "b", "c"])
    assert [row["id"] for row in rows] == ["x"] * 3 + ["y"] * 3
    assert rows[0] | {"neighbour": "known 0", "rank": 1} == rows[0]
    assert rows[3]["share b"] == found.shares[1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": np.zeros((2, 5))}, "must have 5 features"),
        ({"embeddings": np.zeros(6)}, "`embeddings` must have shape"),
        ({"reference": np.full((20, 6), np.nan)}, "`reference` must be finite"),
        ({"labels": np.zeros((19, 3), int)}, "`labels` must have shape"),
        ({"labels": np.full((20, 3), 2)}, "`labels` must be 1, 0, or -1"),
        ({"k": 0}, "`k` must be"),
        ({"metric": "manhattan"}, "`metric` must be one of"),
        ({"groups": ["a", "b"]}, "must be given together"),
        ({"groups": ["a"], "reference_groups": ["b"] * 20}, "`groups` must hold one for each of 2"),
        ({"groups": ["a", "b"], "reference_groups": ["b"] * 20}, "whose group is 'b'"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    known, labels, _ = clusters(20)
    arguments = {"embeddings": known[:2], "reference": known, "labels": labels} | change
    with pytest.raises(ValueError, match=message):
        nearest_samples(**arguments)
