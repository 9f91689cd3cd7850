import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_hpa import (
    ArraySource,
    MultiChannelSequence,
    Samples,
    Source,
    SyntheticAtlas,
    atlas,
    select_channels,
    stratified_folds,
    stratified_split,
    subset,
)


def _source(num_samples, num_channels=2):
    """Images whose value is their number; ids are "s0", "s1", ..."""
    images = np.arange(num_samples, dtype=np.uint8)[:, None, None, None] * np.ones((2, 3, num_channels), np.uint8)
    return ArraySource(images, [f"s{number}" for number in range(num_samples)])


def _samples(num_samples=60, **known):
    """Labels, groups and metadata tell the number of the sample."""
    labels = np.arange(num_samples)[:, None] >> np.arange(6) & 1
    known = {"groups": [number // 2 for number in range(num_samples)], "metadata": {"n": range(num_samples)}} | known
    return Samples(_source(num_samples), labels, class_names=[f"bit {bit}" for bit in range(6)], **known)


def _numbers(samples):
    """The numbers of the samples, after a check that all that is known of each belongs to it."""
    numbers = [int(sample_id[1:]) for sample_id in samples.ids]
    assert [int(samples.read(index).max()) for index in range(len(samples))] == numbers
    np.testing.assert_array_equal(samples.labels @ (1 << np.arange(6)), numbers)
    assert samples.labels.shape == (len(numbers), 6)
    assert samples.groups == [number // 2 for number in numbers]
    assert samples.metadata == {"n": numbers}
    assert samples.class_names == tuple(f"bit {bit}" for bit in range(6))
    return numbers


@pytest.mark.parametrize(
    ("key", "numbers"),
    [
        (3, [3]),
        (-1, [59]),
        (np.int64(7), [7]),
        (np.array(7), [7]),
        ("s12", [12]),
        (slice(2, 10, 3), [2, 5, 8]),
        (slice(None, None, -30), [59, 29]),
        ([5, -60, 2], [5, 0, 2]),
        ((5, 2), [5, 2]),
        (range(3), [0, 1, 2]),
        (np.array([58, 1], "uint8"), [58, 1]),
        (["s4", "s3"], [4, 3]),
        (np.array(["s4", "s3"]), [4, 3]),
        ([True] + [False] * 58 + [True], [0, 59]),
        (np.arange(60) % 20 == 7, [7, 27, 47]),
        ([], []),
    ],
)
def test_every_key_gives_samples_of_which_all_is_known(key, numbers):
    samples = _samples()
    part = samples[key]
    assert isinstance(part, Samples)
    assert isinstance(part, Source)
    assert _numbers(part) == numbers
    assert len(part) == len(numbers)


@given(st.data())
def test_keys_do_what_numpy_does(data):
    samples, expected = _samples(), np.arange(60)
    for _ in range(3):
        orders = st.permutations(range(len(expected))).flatmap(lambda order: st.sampled_from([order[::2], order[:3]]))
        masks = st.lists(st.booleans(), min_size=len(expected), max_size=len(expected)).filter(len)
        key = data.draw(st.one_of(st.slices(len(expected)), orders, masks))
        samples, expected = samples[key], expected[np.array(key, int) if key == [] else key]
    assert _numbers(samples) == expected.tolist()


def test_samples_end_when_they_are_looped_over():
    assert [_numbers(one) for one in _samples(5)] == [[number] for number in range(5)]


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (60, IndexError, "0 to 59. Received: 60"),
        ([0, -61], IndexError, "0 to 59. Received: -61"),
        ("s60", KeyError, "'s60'"),
        (["s1", "x"], KeyError, "'x'"),
        ([True, False], IndexError, "one boolean per sample, 60. Received: 2"),
        (True, IndexError, "one boolean per sample"),
        ([1, 1], ValueError, "must not repeat"),
        (["s1", "s1"], ValueError, "must not repeat"),
        ([0, -60], ValueError, "must not repeat"),
        (1.5, TypeError, "Received: 1.5"),
        (None, TypeError, "Received: None"),
        ([0.0, 1.0], TypeError, "Received: 0.0"),
        ([[0, 1]], TypeError, r"Received: \[0, 1\]"),
    ],
)
def test_wrong_key_is_named(key, error, message):
    samples = _samples()
    with pytest.raises(error, match=message):
        samples[key]


def test_a_subset_of_samples_and_chosen_channels_are_samples():
    samples = _samples()
    assert _numbers(subset(samples, [9, 3])) == [9, 3]
    for chosen in (samples.select_channels(["channel2"]), select_channels(samples, ["channel2"])):
        assert _numbers(chosen) == list(range(60))
        assert chosen.channels == ("channel2",)
        assert chosen.read(3).shape == (2, 3, 1)


def test_packed_samples_are_the_same(tmp_path):
    samples = _samples(10)[::-2]
    packed = samples.packed(tmp_path / "pack", image_size=4, verbose=0)
    assert _numbers(packed) == [9, 7, 5, 3, 1]
    assert packed.read(0).shape == (4, 4, 2)
    assert "PackedSource" in repr(packed)


@pytest.mark.parametrize("kept", [_samples(), _samples()[3:9]])
def test_pickled_samples_are_the_same(kept):
    assert _numbers(pickle.loads(pickle.dumps(kept))) == _numbers(kept)


def test_what_samples_are_is_written():
    text = repr(_samples()[:7])
    assert text.startswith("<7 samples, 6 classes, 4 groups; from ")
    assert "no labels" in repr(Samples(_source(2)))


def test_batches_have_the_labels():
    batches = _samples().batches(batch_size=7, shuffle=True, seed=3, dtype="source")
    assert isinstance(batches, MultiChannelSequence)
    seen = []
    for index in range(len(batches)):
        images, labels = batches[index]
        np.testing.assert_array_equal(images[:, 0, 0, 0], labels @ (1 << np.arange(6)))
        seen += images[:, 0, 0, 0].tolist()
    assert sorted(seen) == list(range(60))
    images = _samples().batches(batch_size=7).in_order(2, 4)[0]
    assert images.shape == (2, 2, 3, 2), "without labels"
    assert MultiChannelSequence(Samples(_source(3)))[0].shape == (3, 2, 3, 2)


def test_split_is_stratified_split():
    labels = _samples(groups=None).labels
    for sizes in ({"test_size": 0.25}, {"validation_size": 0.25}):
        parts = _samples(groups=None).split(**sizes, seed=4)
        for part, positions in zip(parts, stratified_split(labels, 0.25, seed=4), strict=True):
            assert [int(sample_id[1:]) for sample_id in part.ids] == positions.tolist()


@pytest.mark.parametrize("known", [{}, {"groups": None}])
@pytest.mark.parametrize("has_labels", [True, False])
def test_three_parts_have_their_shares_and_groups_are_whole(known, has_labels):
    samples = _samples(**known)
    if not has_labels:
        samples = Samples(samples.source, groups=samples.groups)
    parts = samples.split(test_size=0.3, validation_size=0.2)
    assert [len(part) for part in parts] == pytest.approx([30, 12, 18], abs=3)
    assert sorted(sample_id for part in parts for sample_id in part.ids) == sorted(samples.ids)
    if samples.groups is not None:
        assert sum(len(set(part.groups)) for part in parts) == 30
    if has_labels:
        for part in parts:
            np.testing.assert_allclose(part.labels.mean(axis=0), samples.labels.mean(axis=0), atol=0.25)
    assert [part.ids for part in samples.split(test_size=0.3, validation_size=0.2)] == [part.ids for part in parts]
    assert [part.ids for part in samples.split(test_size=0.3, validation_size=0.2, seed=1)] != [
        part.ids for part in parts
    ]


def test_folds_are_stratified_folds():
    samples = _samples()
    folds = samples.folds(3, seed=2)
    expected = stratified_folds(samples.labels, 3, groups=samples.groups, seed=2)
    for (train, test), positions in zip(folds, expected, strict=True):
        assert (_numbers(train), _numbers(test)) == tuple(part.tolist() for part in positions)
    tests = Counter(sample_id for _, test in Samples(_source(10)).folds(5) for sample_id in test.ids)
    assert tests == Counter(samples[:10].ids)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda s: s.split(), "`test_size`, `validation_size` or both"),
        (lambda s: s.split(test_size=(0.2, 0.2)), r"`test_size` must lie.*\(0.2, 0.2\)"),
        (lambda s: s.split(validation_size=0), "`validation_size` must lie.*0"),
        (lambda s: s.split(test_size=0.5, validation_size=0.5), "`validation_size` and `test_size` must leave"),
        (lambda s: s[:1].split(test_size=0.5), "must not leave"),
        (lambda s: s.split(test_size=0.5, seed=0.5), "`seed`"),
        (lambda s: s.folds(1), "`num_folds`"),
        (lambda s: s.folds(31), "`num_folds`.*groups, 30"),
        (lambda s: s.folds("5"), "`num_folds`.*'5'"),
    ],
)
def test_wrong_split_is_refused(split, message):
    samples = _samples()
    with pytest.raises(ValueError, match=message):
        split(samples)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": np.zeros((2, 5))}, r"`labels` must have shape \(3, num_classes\).*\(2, 5\)"),
        ({"labels": np.zeros(3)}, r"`labels`.*\(3,\)"),
        ({"labels": [[0, 1], [2, 0], [0, 0]]}, "`labels`.*2.* in row 1, column 0"),
        ({"labels": np.full((3, 2), 255, "uint8")}, "`labels`.*255"),
        ({"labels": np.full((3, 2), np.nan)}, "`labels`.*nan"),
        ({"labels": np.full((3, 2), np.inf)}, "`labels`.*inf"),
        ({"labels": np.full((3, 2), 0.5)}, "`labels`.*0.5"),
        ({"labels": [["a"]] * 3}, "`labels`.*'a'"),
        ({"labels": np.ma.masked_equal(np.eye(3), 1)}, "`labels`.*masked"),
        ({"labels": np.eye(3), "class_names": ["a", "b"]}, r"`class_names` must be 3.*\('a', 'b'\)"),
        ({"labels": np.eye(3), "class_names": "abc"}, "`class_names`.*'abc'"),
        ({"class_names": ["a", "a"]}, "`class_names`.*'a' twice"),
        ({"class_names": [0, 1]}, "`class_names`.*0"),
        ({"groups": [1, 2]}, "`groups` must have one entry per sample, 3. Received: 2"),
        ({"groups": [1, None, 2]}, r"`groups`.*None for samples \['s1'\]"),
        ({"groups": [np.nan, 1, float("nan")]}, r"`groups`.*nan.*for samples \['s0', 's2'\]"),
        ({"groups": "abc"}, "`groups`.*'abc'"),
        ({"groups": [[1], [2], [3]]}, "`groups` must be hashable"),
        ({"metadata": {"well": ["A1", "A2"]}}, r"`metadata\['well'\]` must have 3 values.*'A2'"),
        ({"metadata": {"well": "A01"}}, r"`metadata\['well'\]`.*'A01'"),
    ],
)
def test_what_is_not_one_per_sample_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Samples(_source(3), **arguments)


