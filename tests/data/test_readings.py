"""What a sequence gives Keras, and everybody else meanwhile."""

import copy
import gc
import pickle
import random
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_hpa import ArraySource, MultiChannelSequence
from tests.data.numbered import Recorder, make_sequence, numbered, numbers_of, shuffled

ran_out = pytest.mark.filterwarnings("ignore:Your input ran out of data")


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


@pytest.fixture(scope="module")
def onlooker():
    return Recorder()


class _Pure:
    """What a sequence must give, whatever was asked for before: nothing is kept but its epoch."""

    def __init__(self, num_samples, batch_size, length, epoch=0):
        self.batch = partial(shuffled, num_samples, batch_size)
        self.length = length
        self.epoch = epoch

    def __getitem__(self, index):
        return self.batch(self.epoch * self.length + index)

    def first(self, steps=None):
        return [self[index] for index in range(min(steps or self.length, self.length))]

    def fit(self, epochs, steps_per_epoch=None):
        seen, start = [], 0
        for _ in range(epochs):
            stop = min(start + (steps_per_epoch or self.length), self.length)
            seen += [self[index] for index in range(start, stop)]
            start = stop % self.length
            self.epoch += stop == self.length
        return seen


_looks = st.sampled_from(["peek", "attributes", "copy", "pickle", "loop", "iterate", "threads", "evaluate", "predict"])
_fits = st.tuples(
    st.just("fit"), st.integers(1, 3), st.none() | st.integers(1, 6), st.booleans(), st.none() | _looks, st.booleans()
)
_actions = st.lists(_fits | _looks | st.just("go on") | st.tuples(st.just("resume"), st.integers(0, 5)), max_size=4)


def _look(what, sequence, pure, recorder):
    """Does what must change nothing; gives the sequence to go on with."""
    match what:
        case "peek":
            for index in random.Random(pure.epoch).choices(range(pure.length), k=2):
                assert numbers_of(sequence[index]) == pure[index]
        case "attributes":
            assert (sequence.workers, sequence.max_queue_size, sequence.use_multiprocessing) == pure.asked_for
            assert (sequence.epoch, len(sequence), sequence.num_batches) == (pure.epoch, pure.length, pure.length)
        case "copy":
            return copy.deepcopy(sequence)
        case "pickle":
            return pickle.loads(pickle.dumps(sequence))
        case "loop":
            assert [numbers_of(sequence[index]) for index in range(pure.length)] == pure.first()
        case "iterate":
            assert [numbers_of(batch) for batch in sequence] == pure.first()
        case "threads":
            with ThreadPoolExecutor(3) as threads:
                batches = threads.map(sequence.__getitem__, [*range(pure.length)] * 2)
                assert [numbers_of(batch) for batch in batches] == pure.first() * 2
        case "evaluate":
            assert recorder.evaluate(sequence) == pure.first()
            assert recorder.evaluate(sequence, steps=1) == pure.first(1)
        case "predict":
            recorder.network.predict(sequence, verbose=0)
    return sequence


class _LookingOn(keras.callbacks.Callback):
    """Does in the middle of a training what must change nothing."""

    def __init__(self, *arguments):
        super().__init__()
        self.what, self.sequence, self.pure, self.recorder = arguments

    def on_train_batch_end(self, batch, logs=None):
        if batch in (0, 1):  # on JAX a network in training cannot be used in between: the recorder has another
            _look(self.what, self.sequence, self.pure, self.recorder)

    def on_epoch_end(self, epoch, logs=None):
        self.pure.epoch = self.sequence.epoch


