import pickle
import time

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelFiles, MultiChannelSequence, load_kaggle
from tests.data.numbered import Recorder, make_sequence, numbered, numbers


def _fit_numbers(sequence, epochs, **arguments):
    return Recorder().fit(sequence, epochs=epochs, **arguments)


def test_a_pass_has_every_sample_once_and_keeps_the_short_batch():
    batches = numbers(make_sequence(10, batch_size=4))
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_eight_epochs_of_100_batches_over_777():
    sequence = make_sequence(777, batch_size=1, shuffle=True, batches_per_epoch=100)
    seen = np.concatenate(numbers(sequence, 8))
    assert len(seen) == 800
    np.testing.assert_array_equal(np.sort(seen[:777]), np.arange(777))
    assert seen[777:].tolist() != seen[:23].tolist()


def test_epochs_longer_than_a_pass():
    seen = np.concatenate(numbers(make_sequence(5, batch_size=2, shuffle=True, batches_per_epoch=7), 3))
    for start in range(0, 35, 5):
        np.testing.assert_array_equal(np.sort(seen[start : start + 5]), np.arange(5))


def test_order_follows_from_the_seed_and_differs_between_passes():
    one, same, other = (numbers(make_sequence(50, shuffle=True, seed=seed), 2) for seed in (0, 0, 1))
    assert one == same
    assert one != other
    assert one[:2] != one[2:]


def test_resumed_training_sees_what_uninterrupted_training_saw():
    arguments = {"batch_size": 2, "shuffle": True, "batches_per_epoch": 4}
    assert (
        numbers(make_sequence(11, initial_epoch=3, **arguments), 2) == numbers(make_sequence(11, **arguments), 5)[12:]
    )


def test_asking_in_another_order_or_twice_changes_nothing():
    sequence = make_sequence(20, batch_size=3, shuffle=True)
    batches = [sequence[index][1].tolist() for index in (4, 0, 0, 6, -1)]
    again = [make_sequence(20, batch_size=3, shuffle=True)[index][1].tolist() for index in (4, 0, 0, 6, 6)]
    assert batches == again
    with pytest.raises(IndexError, match="7"):
        sequence[7]


def test_pickled_sequence_gives_the_same_batches():
    sequence = make_sequence(20, batch_size=3, shuffle=True, initial_epoch=2)
    assert numbers(pickle.loads(pickle.dumps(sequence)), 2) == numbers(sequence, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"workers": 0},
        {"workers": 1},
        {"workers": 2},
    ],
)
def test_fit_sees_the_same_batches_whatever_the_workers(arguments):
    sequence = make_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4, **arguments)
    recorder = Recorder()
    seen = recorder.fit(sequence, epochs=3, shuffle=False)
    recorder.network.predict(sequence, verbose=0)
    seen += recorder.fit(sequence, epochs=2, shuffle=False)
    assert seen == numbers(make_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4), 5)
    assert sequence.epoch == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_epochs_of_one_batch(workers):
    sequence = make_sequence(5, batch_size=2, shuffle=True, batches_per_epoch=1, workers=workers)
    expected = numbers(make_sequence(5, batch_size=2, shuffle=True, batches_per_epoch=1), 4)
    assert _fit_numbers(sequence, 4, shuffle=False) == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_fit_does_not_change_the_order(workers):
    arguments = {"batch_size": 2, "shuffle": True, "batches_per_epoch": 4, "workers": workers}
    assert _fit_numbers(make_sequence(11, **arguments), 3) == numbers(make_sequence(11, **arguments), 3)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_steps_per_epoch_below_the_length_loses_nothing():
    seen = np.concatenate(_fit_numbers(make_sequence(37, batch_size=1, shuffle=True), 8, steps_per_epoch=5))
    np.testing.assert_array_equal(np.sort(seen), np.arange(37))


def test_validation_does_not_move_the_training():
    training = make_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4)
    validation = make_sequence(6, batch_size=2)
    expected = numbers(make_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4), 3)
    assert _fit_numbers(training, 3, shuffle=False, validation_data=validation) == expected


def test_predict_is_in_order_and_needs_no_labels():
    inputs = keras.Input((2, 2, 4), dtype="uint16")
    outputs = keras.layers.Lambda(lambda images: keras.ops.cast(images[:, 0, 0, :1], "float32"))(inputs)
    sequence = MultiChannelSequence(numbered(11), batch_size=4, dtype="source", workers=2)
    assert sequence[2].shape == (3, 2, 2, 4)
    np.testing.assert_array_equal(keras.Model(inputs, outputs).predict(sequence, verbose=0)[:, 0], np.arange(11))