def test_what_is_no_source_is_refused():
    with pytest.raises(TypeError, match="`source` must have `ids`"):
        Samples(np.zeros((3, 2, 2, 2)))


def test_ids_that_repeat_are_refused():
    source = _source(3)
    source.ids = ("a", "b", "a")
    with pytest.raises(ValueError, match=r"`source\.ids` must be 3 different ids"):
        Samples(source)


def test_more_can_be_said_of_samples():
    samples = _samples(6, groups=None, metadata=None)
    grouped = Samples(samples, groups=list("aabbcc"))
    assert grouped.groups == list("aabbcc")
    assert grouped.class_names == samples.class_names
    np.testing.assert_array_equal(grouped.labels, samples.labels)
    np.testing.assert_array_equal(Samples(samples, samples.labels.astype(float)).labels, samples.labels)
    with pytest.raises(ValueError, match="`labels` must be left out"):
        Samples(samples, 1 - samples.labels)
    np.testing.assert_array_equal(Samples(samples.source, 1 - samples.labels).labels, 1 - samples.labels)


def test_labels_are_a_copy():
    labels = np.eye(3, dtype=np.int8)
    samples = Samples(_source(3), labels)
    labels[:] = 0
    np.testing.assert_array_equal(samples.labels, np.eye(3))
    assert samples.labels.dtype == np.int8


