"""Moving statistics of BatchNormalization, taken again after a short training."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from itertools import islice
from typing import Any

import keras
import numpy as np

from keras_hpa.graphs import layers_by_path


def reestimate_batch_norm(
    model: keras.Model, data: Iterable[Any], *, steps: int | None = None, verbose: int = 0
) -> keras.Model:
    """Replaces the moving mean and variance of every BatchNormalization by their averages over `data`.

    With its usual momentum of 0.99 a moving average needs about 500 steps to forget where it began. A network that
    was trained for fewer is right in training and wrong in `predict`. This runs `data` through the model once, without
    dropout and without learning, and keeps the plain averages of what each layer saw, also of layers inside a layer
    that somebody wrote. Frozen layers keep theirs.

    Args:
        model: the model; it is changed in place.
        data: batches as `fit` takes them, of the training images: a `MultiChannelSequence`, any iterable of `images`
            or `(images, labels)`, or an array, which is one batch. Batches as large as those of training are best.
        steps: how many batches to use; `None` uses all. A few thousand images are plenty.
        verbose: 1 shows a progress bar.

    Returns:
        `model`.

    Raises:
        ValueError: if there is no batch, or a batch or weight is not finite, which leaves the model as it was.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization()])
        >>> model = reestimate_batch_norm(model, [keras.ops.array([[1.0], [3.0]]), keras.ops.array([[5.0], [7.0]])])
        >>> [float(weight[0]) for weight in model.layers[0].get_weights()[2:]]  # moving mean and variance
        [4.0, 1.0]

    References:
        Izmailov et al., Averaging weights leads to wider optima and better generalization, UAI 2018 (section 3.2).
    """
    batches = [data] if hasattr(data, "shape") else _batches(data)
    layers = dict(layers_by_path(model))
    norms = {
        path: layer
        for path, layer in layers.items()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.built and layer.trainable
    }
    dropouts = [layer for layer in layers.values() if hasattr(layer, "rate")]
    statistics = [weight for norm in norms.values() for weight in (norm.moving_mean, norm.moving_variance)]
    old = [keras.ops.convert_to_numpy(weight) for weight in statistics]
    means = [np.zeros(weight.shape) for weight in statistics]
    progress = keras.utils.Progbar(steps or (len(data) if isinstance(data, Sized) else None), verbose=verbose)
    seen = 0
    try:
        with _restored(list(norms.values()), "momentum"), _restored(dropouts, "rate"):
            for dropout in dropouts:
                dropout.rate = 0.0
            for norm in norms.values():
                norm.momentum = 0.0
                # Zero times NaN would stay NaN.
                norm.moving_mean.assign(np.zeros(norm.moving_mean.shape))
                norm.moving_variance.assign(np.ones(norm.moving_variance.shape))
            for number, batch in enumerate(islice(batches, steps)):
                images = keras.ops.convert_to_tensor(batch[0] if isinstance(batch, tuple) else batch)
                model(images, training=True)
                found = [keras.ops.convert_to_numpy(weight) for weight in statistics]
                for path, values in zip((path for path in norms for _ in range(2)), found, strict=True):
                    if not np.isfinite(values).all():
                        raise ValueError(
                            f"`data` and the weights must be finite, and the statistics of layer {path!r} are not. "
                            f"Received: batch {number}"
                        )
                # A batch weighs as much as its share of what was seen.
                seen += len(images)
                means = [mean + (new - mean) * len(images) / seen for mean, new in zip(means, found, strict=True)]
                progress.add(1)
        if not seen:
            raise ValueError(
                f"`data` must have at least one batch and `steps` be at least 1. Received: steps={steps!r}"
            )
        old = means
    finally:
        for weight, values in zip(statistics, old, strict=True):
            weight.assign(values)
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