@pytest.mark.parametrize(
    ("dtype", "max_value", "value", "expected"),
    [
        ("uint8", None, 51, 51 / 255),
        ("uint16", None, 65535, 1.0),
        ("uint16", 4095, 4095, 1.0),
        ("float64", None, 7.5, 7.5),
        ("float32", 2, 7.5, 3.75),
    ],
)
def test_float32_divides_by_the_largest_value(dtype, max_value, value, expected):
    source = ArraySource(np.full((1, 2, 2, 4), value, dtype))
    batch = MultiChannelSequence(source, max_value=max_value)[0]
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, np.full((1, 2, 2, 4), np.float32(expected)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_source_type_is_handed_through(dtype):
    image = np.random.default_rng(0).integers(200, size=(1, 2, 2, 4)).astype(dtype)
    batch = MultiChannelSequence(ArraySource(image), dtype="source")[0]
    assert batch.dtype == dtype
    np.testing.assert_array_equal(batch, image)


def test_augmentation_depends_on_seed_pass_and_place_only():
    def draw(image, rng):
        return np.full_like(image, rng.integers(60_000))

    def drawn(**arguments):
        sequence = MultiChannelSequence(numbered(6), batch_size=4, dtype="source", augment=draw, **arguments)
        batches = []
        for _ in range(2):
            batches += [sequence[0][:, 0, 0, 0].tolist(), sequence[1][:, 0, 0, 0].tolist()]
            sequence.on_epoch_end()
        return batches

    expected = [[np.random.default_rng([9, p, i]).integers(60_000) for i in range(6)] for p in range(2)]
    assert drawn(seed=9) == [expected[0][:4], expected[0][4:], expected[1][:4], expected[1][4:]]
    assert drawn(seed=9) != drawn(seed=8)


def test_images_are_resized_to_one_size():
    source = ArraySource([np.full(shape, 9, "uint8") for shape in [(4, 6, 3), (9, 2, 3)]])
    batch = MultiChannelSequence(source, image_size=(3, 5), dtype="source")[0]
    np.testing.assert_array_equal(batch, np.full((2, 3, 5, 3), 9))
    with pytest.raises(ValueError, match=r"one size.*sample '[01]'.*of shape"):
        MultiChannelSequence(source)[0]


def test_with_replacement_draws_as_many_and_repeats():
    sequence = make_sequence(200, batch_size=32, sampler="with_replacement")
    seen = np.concatenate(numbers(sequence))
    assert len(seen) == 200
    assert 100 < len(set(seen)) < 155
    assert numbers(sequence) != numbers(make_sequence(200, batch_size=32, sampler="with_replacement"))


def test_without_replacement_is_shuffling():
    assert numbers(make_sequence(20, sampler="without_replacement"), 2) == numbers(make_sequence(20, shuffle=True), 2)


def test_own_sampler_decides_the_length_of_a_pass():
    sequence = make_sequence(20, batch_size=2, sampler=lambda rng, num_samples: rng.integers(10, 20, size=3))
    assert len(sequence) == 2
    assert all(number >= 10 for batch in numbers(sequence, 3) for number in batch)


@pytest.mark.real_data
def test_real_samples_are_the_same_whatever_the_workers(real_data):
    samples = load_kaggle(real_data / "atlas_sample")
    source = ChannelFiles(samples.source.root, samples.ids, channels=samples.channels)
    sequences = [
        MultiChannelSequence(samples, batch_size=7, image_size=64, shuffle=True, dtype="source"),
        MultiChannelSequence(source, samples.labels, batch_size=7, image_size=64, shuffle=True),
    ]
    for integers, floats in zip(*sequences, strict=True):
        np.testing.assert_array_equal(integers[0] / np.float32(255), floats[0])
        np.testing.assert_array_equal(integers[1], floats[1])


@pytest.mark.parametrize(("dtype", "num_channels"), [("int64", 4), ("uint64", 1), ("uint8", 200), ("uint16", 129)])
def test_any_integers_and_any_number_of_channels_are_resized(dtype, num_channels):
    image = np.random.default_rng(0).integers(100, size=(1, 8, 6, num_channels)).astype(dtype)
    source = ArraySource(image, channels=[f"c{number}" for number in range(num_channels)])
    resized = MultiChannelSequence(source, image_size=(4, 3), dtype="source")[0]
    expected = image.reshape(1, 4, 2, 3, 2, num_channels).mean(axis=(2, 4))
    np.testing.assert_allclose(resized, expected, atol=0.5)


def test_what_is_read_ahead_stays_within_the_epoch_and_the_queue():
    class _Counting(ArraySource):
        reads = 0

        def read(self, index):
            type(self).reads += 1
            return super().read(index)

    sequence = MultiChannelSequence(_Counting(np.zeros((40, 2, 2, 4))), batch_size=4, workers=2, max_queue_size=2)
    batches = iter(sequence)
    next(batches)
    time.sleep(0.1)  # what is read ahead
    assert 4 <= _Counting.reads <= 12


@pytest.mark.parametrize(("num_samples", "count", "batch_size"), [(20, 2, 4), (21, 4, 2), (33, 4, 8), (9, 3, 1)])
def test_shards_are_a_partition_with_as_many_batches(num_samples, count, batch_size):
    shards = [
        numbers(make_sequence(num_samples, batch_size=batch_size, shuffle=True, shard=(index, count)))
        for index in range(count)
    ]
    assert len({len(batches) for batches in shards}) == 1
    assert sorted(number for batches in shards for batch in batches for number in batch) == list(range(num_samples))
    assert max(len(batch) for batches in shards for batch in batches) <= batch_size


def test_shards_augment_each_draw_in_its_own_way():
    arguments = {
        "batch_size": 3,
        "dtype": "source",
        "augment": lambda image, rng: image + np.uint16(rng.integers(60_000)),
    }
    whole = MultiChannelSequence(numbered(6), **(arguments | {"batch_size": 6}))[0]
    for index in (0, 1):
        np.testing.assert_array_equal(
            MultiChannelSequence(numbered(6), shard=(index, 2), **arguments)[0], whole[index::2]
        )


def test_rare_labels_are_drawn_more_often():
    labels = np.zeros((100, 2))
    labels[:96, 0] = labels[96:, 1] = 1
    sequence = MultiChannelSequence(numbered(100), labels, batch_size=100, sampler="rare_labels", dtype="source")
    drawn = sequence[0][1].sum(axis=0)
    expected = np.sqrt([96, 4]) / np.sqrt([96, 4]).sum() * 100
    assert np.abs(drawn - expected).max() < 1
    np.testing.assert_array_equal(sequence[0][0], sequence[0][0])


def test_augmentations_are_applied_in_turn():
    image = np.arange(36, dtype=np.uint8).reshape(1, 3, 3, 4)
    arguments = {"dtype": "source", "seed": 3}
    sequence = MultiChannelSequence(ArraySource(image), augment=["dihedral", lambda x, rng: x + 100], **arguments)
    only = MultiChannelSequence(ArraySource(image), augment="dihedral", **arguments)
    np.testing.assert_array_equal(sequence[0], only[0] + 100)
    assert sorted(only[0].ravel()) == list(range(36))


def test_repr_says_what_it_is():
    text = repr(make_sequence(11, batch_size=2, batches_per_epoch=4))
    assert text.startswith("<MultiChannelSequence: epochs of 4 batches, passes of 6, each of up to 2 images")
    assert "ArraySource(11 samples" in text


@pytest.mark.parametrize("dtype", ["float32", "source"])
def test_augmentation_in_place_leaves_the_source_alone(dtype):
    images = np.ones((2, 4, 4, 4), "float32")

    def double(image, rng):
        image *= 2
        return image

    sequence = MultiChannelSequence(ArraySource(images), batch_size=2, augment=double, dtype=dtype)
    for _ in range(2):
        np.testing.assert_array_equal(sequence[0], 2)
    np.testing.assert_array_equal(images, 1)


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_is_used_again_but_never_what_somebody_holds(workers):
    images = np.arange(24, dtype="uint8")[:, None, None, None] * np.ones((4, 4, 1), "uint8")
    sequence = MultiChannelSequence(ArraySource(images), batch_size=2, dtype="source", workers=workers)
    addresses = {sequence[index].ctypes.data for index in range(12)}
    assert len(addresses) <= 4
    views = [sequence[index][1:, ..., 0] for index in range(12)]
    assert [int(view[0, 0, 0]) for view in views] == list(range(1, 24, 2))


def test_in_order_reads_the_same_images_once_whatever_is_drawn():
    training = make_sequence(
        7, batch_size=2, shuffle=True, sampler="with_replacement", batches_per_epoch=9, shard=(1, 2)
    )
    before = numbers(training)
    assert [images[:, 0, 0, 0].tolist() for images in training.in_order()] == [[0, 1], [2, 3], [4, 5], [6]]
    assert [images[:, 0, 0, 0].tolist() for images in training.in_order(3, 6)] == [[3, 4], [5]]
    training.epoch = 0
    assert numbers(training) == before
    resized = MultiChannelSequence(numbered(3), image_size=5, max_value=2.0, workers=0).in_order(2)[0]
    np.testing.assert_array_equal(resized, np.ones((1, 5, 5, 4), "float32"))
