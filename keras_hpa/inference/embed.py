"""What a network knows of each sample, as numbers: the features before its classifier."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import MultiChannelSequence, Source
from keras_hpa.graphs import Call, is_functional, replay, trace
from keras_hpa.inference.predict_scores import predict_scores
from keras_hpa.inference.transforms import Transform


def embed(
    model: keras.Model,
    sequence: MultiChannelSequence | Source,
    layer: str | None = None,
    *,
    transforms: str | Sequence[Transform] | None = None,
    tile_overlap: float | None = None,
    tile_size: int | tuple[int, int] | None = None,
    path: str | os.PathLike[str] | None = None,
    verbose: int | str = "auto",
) -> npt.NDArray[np.float32]:
    """Computes the embedding of all samples: the features that a layer gives, in the order of their source.

    Everything that [`predict_scores`](predict_scores.md) does for scores it does here: every image is read once,
    symmetries and tiles are averaged, and after an interruption the same call goes on where it ended.

    Args:
        model: a functional or sequential model of one image.
        sequence: what to read, at which size and type, and how many images at a time; or `Samples`, which are read as
            the model takes them, as for `predict_scores`.
        layer: the name of a layer, `"backbone/top_conv"` in a nested model. Unless given: `taps`, where the model has
            it, as every `GapNet` does, whose pooled features of all depths transfer best, or `embedding`, as `SubCell`
            does; otherwise what goes into the last dense layer. Feature maps, and the tokens of a transformer, are
            averaged over their positions.
        transforms: the ways in which the network sees an image, as for `predict_scores`; `"dihedral"` averages over all
            eight symmetries.
        tile_overlap: cuts large images into tiles, as for `predict_scores`.
        tile_size: height and width of tiles.
        path: a folder that keeps embeddings as they are computed.
        verbose: 1 or `"auto"` shows a progress bar, 0 does not.

    Returns:
        A float32 array of shape `(num_samples, num_features)`.

    Raises:
        TypeError: if `model` is not a functional or sequential model of one image, or `sequence` neither a sequence
            nor a source.
        ValueError: if the model has no such layer, its output is no features of an image, or an argument is not as
            described for `predict_scores`.

    Example:
        >>> import keras_hpa
        >>> samples = keras_hpa.SyntheticAtlas(5, image_size=64).samples
        >>> model = keras_hpa.GapNet((64, 64, 4), 28)
        >>> embed(model, samples, verbose=0).shape
        (5, 224)
        >>> embed(model, samples.batches(batch_size=5), "head_dense2", verbose=0).shape
        (5, 256)
    """
    return predict_scores(
        embedding_model(model, layer),
        sequence,
        transforms,
        tile_overlap=tile_overlap,
        tile_size=tile_size,
        path=path,
        verbose=verbose,
    )


def embedding_model(model: keras.Model, layer: str | None = None) -> keras.Model:
    """Cuts a model behind a layer: images in, the layer's features out, the weights shared with `model`.

    Args:
        model: a functional or sequential model of one image; it is not changed.
        layer: as for [`embed`](embed.md).

    Returns:
        A model whose output has shape `(batch, num_features)`.

    Raises:
        TypeError, ValueError: as [`embed`](embed.md).

    Example:
        >>> import keras_hpa
        >>> embedding_model(keras_hpa.GapNet((None, None, 4), 28)).output_shape
        (None, 224)
    """
    return _ending_in(model, layer, lambda scores, features: features, "embedding")


def scores_and_embedding(model: keras.Model, layer: str | None = None) -> keras.Model:
    """Makes a model that computes scores and embedding at once: each image gives its scores, then its features.

    Args:
        model: as for [`embed`](embed.md), with one output of shape `(batch, num_classes)`.
        layer: as for [`embed`](embed.md).

    Returns:
        A model whose output has shape `(batch, num_classes + num_features)`, the weights shared with `model`.

    Raises:
        TypeError, ValueError: as [`embed`](embed.md).
    """
    joined = keras.layers.Concatenate(dtype="float32")
    return _ending_in(model, layer, lambda scores, features: joined([scores, features]), "scores_and_embedding")


def _ending_in(model: keras.Model, layer: str | None, end: Callable[..., Any], ending: str) -> keras.Model:
    """Cuts a model behind its scores and a layer's features, and makes an output of the two."""
    if not is_functional(model) or len(model.inputs) != 1:
        raise TypeError(f"`model` must be a functional or sequential model of one image. Received: {model!r}")
    graph = trace(model, inline=True)
    made = {call.path: call for call in graph.calls if call.outputs}
    features = _default_features(list(made.values())) if layer is None else _features(made, layer)
    if len(features.shape) not in (2, 3, 4) or features.shape[-1] is None:
        raise ValueError(
            "`layer` must give features (batch, features), feature maps (batch, height, width, features) or tokens "
            f"(batch, tokens, features). Received: {layer!r}, whose output has shape {features.shape}"
        )
    (old,), scores = graph.inputs, graph.outputs[0]
    inputs = keras.Input(batch_shape=old.shape, dtype=old.dtype, name=old.name)

    def call(one: Call, *args: Any, **kwargs: Any) -> Any:
        return one.layer(*args, **kwargs)

    values = replay(graph.calls, {old: inputs}, call)
    x = values[features]
    if len(features.shape) > 2:
        x = keras.ops.mean(x, tuple(range(1, len(features.shape) - 1)))
    return keras.Model(inputs, end(values[scores], x), name=f"{model.name}_{ending}")


def _default_features(calls: list[Call]) -> keras.KerasTensor:
    for call in calls:
        if call.path.rpartition("/")[2] in ("taps", "embedding"):
            return call.outputs[0]
    dense = [call for call in calls if isinstance(call.layer, keras.layers.Dense)]
    if not dense:
        raise ValueError(
            f"`layer` must be given where a model has no dense layer. Received: None; there are "
            f"{[call.path for call in calls]}"
        )
    return dense[-1].inputs[0]


def _features(made: dict[str, Call], layer: str) -> keras.KerasTensor:
    if layer not in made:
        raise ValueError(f"`layer` must be one of {list(made)}. Received: {layer!r}")
    outputs = made[layer].outputs
    if len(outputs) != 1:
        raise ValueError(f"`layer` must have one output. Received: {layer!r}, which has {len(outputs)}")
    return outputs[0]
