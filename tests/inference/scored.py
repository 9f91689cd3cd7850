"""What the tests of `predict_scores` score."""

import keras
import numpy as np

from keras_hpa import (
    ArraySource,
    MultiChannelSequence,
    predict_scores,
)

IMAGES = np.random.default_rng(0).integers(0, 256, (7, 24, 24, 4), "uint8")


SOURCE = ArraySource(IMAGES, ids=[f"cell {letter}" for letter in "abcdefg"])


def make_sequence(source=SOURCE, batch_size=3, **arguments):
    return MultiChannelSequence(source, batch_size=batch_size, workers=0, **arguments)


def make_model(size=24, seed=0, activation="sigmoid", **arguments):
    """A network that tells one side from the other, as one that pools does not."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((size, size, 4), **arguments)
    x = keras.layers.Rescaling(1 / 255 if arguments else 1.0)(inputs)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    x = keras.layers.Flatten()(x) if size else keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(5, activation=activation)(x))


def score(model, sequence, *arguments, **named):
    return predict_scores(model, sequence, *arguments, verbose=0, **named)


def floats(images):
    return images.astype("float32") / 255
