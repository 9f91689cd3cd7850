"""The code of docs/how-to/samples.md."""

import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture
def images():
    """Sixteen images; each pixel is the number of the image."""
    return np.arange(16, dtype=np.uint8)[:, None, None, None] * np.ones((32, 32, 2), np.uint8)


@pytest.fixture
def labels():
    """The first class has the samples of even numbers, the second every fourth."""
    return np.array([[number % 2 == 0, number % 4 == 0] for number in range(16)], int)


def _mislabelled(batches):
    """How many samples of the first batch have not the labels that belong to their image."""
    images, labels = batches[0]
    numbers = (images[:, 0, 0, 0] * 255).round()
    return int((labels != np.stack([numbers % 2 == 0, numbers % 4 == 0], axis=1)).any(axis=1).sum())


def test_the_page(images, labels):
    # --8<-- [start:make]
    ids = [f"cell{number}" for number in range(len(images))]
    source = keras_hpa.ArraySource(images, ids, channels=["dapi", "gfp"])
    samples = keras_hpa.Samples(source, labels, class_names=["Nucleus", "Golgi"])
    # --8<-- [end:make]
    # --8<-- [start:select]
    first, last = samples[0], samples[-1]
    some = samples[["cell3", "cell7"]]
    golgi = samples[samples.labels[:, 1] == 1]
    nuclear_channel = samples.select_channels(["dapi"])
    # --8<-- [end:select]
    assert (first.ids, last.ids, some.ids) == (("cell0",), ("cell15",), ("cell3", "cell7"))
    assert golgi.ids == ("cell0", "cell4", "cell8", "cell12")
    assert nuclear_channel.read(0).shape == (32, 32, 1)
    # --8<-- [start:split]
    train, validation, test = samples.split(validation_size=0.25, test_size=0.25)
    folds = samples.folds(4)  # (train, test) for each
    # --8<-- [end:split]
    assert len(train) + len(validation) + len(test) == 16
    assert sum(len(part) for _, part in folds) == 16
    # --8<-- [start:batches]
    train_batches = train.batches(batch_size=4, shuffle=True, augment="dihedral")
    validation_batches = validation.batches(batch_size=4)
    # --8<-- [end:batches]
    assert _mislabelled(train_batches) == _mislabelled(validation_batches) == 0
    # --8<-- [start:groups]
    groups = keras_hpa.near_duplicate_groups(samples, verbose=0)
    samples = keras_hpa.Samples(samples, groups=groups)
    # --8<-- [end:groups]
    assert len(samples.groups) == 16
    np.testing.assert_array_equal(samples.labels, labels)


def test_by_hand_both_mix_ups_pass(images, labels):
    source = keras_hpa.ArraySource(images)
    one, other = np.arange(8), np.arange(1, 9)
    # --8<-- [start:other_part]
    batches = keras_hpa.MultiChannelSequence(keras_hpa.subset(source, one), labels[other])  # not labels[one]
    # --8<-- [end:other_part]
    assert _mislabelled(batches) == 8
    # --8<-- [start:twice]
    order = np.random.default_rng(0).permutation(len(source))
    source, labels = keras_hpa.subset(source, order), labels[order]
    batches = keras_hpa.MultiChannelSequence(keras_hpa.subset(source, order), labels)  # `order` once too often
    # --8<-- [end:twice]
    assert _mislabelled(batches) > 4


def test_samples_end_both_mix_ups(images, labels):
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images), labels)
    one, other = samples[:8], samples[1:9]
    with pytest.raises(ValueError, match="`labels` must be left out where the source has labels"):
        keras_hpa.MultiChannelSequence(one, other.labels)
    order = np.random.default_rng(0).permutation(len(samples))
    assert _mislabelled(samples[order][order].batches()) == 0
    with pytest.raises(ValueError, match="`labels` must be left out where the source has labels"):
        keras_hpa.MultiChannelSequence(samples[order][order], samples[order].labels)
    with pytest.raises(ValueError, match="`labels` must be left out where the source has labels"):
        keras_hpa.MultiChannelSequence(keras_hpa.subset(samples, order), samples.labels)
    positions = np.arange(1, 16, 2)
    with pytest.raises(IndexError, match=r"positions in 0 to 7\. Received: 9"):
        samples[positions][positions]


def test_what_goes_wrong(images, labels):
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images, channels=["dapi", "gfp"]), labels)
    train, validation = samples[:8], samples[8:][::-1]
    positions = np.arange(15, -1, -2)
    cells = keras_hpa.ArraySource(images[:8], [f"cell{number}" for number in range(8)])
    check_quoted_messages(
        "how-to/samples.md",
        [
            (ValueError, lambda: keras_hpa.MultiChannelSequence(train, validation.labels)),
            (IndexError, lambda: samples[positions][positions]),
            (ValueError, lambda: keras_hpa.Samples(cells, groups=["a", "a", "b", None, "b", "c", "c", None])),
        ],
    )