@ran_out
@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    num_samples=st.integers(1, 9),
    batch_size=st.integers(1, 3),
    length=st.none() | st.integers(1, 5),
    workers=st.integers(0, 2),
    depth=st.integers(1, 3),
    initial_epoch=st.integers(0, 2),
    actions=_actions,
)
def test_any_calls_in_any_order(
    recorder, onlooker, num_samples, batch_size, length, workers, depth, initial_epoch, actions
):
    sequence = make_sequence(
        num_samples,
        batch_size=batch_size,
        batches_per_epoch=length,
        shuffle=True,
        workers=workers,
        max_queue_size=depth,
        initial_epoch=initial_epoch,
    )
    pure = _Pure(num_samples, batch_size, length or -(-num_samples // batch_size), initial_epoch)
    pure.asked_for = (workers, depth, False)
    for action in [*actions, "attributes", "loop"]:
        match action:
            case "fit", epochs, steps, shuffle, look, is_validated:
                callback = _LookingOn(look, sequence, copy.copy(pure), onlooker)
                arguments = {"validation_data": sequence} if is_validated else {}
                fitted = recorder.fit(
                    sequence, [callback], epochs=epochs, steps_per_epoch=steps, shuffle=shuffle, **arguments
                )
                assert fitted == pure.fit(epochs, steps)
            case "resume", epoch:
                sequence.epoch = pure.epoch = epoch
            case "go on":
                sequence.on_epoch_end()
                pure.epoch += 1
            case look:
                sequence = _look(look, sequence, pure, recorder)
        assert sequence.epoch == pure.epoch


def test_worker_processes_give_what_the_pure_function_gives(recorder):
    source = numbered(7)
    source.reads_in_processes = True
    sequence = MultiChannelSequence(source, np.arange(7), batch_size=2, shuffle=True, workers=2, dtype="source")
    assert "read in 2 processes" in repr(sequence)
    pure = _Pure(7, 2, 4)
    callback = _LookingOn("loop", sequence, copy.copy(pure), None)
    assert recorder.fit(sequence, [callback], epochs=2, validation_data=sequence) == pure.fit(2)
    for what in ("peek", "threads", "evaluate", "predict", "loop"):
        _look(what, sequence, pure, recorder)


@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_reads_ahead_whatever_order_keras_asks_for(recorder, shuffle):
    read = []

    class Counted(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    source = Counted(np.zeros((24, 2, 2, 4), "uint8"))
    sequence = MultiChannelSequence(source, np.arange(24), batch_size=1, workers=1, max_queue_size=2)
    fitted = recorder.fit(sequence, epochs=2, shuffle=shuffle)
    assert fitted == [[number] for number in range(24)] * 2
    # A rehearsal fetches two batches at most, and two are read ahead of it: nothing else is read for nothing.
    assert 48 <= len(read) <= 48 + 8


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's iterator")
def test_tensorflow_tunes_nothing_that_is_read_ahead():
    """It would wait for the thread that tunes where an epoch ends, now and then as long as the epoch took."""
    from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

    assert PyDatasetAdapter(make_sequence(8, batch_size=2)).get_tf_dataset().options().autotune.enabled is False


def test_two_trainings_at_a_time_do_not_share_where_they_are():
    sequence = make_sequence(7, batch_size=2, shuffle=True, workers=2)
    recorders = [Recorder(), Recorder()]
    for one in recorders:  # graphs and weights are made in turn
        one.fit(make_sequence(2))
    with ThreadPoolExecutor(2) as threads:
        fitted = [*threads.map(lambda one: one.fit(sequence, epochs=3), recorders)]
    assert fitted == [_Pure(7, 2, 4).fit(3)] * 2


@pytest.mark.parametrize("moment", ["on_train_batch_end", "on_epoch_end"])
def test_epoch_that_is_set_in_the_middle_of_fit_comes_next(recorder, moment):
    sequence, pure = make_sequence(7, batch_size=2, shuffle=True), _Pure(7, 2, 4)

    def set_epoch(number, logs=None):
        if sequence.epoch < 2:
            sequence.epoch = 5

    fitted = recorder.fit(sequence, [keras.callbacks.LambdaCallback(**{moment: set_epoch})], epochs=3)
    expected = pure.fit(1)
    pure.epoch = 5
    assert fitted == expected + pure.fit(2)
    assert sequence.epoch == pure.epoch


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("read", ["fit", "evaluate", "predict", "loop", "peek", "abandoned"])
def test_idle_sequence_holds_no_batch(recorder, read, workers):
    images = np.ones((16, 128, 128, 4), "float32")
    sequence = MultiChannelSequence(ArraySource(images), np.ones(16), batch_size=4, workers=workers)
    network = keras.Sequential(
        [keras.Input((128, 128, 4)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    )
    network.compile("sgd", "mse", run_eagerly=True)
    network.fit(images[:2], np.ones(2), verbose=0)
    gc.collect()
    tracemalloc.start()
    match read:
        case "fit":
            network.fit(sequence, epochs=2, verbose=0, validation_data=sequence)
        case "evaluate" | "predict":
            getattr(network, read)(sequence, verbose=0)
        case "loop":
            for _index in range(len(sequence)):
                sequence[_index]
        case "peek":
            sequence[2]
        case "abandoned":
            next(iter(sequence))
    deadline = time.monotonic() + 5
    while (held := _held_by_batches()) and time.monotonic() < deadline:
        time.sleep(0.02)
    tracemalloc.stop()
    assert not held


def _held_by_batches():
    gc.collect()
    filters = [tracemalloc.Filter(True, "*/keras_hpa/data/*")]
    statistics = tracemalloc.take_snapshot().filter_traces(filters).statistics("filename")
    return sum(statistic.size for statistic in statistics) // 2**17
