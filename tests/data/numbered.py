"""Batches that tell which samples they hold, and a model that keeps what it is trained and tested on."""

import keras
import numpy as np

from keras_hpa import ArraySource, MultiChannelSequence


def numbered(num_samples, dtype="uint16"):
    """Images whose value is their number."""
    return ArraySource(
        np.broadcast_to(np.arange(num_samples, dtype=dtype)[:, None, None, None], (num_samples, 2, 2, 4))
    )


def make_sequence(num_samples, **arguments):
    return MultiChannelSequence(numbered(num_samples), np.arange(num_samples), dtype="source", **arguments)


def numbers_of(batch):
    images, labels = batch
    np.testing.assert_array_equal(images[:, 0, 0, 0], labels)
    return labels.astype(int).tolist()


def numbers(sequence, epochs=1):
    """Which samples are read, by a loop that does what `fit` does."""
    seen = []
    for _ in range(epochs):
        seen += [numbers_of(sequence[index]) for index in range(len(sequence))]
        sequence.on_epoch_end()
    return seen


def shuffled(num_samples, batch_size, number, seed=0):
    """The pure function: which samples batch `number` of a shuffled sequence has, counted from the first epoch on."""
    pass_number, index = divmod(number, -(-num_samples // batch_size))
    rng = np.random.default_rng(np.random.SeedSequence([seed, pass_number], spawn_key=(0,)))
    return rng.permutation(num_samples)[index * batch_size :][:batch_size].tolist()


class Recorder(keras.callbacks.Callback):
    """Keeps the numbers of the samples, batch by batch, that a model is trained and tested on.

    `fit` looks at batches that it does not train on; they are not among them.
    """

    def __init__(self):
        super().__init__()
        self.trained, self.tested = [], []
        self.lists = []
        self.network = keras.Sequential([keras.Input((2, 2, 4)), keras.layers.Flatten(), keras.layers.Dense(1)])
        self.network.compile("sgd", self.loss, metrics=["mse"], run_eagerly=True)

    def loss(self, labels, outputs):
        if self.lists:
            self.lists[-1].append(keras.ops.convert_to_numpy(labels).astype(int).ravel().tolist())
        return keras.ops.mean(outputs)

    def on_train_batch_begin(self, batch, logs=None):
        self.lists.append(self.trained)

    def on_test_batch_begin(self, batch, logs=None):
        self.lists.append(self.tested)

    def on_train_batch_end(self, batch, logs=None):
        self.lists.pop()

    def on_test_batch_end(self, batch, logs=None):
        self.lists.pop()

    def fit(self, sequence, callbacks=(), **arguments):
        self.trained.clear()
        self.network.fit(sequence, callbacks=[self, *callbacks], verbose=0, **arguments)
        return [*self.trained]

    def evaluate(self, sequence, **arguments):
        self.tested.clear()
        self.network.evaluate(sequence, callbacks=[self], verbose=0, **arguments)
        return [*self.tested]
