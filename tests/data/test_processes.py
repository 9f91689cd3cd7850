"""Batches from worker processes: the same as from threads, whatever becomes of the processes."""

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence
from tests.data.numbered import Recorder, shuffled

posix = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")


def in_processes(array, **methods):
    """An `ArraySource` that is read in processes; its class is pickled by value, as those of a script are."""
    return type("Remote", (ArraySource,), {"reads_in_processes": True, "__module__": "__main__"} | methods)(array)


def ones(num_samples, dtype="uint8"):
    return np.arange(num_samples, dtype=dtype)[:, None, None, None] * np.ones((2, 2, 4), dtype)


@pytest.mark.parametrize(
    "arguments",
    [
        {"dtype": "source"},
        {"augment": "dihedral"},
        {"image_size": 5, "augment": lambda image, rng: image * np.float32(rng.random())},
    ],
    ids=["integers", "dihedral", "lambda"],
)
def test_batches_are_the_same_to_the_bit_whoever_reads(arguments):
    images = np.random.default_rng(0).integers(256, size=(11, 6, 7, 3), dtype="uint8")
    arguments = {"batch_size": 4, "shuffle": True, "batches_per_epoch": 4, "initial_epoch": 1} | arguments
    expected = [*MultiChannelSequence(ArraySource(images), workers=0, **arguments)]
    for source, kind in ((ArraySource(images), "threads"), (in_processes(images), "processes")):
        for workers in (1, 2, 5):
            sequence = MultiChannelSequence(source, workers=workers, **arguments)
            assert f"read in {workers} {kind};" in repr(sequence)
            for batch, other in zip(expected, sequence, strict=True):
                assert batch.dtype == other.dtype
                np.testing.assert_array_equal(batch, other)


def test_sizes_that_change_from_batch_to_batch_and_memory_that_is_held():
    sizes = [3, 3, 5, 5, 5, 5, 2, 2, 2]
    images = [np.full((size, size, 1), number, "uint16") for number, size in enumerate(sizes)]
    sequence = MultiChannelSequence(in_processes(images), batch_size=2, dtype="source", workers=2)
    held = [*sequence, *sequence]
    assert [batch.shape[1] for batch in held[:5]] == sizes[::2]
    assert [batch[:, 0, 0, 0].tolist() for batch in held] == [[0, 1], [2, 3], [4, 5], [6, 7], [8]] * 2
    mixed = MultiChannelSequence(in_processes(images), batch_size=3, workers=1)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"one size.*sample '[02]'.*others of its batch \['0', '1', '2'\]"):
            mixed[0]
        assert len(mixed[1]) == 3


def test_errors_are_those_of_threads():
    class Odd(Exception):
        def __init__(self, one, two):
            super().__init__(one, two)

    def read(self, index):
        if index == 1:
            raise FileNotFoundError("There is no file 'b.npy'")
        if index == 2:
            raise Odd(1, 2)
        return np.zeros((2, 2, 4), "uint8")

    sequence = MultiChannelSequence(in_processes(ones(4), read=read), batch_size=1, workers=2)
    with pytest.raises(FileNotFoundError, match=r"`source.read`.*no file 'b.npy' for sample '1'") as caught:
        sequence[1]
    assert "In a worker process:" in caught.value.__notes__[0]
    with pytest.raises(ValueError, match=r"Received: Odd: \(1, 2\) for sample '2'"):
        sequence[2]
    assert sequence[3].shape == (1, 2, 2, 4)


def test_what_cannot_be_pickled_is_read_in_threads():
    source = in_processes(ones(4))
    source.lock = threading.Lock()
    sequence = MultiChannelSequence(source, batch_size=2, workers=3, dtype="source")
    assert "read in 3 threads, because it cannot be pickled (TypeError: cannot pickle" in repr(sequence)
    np.testing.assert_array_equal(np.concatenate([*sequence]), ones(4))


def test_what_is_pickled_reads_in_processes_too():
    sequence = pickle.loads(pickle.dumps(MultiChannelSequence(ArraySource(ones(4)), workers=2)))
    assert "2 threads" in repr(sequence)


def test_workers_follow_the_folder_and_the_modules_of_the_program(tmp_path, monkeypatch):
    def read(self, index):
        import only_here

        return np.load(f"{index}.npy") + only_here.ONE

    np.testing.assert_array_equal(MultiChannelSequence(in_processes(ones(2)), dtype="source", workers=2)[0], ones(2))
    for number in range(2):
        np.save(tmp_path / f"{number}.npy", ones(2)[number])
    (tmp_path / "only_here.py").write_text("ONE = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sequence = MultiChannelSequence(in_processes(ones(2), read=read), dtype="source", workers=2)
    np.testing.assert_array_equal(sequence[0], ones(2) + 1)


def killing(marker=None, *, sample=5):
    """Kills the process that reads a sample, once or always."""

    def read(self, index):
        if index == sample and not (marker and os.path.exists(marker)):
            if marker:
                open(marker, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.images[index]

    return read


@posix
def test_fit_goes_on_with_the_same_batches_when_a_worker_is_killed(tmp_path):
    marker = str(tmp_path / "killed")
    source = in_processes(ones(11, "uint16"), read=killing(marker))
    sequence = MultiChannelSequence(source, np.arange(11), batch_size=2, shuffle=True, dtype="source", workers=2)
    start = time.monotonic()
    assert Recorder().fit(sequence, epochs=2) == [shuffled(11, 2, number) for number in range(12)]
    assert os.path.exists(marker)
    assert time.monotonic() - start < 60


@posix
def test_worker_that_is_killed_each_time_is_an_error_that_names_the_samples():
    sequence = MultiChannelSequence(in_processes(ones(10), read=killing()), batch_size=2, workers=2, dtype="source")
    other = MultiChannelSequence(in_processes(ones(10)), batch_size=2, workers=2, dtype="source")
    assert len(sequence[0]) == 2
    with pytest.raises(ChildProcessError, match=r"killed 3 times.*Received: samples \['4', '5'\]"):
        sequence[2]
    np.testing.assert_array_equal(sequence[3], ones(10)[6:8])
    np.testing.assert_array_equal(np.concatenate([*other]), ones(10))


@pytest.mark.parametrize("use_files", [True, False])
def test_arrays_of_systems_without_nameless_files(monkeypatch, use_files):
    if not use_files:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    sequence = MultiChannelSequence(in_processes(ones(12)), batch_size=2, workers=2, dtype="source")
    np.testing.assert_array_equal(np.concatenate([*sequence]), ones(12))
