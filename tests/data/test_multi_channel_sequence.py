import pickle
import time

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelFiles, MultiChannelSequence, load_kaggle, subset
from tests.data.kaggle_folder import write_kaggle_folder


def _numbered(num_samples, dtype="uint16"):
    """Images whose value is their number."""
    return ArraySource(
        np.broadcast_to(np.arange(num_samples, dtype=dtype)[:, None, None, None], (num_samples, 2, 2, 4))
    )


def _sequence(num_samples, **arguments):
    return MultiChannelSequence(_numbered(num_samples), np.arange(num_samples), dtype="source", **arguments)


def _numbers(sequence, epochs=1):
    """Which samples are read, by a loop that does what `fit` does."""
    seen = []
    for _ in range(epochs):
        for index in range(len(sequence)):
            images, labels = sequence[index]
            np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
            seen.append(labels.astype(int).tolist())
        sequence.on_epoch_end()
    return seen


class _Recorder(keras.callbacks.Callback):
    """Keeps the numbers of the samples that `fit` trains on, batch by batch; not those that it only looks at."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.is_training = False
        self.trained = keras.Sequential([keras.Input((2, 2, 4)), keras.layers.Flatten(), keras.layers.Dense(1)])

    def loss(self, labels, outputs):
        if self.is_training:
            self.seen.append(keras.ops.convert_to_numpy(labels).astype(int).ravel().tolist())
        return keras.ops.mean(outputs)

    def on_train_batch_begin(self, batch, logs=None):
        self.is_training = True

    def on_train_batch_end(self, batch, logs=None):
        self.is_training = False

    def fit(self, sequence, **arguments):
        self.trained.compile("sgd", self.loss, metrics=["mse"], run_eagerly=True)
        self.trained.fit(sequence, callbacks=[self], verbose=0, **arguments)
        return self.seen


def _fit_numbers(sequence, epochs, **arguments):
    return _Recorder().fit(sequence, epochs=epochs, **arguments)


def test_a_pass_has_every_sample_once_and_keeps_the_short_batch():
    batches = _numbers(_sequence(10, batch_size=4))
    assert batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_eight_epochs_of_100_batches_over_777():
    sequence = _sequence(777, batch_size=1, shuffle=True, batches_per_epoch=100)
    numbers = np.concatenate(_numbers(sequence, 8))
    assert len(numbers) == 800
    np.testing.assert_array_equal(np.sort(numbers[:777]), np.arange(777))
    assert numbers[777:].tolist() != numbers[:23].tolist()


def test_epochs_longer_than_a_pass():
    numbers = np.concatenate(_numbers(_sequence(5, batch_size=2, shuffle=True, batches_per_epoch=7), 3))
    for start in range(0, 35, 5):
        np.testing.assert_array_equal(np.sort(numbers[start : start + 5]), np.arange(5))


def test_order_follows_from_the_seed_and_differs_between_passes():
    one, same, other = (_numbers(_sequence(50, shuffle=True, seed=seed), 2) for seed in (0, 0, 1))
    assert one == same
    assert one != other
    assert one[:2] != one[2:]


def test_resumed_training_sees_what_uninterrupted_training_saw():
    arguments = {"batch_size": 2, "shuffle": True, "batches_per_epoch": 4}
    assert _numbers(_sequence(11, initial_epoch=3, **arguments), 2) == _numbers(_sequence(11, **arguments), 5)[12:]


def test_asking_in_another_order_or_twice_changes_nothing():
    sequence = _sequence(20, batch_size=3, shuffle=True)
    batches = [sequence[index][1].tolist() for index in (4, 0, 0, 6, -1)]
    again = [_sequence(20, batch_size=3, shuffle=True)[index][1].tolist() for index in (4, 0, 0, 6, 6)]
    assert batches == again
    with pytest.raises(IndexError, match="7"):
        sequence[7]


def test_pickled_sequence_gives_the_same_batches():
    sequence = _sequence(20, batch_size=3, shuffle=True, initial_epoch=2)
    assert _numbers(pickle.loads(pickle.dumps(sequence)), 2) == _numbers(sequence, 2)


@pytest.mark.parametrize(
    "arguments",
    [
        {"workers": 0},
        {"workers": 1},
        {"workers": 2},
        pytest.param({"workers": 2, "use_multiprocessing": True}, marks=pytest.mark.slow),  # starts two processes
    ],
)
def test_fit_sees_the_same_batches_whatever_the_workers(arguments):
    sequence = _sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4, **arguments)
    recorder = _Recorder()
    recorder.fit(sequence, epochs=3, shuffle=False)
    recorder.trained.predict(sequence, verbose=0)
    seen = recorder.fit(sequence, epochs=2, shuffle=False)  # compiled anew, which looks at a batch
    assert seen == _numbers(_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4), 5)
    assert sequence.epoch == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_epochs_of_one_batch(workers):
    sequence = _sequence(5, batch_size=2, shuffle=True, batches_per_epoch=1, workers=workers)
    expected = _numbers(_sequence(5, batch_size=2, shuffle=True, batches_per_epoch=1), 4)
    assert _fit_numbers(sequence, 4, shuffle=False) == expected


@pytest.mark.parametrize("workers", [0, 2])
def test_fit_does_not_change_the_order(workers):
    arguments = {"batch_size": 2, "shuffle": True, "batches_per_epoch": 4, "workers": workers}
    assert _fit_numbers(_sequence(11, **arguments), 3) == _numbers(_sequence(11, **arguments), 3)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_steps_per_epoch_below_the_length_loses_nothing():
    seen = np.concatenate(_fit_numbers(_sequence(37, batch_size=1, shuffle=True), 8, steps_per_epoch=5))
    np.testing.assert_array_equal(np.sort(seen), np.arange(37))


def test_validation_does_not_move_the_training():
    training = _sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4)
    validation = _sequence(6, batch_size=2)
    expected = _numbers(_sequence(11, batch_size=2, shuffle=True, batches_per_epoch=4), 3)
    assert _fit_numbers(training, 3, shuffle=False, validation_data=validation) == expected


def test_predict_is_in_order_and_needs_no_labels():
    inputs = keras.Input((2, 2, 4), dtype="uint16")
    outputs = keras.layers.Lambda(lambda images: keras.ops.cast(images[:, 0, 0, :1], "float32"))(inputs)
    sequence = MultiChannelSequence(_numbered(11), batch_size=4, dtype="source", workers=2)
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
        sequence = MultiChannelSequence(_numbered(6), batch_size=4, dtype="source", augment=draw, **arguments)
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
    sequence = _sequence(200, batch_size=32, sampler="with_replacement")
    numbers = np.concatenate(_numbers(sequence))
    assert len(numbers) == 200
    assert 100 < len(set(numbers)) < 155
    assert _numbers(sequence) != _numbers(_sequence(200, batch_size=32, sampler="with_replacement"))


def test_without_replacement_is_shuffling():
    assert _numbers(_sequence(20, sampler="without_replacement"), 2) == _numbers(_sequence(20, shuffle=True), 2)


def test_own_sampler_decides_the_length_of_a_pass():
    sequence = _sequence(20, batch_size=2, sampler=lambda rng, num_samples: rng.integers(10, 20, size=3))
    assert len(sequence) == 2
    assert all(number >= 10 for batch in _numbers(sequence, 3) for number in batch)


@pytest.mark.parametrize(
    "draw", [lambda rng, n: [0.5], lambda rng, n: [n], lambda rng, n: [-1], lambda rng, n: [], lambda rng, n: [[0]]]
)
def test_own_sampler_is_checked(draw):
    with pytest.raises(ValueError, match="`sampler`"):
        _sequence(20, sampler=draw)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
@pytest.mark.parametrize("workers", [1, 2])
def test_damaged_sample_is_named_through_fit(tmp_path, damage, workers):
    write_kaggle_folder(tmp_path, 6)
    path = tmp_path / "train" / "sample4_yellow.png"
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
    samples = load_kaggle(tmp_path)
    model = keras.Sequential([keras.Input((8, 8, 4)), keras.layers.Flatten(), keras.layers.Dense(28)])
    model.compile(loss="mse")
    sequence = MultiChannelSequence(samples, batch_size=1, workers=workers)
    with pytest.raises(Exception, match=r"'sample4', channel 'yellow'.*sample4_yellow\.png"):
        model.fit(sequence, verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.0}, "batch_size"),
        ({"batches_per_epoch": 0}, "batches_per_epoch"),
        ({"seed": -1}, "seed"),
        ({"initial_epoch": -1}, "initial_epoch"),
        ({"image_size": 0}, "image_size"),
        ({"dtype": "uint8"}, "dtype"),
        ({"max_value": 0}, "max_value"),
        ({"max_value": 255, "dtype": "source"}, "max_value"),
        ({"interpolation": "lanczos"}, "interpolation"),
        ({"sampler": "rarest"}, "sampler"),
        ({"sampler": "rare_labels"}, "labels"),
        ({"shard": 2}, "shard"),
        ({"shard": (2, 2)}, "shard"),
        ({"shard": (2, 3), "batch_size": 1}, "shard"),
        ({"workers": -1}, "workers"),
        ({"max_queue_size": 0}, "max_queue_size"),
        ({"augment": ["dihedral", "flip"]}, "augment"),
        ({"augment": "flip"}, "augment"),
        ({"labels": np.zeros(3)}, "labels"),
        ({"labels": ["a", "b"]}, "labels"),
        ({"labels": [[0, 1], [np.nan, 1]]}, "labels"),
        ({"labels": [[0, 1], [2, 1]]}, "labels"),
        ({"labels": np.array([[0, 1], [-1, 1]]).astype("uint8")}, "labels"),
        ({"labels": [[0, 1], [np.inf, 1]]}, "labels"),
        ({"labels": [0, -np.inf]}, "labels"),
        ({"labels": [[0, 1], [-2, 1]]}, "labels"),
        ({"labels": [[0, 1], [-0.5, 1]]}, "labels"),
        ({"labels": np.ma.masked_array([[0, 1], [0, 1]], [[0, 1], [0, 0]])}, "labels"),
        ({"labels": [[0, 1], [1j, 1]]}, "labels"),
        ({"source": subset(_numbered(2), [])}, "source"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"`{message}`"):
        MultiChannelSequence(**({"source": _numbered(2)} | arguments))


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
        _numbers(_sequence(num_samples, batch_size=batch_size, shuffle=True, shard=(index, count)))
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
    whole = MultiChannelSequence(_numbered(6), **(arguments | {"batch_size": 6}))[0]
    for index in (0, 1):
        np.testing.assert_array_equal(
            MultiChannelSequence(_numbered(6), shard=(index, 2), **arguments)[0], whole[index::2]
        )


def test_rare_labels_are_drawn_more_often():
    labels = np.zeros((100, 2))
    labels[:96, 0] = labels[96:, 1] = 1
    sequence = MultiChannelSequence(_numbered(100), labels, batch_size=100, sampler="rare_labels", dtype="source")
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
    text = repr(_sequence(11, batch_size=2, batches_per_epoch=4))
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


def test_augmentation_that_turns_integers_into_floats_is_refused():
    source = ArraySource(np.full((1, 4, 4, 4), 200, "uint8"))
    sequence = MultiChannelSequence(source, augment=lambda image, rng: image * 1.5, dtype="source")
    with pytest.raises(ValueError, match=r"`augment` must keep the type uint8.*float64"):
        sequence[0]


@pytest.mark.parametrize("dtype", ["int64", "int16", "uint64"])
def test_integers_whose_maximum_says_nothing_need_a_max_value(dtype):
    source = ArraySource(np.full((1, 4, 4, 4), 255, dtype))
    np.testing.assert_array_equal(MultiChannelSequence(source, max_value=255)[0], 1)
    with pytest.raises(ValueError, match=rf"`max_value` must say.*{dtype}"):
        MultiChannelSequence(source)[0]


@pytest.mark.parametrize("dtype", ["bool", "complex64"])
def test_source_that_gives_no_numbers_is_named(dtype):
    class Mask(ArraySource):
        def read(self, index):
            return np.zeros((4, 4, 4), dtype)

    with pytest.raises(ValueError, match=rf"integers or floats.*{dtype}.*sample '0'"):
        MultiChannelSequence(Mask(np.zeros((3, 4, 4, 4), "uint8")), image_size=2)[0]


def test_labels_may_be_unknown_smoothed_or_numbers_of_classes():
    for labels in ([[0, 1], [-1, 0.1]], [7, 255], np.ma.masked_array([[0, 1], [1, 0]]), [[True, False], [True, True]]):
        np.testing.assert_array_equal(
            MultiChannelSequence(_numbered(2), labels, batch_size=2)[0][1], np.asarray(labels, "float32")
        )


@pytest.mark.parametrize("source", [np.zeros((2, 4, 4, 4)), [np.zeros((4, 4, 4))], "train", None])
def test_what_is_no_source_is_refused_when_the_sequence_is_made(source):
    with pytest.raises(TypeError, match=r"`source` must be a Source.*ArraySource.*Received: "):
        MultiChannelSequence(source)


def _raise(error):
    raise error


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (lambda image, rng: image * np.nan, "finite"),
        (lambda image, rng: image + np.inf, "finite"),
        (lambda image, rng: image.astype("float64") * 1e300, "finite|overflow"),
        (lambda image, rng: image * 1j, "type float32.*complex64"),
        (lambda image, rng: image[..., :3], "shape"),
        (lambda image, rng: None, "shape"),
        (lambda image, rng: _raise(RuntimeError("no GPU")), "RuntimeError: no GPU"),
        (lambda image, rng: _raise(KeyError("mask")), "KeyError: 'mask'"),
    ],
)
def test_error_of_augment_names_the_sample(augment, message, workers):
    source = ArraySource(np.ones((3, 4, 4, 4), "float32"), ids=["a", "b", "c"])
    sequence = MultiChannelSequence(source, batch_size=1, augment=augment, workers=workers)
    with pytest.raises(ValueError, match=rf"(?s)`augment`.*({message}).*sample 'b'"):
        sequence[1]


def test_nan_that_the_file_has_is_not_blamed_on_augment():
    sequence = MultiChannelSequence(ArraySource(np.full((1, 4, 4, 4), np.nan, "float32")), augment="dihedral")
    assert np.isnan(sequence[0]).all()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("error", [RuntimeError("disk"), KeyError("b"), ValueError("odd"), FileNotFoundError("b.npy")])
def test_error_of_a_users_read_names_the_sample(error, workers):
    class Broken(ArraySource):
        def read(self, index):
            return _raise(error) if index == 1 else super().read(index)

    sequence = MultiChannelSequence(
        Broken(np.ones((3, 4, 4, 4), "uint8"), ids=["a", "b", "c"]), batch_size=1, workers=workers
    )
    assert sequence[0].shape == sequence[2].shape
    kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
    with pytest.raises(kind, match=rf"`source.read`.*Received: {type(error).__name__}.* sample 'b'"):
        sequence[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_is_used_again_but_never_what_somebody_holds(workers):
    images = np.arange(24, dtype="uint8")[:, None, None, None] * np.ones((4, 4, 1), "uint8")
    sequence = MultiChannelSequence(ArraySource(images), batch_size=2, dtype="source", workers=workers)
    addresses = {sequence[index].ctypes.data for index in range(12)}
    assert len(addresses) <= 4
    views = [sequence[index][1:, ..., 0] for index in range(12)]
    assert [int(view[0, 0, 0]) for view in views] == list(range(1, 24, 2))


def test_in_order_reads_the_same_images_once_whatever_is_drawn():
    training = _sequence(7, batch_size=2, shuffle=True, sampler="with_replacement", batches_per_epoch=9, shard=(1, 2))
    before = _numbers(training)
    assert [images[:, 0, 0, 0].tolist() for images in training.in_order()] == [[0, 1], [2, 3], [4, 5], [6]]
    assert [images[:, 0, 0, 0].tolist() for images in training.in_order(3, 6)] == [[3, 4], [5]]
    training.epoch = 0
    assert _numbers(training) == before
    resized = MultiChannelSequence(_numbered(3), image_size=5, max_value=2.0, workers=0).in_order(2)[0]
    np.testing.assert_array_equal(resized, np.ones((1, 5, 5, 4), "float32"))
