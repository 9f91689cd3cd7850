"""Moving statistics of BatchNormalization, taken again after a short training."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import islice
from typing import Any

import keras

from keras_hpa.graphs import layers_by_path


def reestimate_batch_norm(
    model: keras.Model, data: Iterable[Any], *, steps: int | None = None, verbose: int = 0
) -> keras.Model:
    """Replaces the moving mean and variance of every BatchNormalization by their averages over `data`.

    With its usual momentum of 0.99 a moving average needs about 500 steps to forget where it began. A network that
    was trained for fewer is right in training and wrong in `predict`. This runs `data` through the model once, without
    dropout and without learning, and keeps the plain averages of what each layer saw. Frozen layers keep theirs.

    Args:
        model: the model; it is changed in place.
        data: batches as `fit` takes them, of the training images: a `MultiChannelSequence`, any iterable of `images`
            or `(images, labels)`, or an array, which is one batch. Batches as large as those of training are best.
        steps: how many batches to use; `None` uses all. A few thousand images are plenty.
        verbose: 1 shows a progress bar.

    Returns:
        `model`.

    Raises:
        ValueError: if there is no batch.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
        >>> model = reestimate_batch_norm(model, [keras.ops.array([[1.0], [3.0]]), keras.ops.array([[5.0], [7.0]])])
        >>> [float(weight[0]) for weight in model.layers[0].get_weights()[2:]]  # moving mean and variance
        [4.0, 1.0]

    References:
        Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018 (section 3.2).
    """
    batches = [data] if hasattr(data, "shape") else _batches(data)
    layers = [layer for _, layer in layers_by_path(model)]
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    dropouts = [layer for layer in layers if hasattr(layer, "rate")]
    progress = keras.utils.Progbar(steps or (len(data) if isinstance(data, Sized) else None), verbose=verbose)
    seen = 0
    with _restored(norms, "momentum"), _restored(dropouts, "rate"):
        for dropout in dropouts:
            dropout.rate = 0.0
        for batch in islice(batches, steps):
            images = keras.ops.convert_to_tensor(batch[0] if isinstance(batch, tuple) else batch)
            # A batch weighs as much as its share of what was seen: the moving average becomes a plain one.
            for norm in norms:
                norm.momentum = seen / (seen + len(images))
            model(images, training=True)
            seen += len(images)
            progress.add(1)
    if not seen:
        raise ValueError(f"`data` must have at least one batch and `steps` be at least 1. Received: steps={steps!r}")
    return model


def _batches(data: Iterable[Any]) -> Iterator[Any]:
    if isinstance(data, keras.utils.PyDataset):
        # Iterating over a data set that has no end would not stop.
        return (data[index] for index in range(len(data)))
    return iter(data)


@contextmanager
def _restored(layers: list[Any], attribute: str) -> Iterator[None]:
    values = [getattr(layer, attribute) for layer in layers]
    try:
        yield
    finally:
        for layer, value in zip(layers, values, strict=True):
            setattr(layer, attribute, value)
