import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence, load_kaggle, subset
from tests.data.kaggle_folder import write_kaggle_folder
from tests.data.numbered import make_sequence, numbered


@pytest.mark.parametrize(
    "draw", [lambda rng, n: [0.5], lambda rng, n: [n], lambda rng, n: [-1], lambda rng, n: [], lambda rng, n: [[0]]]
)
def test_own_sampler_is_checked(draw):
    with pytest.raises(ValueError, match="`sampler`"):
        make_sequence(20, sampler=draw)


@pytest.mark.parametrize("damage", ["missing", "truncated"])
@pytest.mark.parametrize("workers", [1, 2])
def test_damaged_sample_is_named_through_fit(tmp_path, damage, workers):
    write_kaggle_folder(tmp_path, 6)
    samples = load_kaggle(tmp_path)  # which looks for the files: what goes wrong later is the sequence's to say
    path = tmp_path / "train" / "sample4_yellow.png"
    samples = load_kaggle(tmp_path)
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:40])
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
        ({"source": subset(numbered(2), [])}, "source"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=f"`{message}`"):
        MultiChannelSequence(**({"source": numbered(2)} | arguments))


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
            MultiChannelSequence(numbered(2), labels, batch_size=2)[0][1], np.asarray(labels, "float32")
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


@pytest.mark.parametrize("augment", [None, "dihedral"])
def test_nan_of_a_source_is_refused_and_not_blamed_on_augment(augment):
    images = np.ones((2, 4, 4, 4), "float32")
    images[1, 0, 0, 0] = np.nan
    sequence = MultiChannelSequence(ArraySource(images, ids=["a", "b"]), augment=augment)
    with pytest.raises(ValueError, match=r"`source\.read` must give finite numbers.*sample 'b'"):
        sequence[0]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    "error",
    [RuntimeError("disk"), KeyError("b"), ValueError("odd"), FileNotFoundError("b.npy"), OSError("gone")],
)
def test_error_of_a_users_read_names_the_sample(error, workers):
    class Broken(ArraySource):
        def read(self, index):
            return _raise(error) if index == 1 else super().read(index)

    sequence = MultiChannelSequence(
        Broken(np.ones((3, 4, 4, 4), "uint8"), ids=["a", "b", "c"]), batch_size=1, workers=workers
    )
    assert sequence[0].shape == sequence[2].shape
    kind = type(error) if isinstance(error, OSError) else ValueError
    with pytest.raises(kind, match=rf"`source.read`.*Received: {type(error).__name__}.* sample 'b'"):
        sequence[1]
