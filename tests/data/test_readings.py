"""What a sequence gives Keras, and everybody else meanwhile."""

import copy
import pickle
import random
import threading
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_hpa import MultiChannelSequence
from tests.data.numbered import Recorder, make_sequence, numbered, numbers_of, shuffled

ran_out = pytest.mark.filterwarnings("ignore:Your input ran out of data")


@pytest.fixture(scope="module")
def recorder():
    return Recorder()


class _Call(keras.callbacks.Callback):
    """Calls something after some batches of the training."""

    def __init__(self, function, batches=(1,)):
        super().__init__()
        self.function = function
        self.batches = batches

    def on_train_batch_end(self, batch, logs=None):
        if batch in self.batches:
            self.function()


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


_looks = st.sampled_from(["peek", "attributes", "copy", "pickle", "loop", "iterate", "evaluate", "predict"])
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
        case "evaluate":
            assert recorder.evaluate(sequence) == pure.first()
            assert recorder.evaluate(sequence, steps=1) == pure.first(1)
        case "predict":
            recorder.network.predict(sequence, verbose=0)
    return sequence


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
def test_any_calls_in_any_order(recorder, num_samples, batch_size, length, workers, depth, initial_epoch, actions):
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
                callbacks = [_Call(lambda look=look: _look(look, sequence, copy.copy(now), recorder), (0, 1))]
                now = copy.copy(pure)
                after = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(now, "epoch", sequence.epoch))
                expected = pure.fit(epochs, steps)
                arguments = {"validation_data": sequence} if is_validated else {}
                fitted = recorder.fit(
                    sequence, [*callbacks, after], epochs=epochs, steps_per_epoch=steps, shuffle=shuffle, **arguments
                )
                assert fitted == expected
            case "resume", epoch:
                sequence.epoch = pure.epoch = epoch
            case "go on":
                sequence.on_epoch_end()
                pure.epoch += 1
            case look:
                sequence = _look(look, sequence, pure, recorder)
        assert sequence.epoch == pure.epoch