def test_unknown_labels_are_kept():
    labels = [[1, -1], [0, 1], [-1, -1]]
    samples = Samples(_source(3), labels)
    np.testing.assert_array_equal(samples.labels, labels)
    np.testing.assert_array_equal(samples.batches()[0][1], labels)


def test_drawn_samples_have_their_labels():
    drawn = SyntheticAtlas(5, image_size=32, wrong_labels=1.0)
    assert drawn.samples.class_names == atlas.CLASS_NAMES
    np.testing.assert_array_equal(drawn.samples.labels, drawn.labels)
    np.testing.assert_array_equal(MultiChannelSequence(drawn)[0][1], drawn.labels)
    np.testing.assert_array_equal(MultiChannelSequence(drawn, drawn.labels)[0][1], drawn.labels)
    with pytest.raises(ValueError, match="`labels` must be left out"):
        MultiChannelSequence(drawn, drawn.true_labels)
    judged = Samples(drawn, drawn.true_labels)
    np.testing.assert_array_equal(judged.batches()[0][1], drawn.true_labels)


@pytest.mark.parametrize("labels", [np.zeros((4, 2)), np.zeros(4)])
def test_labels_of_another_number_are_refused(labels):
    with pytest.raises(ValueError, match="`labels`"):
        MultiChannelSequence(_source(3), labels)


def test_one_group_is_left_out_at_a_time():
    samples = _samples(6)
    samples = Samples(samples, groups=["p", "q", "p", "r", "q", "p"])
    folds = samples.group_folds()
    assert [set(test.groups) for _, test in folds] == [{"p"}, {"q"}, {"r"}]
    assert [test.ids for _, test in folds] == [("s0", "s2", "s5"), ("s1", "s4"), ("s3",)]
    for train, test in folds:
        assert sorted(train.ids + test.ids) == sorted(samples.ids)
    with pytest.raises(ValueError, match="`groups`"):
        Samples(samples, groups=["p"] * 6).group_folds()
