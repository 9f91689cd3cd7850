import csv

import numpy as np
import pytest

from keras_hpa import parse_labels, stratified_folds, stratified_split


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    return (rng.random((600, 8)) < np.geomspace(0.5, 0.02, 8)).astype(int)


@pytest.fixture
def groups():
    return np.random.default_rng(1).integers(90, size=600).tolist()


@pytest.mark.parametrize("with_groups", [False, True])
def test_folds_are_a_partition_with_every_class(labels, groups, with_groups):
    folds = stratified_folds(labels, 5, groups=groups if with_groups else None, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(600))
    for train, test in folds:
        np.testing.assert_array_equal(np.union1d(train, test), np.arange(600))
        assert not set(train) & set(test)
    counts = np.array([labels[test].sum(axis=0) for _, test in folds])
    assert np.abs(counts / labels.sum(axis=0) * 5 - 1).mean() < 0.1
    assert counts.min() >= 1


def test_groups_stay_whole(labels, groups):
    train, test = stratified_split(labels, 0.3, groups, seed=1)
    assert not {groups[i] for i in train} & {groups[i] for i in test}
    np.testing.assert_allclose(labels[test].sum(axis=0) / labels.sum(axis=0), 0.3, atol=0.05)


@pytest.mark.parametrize("with_groups", [False, True])
def test_seed_decides(labels, groups, with_groups):
    groups = groups if with_groups else None
    one, same, other = (stratified_split(labels, 0.2, groups, seed=seed)[1] for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert set(one) != set(other)


def test_unknown_labels_count_as_absent(labels):
    unknown = np.where(np.arange(8) == 0, -1, labels)
    absent = np.where(np.arange(8) == 0, 0, labels)
    np.testing.assert_array_equal(stratified_split(unknown)[1], stratified_split(absent)[1])


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda y: stratified_split(y, 0), "test_size"),
        (lambda y: stratified_split(y, 1), "test_size"),
        (lambda y: stratified_split(y, (0.2, 0.2)), r"`test_size`.*\(0.2, 0.2\)"),
        (lambda y: stratified_split(y, True), "`test_size`.*True"),
        (lambda y: stratified_split(y, "0.2"), "`test_size`"),
        (lambda y: stratified_split(y, float("nan")), "`test_size`"),
        (lambda y: stratified_split(y, seed=-1), "`seed`.*-1"),
        (lambda y: stratified_split(y, seed=None), "`seed`.*None"),
        (lambda y: stratified_split(y, groups=[None, *range(599)]), r"`groups`.*None at positions \[0\]"),
        (lambda y: stratified_split(y, groups=[float("nan"), *range(598), np.nan]), r"`groups`.*nan .*\[0, 599\]"),
        (lambda y: stratified_split(y, groups=[[]] * 600), "`groups`"),
        (lambda y: stratified_split(y, groups=3), "`groups`"),
        (lambda y: stratified_split(y, groups="x" * 600), "`groups`"),
        (lambda y: stratified_split(np.ma.masked_equal(y, 1)), "`labels`.*masked"),
        (lambda y: stratified_split(y.astype(str)), "`labels`"),
        (lambda y: stratified_split(y.astype("uint8") - 1), "`labels`.*255"),
        (lambda y: stratified_folds(y, 2.5), "num_folds.*2.5"),
        (lambda y: stratified_folds(y, 5, groups=[np.nan] * 600), "`groups`"),
        (lambda y: stratified_split(y[:1]), "training|test set empty"),
        (lambda y: stratified_split(y, groups=[1] * 600), "set empty.*1 groups"),
        (lambda y: stratified_split(y, groups=[1]), "`groups`"),
        (lambda y: stratified_split(y[0]), "shape"),
        (lambda y: stratified_split(y * 2), "Received"),
        (lambda y: stratified_folds(y, 1), "num_folds"),
        (lambda y: stratified_folds(y[:3], 5), "samples, 3"),
        (lambda y: stratified_folds(y, 5, groups=[0] * 300 + [1] * 300), "groups, 2"),
    ],
)
def test_what_cannot_be_is_refused(labels, split, message):
    with pytest.raises(ValueError, match=message):
        split(labels)


@pytest.mark.real_data
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_real_labels(real_data, seed):
    with (real_data / "labels" / "train.csv").open() as file:
        labels = parse_labels([row["Target"] for row in csv.DictReader(file)], 28)
    counts = np.array([labels[test].sum(axis=0) for _, test in stratified_folds(labels, 5, seed=seed)])
    assert np.abs(counts / (labels.sum(axis=0) / 5) - 1).mean() <= 0.015
    assert counts.min() >= 2
    test = stratified_split(labels, 0.2, seed=seed)[1]
    assert np.abs(labels[test].sum(axis=0) / (labels.sum(axis=0) * 0.2) - 1).mean() <= 0.03


@pytest.mark.parametrize("num_groups", [3, 4, 8])
def test_few_groups_with_classes_of_their_own_leave_no_part_empty(num_groups):
    labels = np.repeat(np.eye(num_groups, dtype=int), 20, axis=0)
    groups = np.repeat(np.arange(num_groups), 20)
    for seed in range(10):
        train, test = stratified_split(labels, test_size=0.25, groups=list(groups), seed=seed)
        assert len(test) in (20, 40)
        assert not set(groups[train]) & set(groups[test])
    folds = stratified_folds(labels, num_groups, groups=list(groups))
    assert [len(test) for _, test in folds] == [20] * num_groups
