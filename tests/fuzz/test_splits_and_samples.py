"""Splits, folds, and what stands between the brackets of samples."""

import numpy as np
import pytest

import keras_hpa
from tests.fuzz.feed import feed, inputs
from tests.fuzz.odd_values import NUMBERS, OBJECTS, label_matrix, pick, spoiled

_SEEDS = [0, 1, 2, 2**31, np.int64(3)]
_ODD_SEEDS = [-1, None, 1.5, 2**32, "0", True]


def _draw_groups(rng, count):
    if rng.random() < 0.5:
        return None
    groups = rng.integers(1 + count // 3, size=count)
    return pick(rng, [groups, groups.tolist(), [f"plate {one}" for one in groups], spoiled(np.arange(count), rng)])


def _draw_seed(rng):
    return pick(rng, _SEEDS) if rng.random() < 0.9 else pick(rng, _ODD_SEEDS)


def _check_parts(parts, count, groups):
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    assert all(len(part) for part in parts)
    assert all((np.diff(part) > 0).all() for part in parts)
    if groups is not None:
        groups = list(groups)
        places = [{groups[one] for one in part} for part in parts]
        assert len(set().union(*places)) == sum(map(len, places)), "a group is split"


def _split(rng):
    labels = spoiled(label_matrix(rng), rng)
    count = len(labels) if hasattr(labels, "__len__") else 3
    groups, seed = _draw_groups(rng, count), _draw_seed(rng)
    if rng.random() < 0.5:
        size = pick(rng, [0.2, 0.5, 0.1]) if rng.random() < 0.8 else pick(rng, [*NUMBERS, *OBJECTS])
        parts = keras_hpa.stratified_split(labels, size, groups, seed)
        assert len(parts) == 2
        if groups is None:
            assert abs(len(parts[1]) - size * count) <= 2 + np.shape(labels)[1]
    else:
        num_folds = pick(rng, [2, 3, 5]) if rng.random() < 0.8 else pick(rng, [*NUMBERS, *OBJECTS])
        folds = keras_hpa.stratified_folds(labels, num_folds, groups=groups, seed=seed)
        assert len(folds) == num_folds
        for train, test in folds:
            np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(count))
        parts = [test for _, test in folds]
    _check_parts(parts, count, groups)


def _draw_samples(rng):
    labels = label_matrix(rng)
    count = len(labels)
    images = np.arange(count, dtype="u1").reshape(-1, 1, 1, 1)
    ids = [f"s{number}" for number in range(count)]
    odd_ids = [np.array(ids), ids[1:], ids[:1] * count, "ab", [ids], range(count), *OBJECTS]
    source = keras_hpa.ArraySource(images, ids if rng.random() < 0.9 else pick(rng, odd_ids))
    groups = _draw_groups(rng, count)
    samples = keras_hpa.Samples(
        source,
        spoiled(labels, rng) if rng.random() < 0.2 else pick(rng, [labels, labels, labels, None]),
        class_names=list("abcdefg")[: labels.shape[1]] if rng.random() < 0.9 else pick(rng, [*OBJECTS, ["a", "A"]]),
        groups=groups,
        metadata={"number": list(range(count))} if rng.random() < 0.9 else pick(rng, [{"number": []}, *OBJECTS]),
    )
    assert samples.ids == tuple(source.ids)
    assert samples.labels is None or samples.labels.shape == labels.shape
    return samples


def _numbers(samples):
    """What stands in the images; ids, labels, groups and metadata must have come along."""
    numbers = [int(samples.read(position).item()) for position in range(len(samples))]
    assert len(samples.ids) == len(numbers)
    assert samples.labels is None or len(samples.labels) == len(numbers)
    assert samples.groups is None or len(samples.groups) == len(numbers)
    if samples.metadata:
        assert samples.metadata["number"] == numbers
    return np.array(numbers, int)


def _split_samples(rng):
    samples = _draw_samples(rng)
    seed = _draw_seed(rng)
    if rng.random() < 0.5:
        sizes = {name: pick(rng, [0.2, 0.3]) for name in ("test_size", "validation_size") if rng.random() < 0.7}
        if rng.random() < 0.2:
            sizes[pick(rng, ["test_size", "validation_size"])] = pick(rng, [*NUMBERS, *OBJECTS, 0.9, (0.2, 0.2)])
        parts = samples.split(**sizes, seed=seed)
        assert len(parts) == 1 + len([size for size in sizes.values() if size is not None])
    else:
        num_folds = pick(rng, [2, 3, 5]) if rng.random() < 0.8 else pick(rng, [*NUMBERS, *OBJECTS])
        folds = samples.folds(num_folds, seed=seed)
        parts = [test for _, test in folds]
        for train, test in folds:
            assert sorted([*_numbers(train), *_numbers(test)]) == list(range(len(samples)))
    _check_parts([_numbers(part) for part in parts], len(samples), samples.groups)
    for part in parts:
        _check_rows(part, samples)


def _check_rows(part, samples):
    numbers = _numbers(part)
    assert part.ids == tuple(samples.ids[number] for number in numbers)
    assert part.class_names == samples.class_names
    if samples.labels is not None:
        np.testing.assert_array_equal(part.labels, samples.labels[numbers])
    if samples.groups is not None:
        assert part.groups == [samples.groups[number] for number in numbers]


def _index_samples(rng):
    count = int(rng.integers(1, 9))
    images = np.arange(count, dtype="u1").reshape(-1, 1, 1, 1)
    ids = [f"s{number}" for number in rng.permutation(count)]
    labels = (images.reshape(-1, 1) % 3 == [0, 1, 2]).astype(int)
    samples = keras_hpa.Samples(
        keras_hpa.ArraySource(images, ids), labels, groups=ids, metadata={"number": list(range(count))}
    )
    mask, order = rng.random(count) < 0.5, rng.permutation(count)[: rng.integers(1, count + 1)]
    ends = [None, *range(-count - 2, count + 3)]
    key, expected = pick(
        rng,
        [
            (mask, np.flatnonzero(mask)),
            (mask.tolist(), np.flatnonzero(mask)),
            (order, order),
            (order.astype(pick(rng, ["i4", "u2", "u8"])), order),
            ((order - count).tolist(), order),
            (tuple(order), order),
            ([ids[one] for one in order], order),
            (np.array([ids[one] for one in order]), order),
            (range(count), np.arange(count)),
            (pick(rng, ids), None),
            (int(order[0]), order[:1]),
            (np.int64(order[0]), order[:1]),
            (slice(pick(rng, ends), pick(rng, ends), pick(rng, [None, 1, 2, -1, -2])), None),
            (spoiled(order, rng), None),
            (spoiled(mask, rng), None),
            ([int(order[0]), pick(rng, [*NUMBERS, *OBJECTS, "s0", "x", count, -count - 1])], None),
            (
                pick(
                    rng,
                    [
                        *NUMBERS,
                        *OBJECTS,
                        "x",
                        b"s0",
                        "",
                        {"s0"},
                        [],
                        ...,
                        (),
                        [[0]],
                        slice("a"),
                        slice(None, 1.5),
                        slice(0, 1, 0),
                    ],
                ),
                None,
            ),
        ],
    )
    part = samples[key]
    _check_rows(part, samples)
    numbers = _numbers(part)
    assert len(set(numbers)) == len(numbers)
    if isinstance(key, slice):
        expected = np.arange(count)[key]
    elif isinstance(key, str):
        expected = np.array([ids.index(key)])
    if expected is not None:
        np.testing.assert_array_equal(numbers, expected)
    with pytest.raises(IndexError):
        part.read(len(part))


@inputs(20_000)
def test_a_split_is_right_or_refused(number):
    feed(_split, number)


@inputs(8_000)
def test_samples_are_split_rightly_or_refused(number):
    feed(_split_samples, number)


@inputs(16_000)
def test_samples_are_selected_rightly_or_refused(number):
    feed(_index_samples, number)
