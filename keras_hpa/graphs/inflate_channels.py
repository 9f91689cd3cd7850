"""A network for three channels, rebuilt for any number of them."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.graphs.check_channels_last import check_channels_last
from keras_hpa.graphs.layers_by_path import layers_by_path
from keras_hpa.graphs.model_graph import Call, Changes, is_functional, rebuild, trace
from keras_hpa.layers import PixelSize

_METHODS = ("copy", "mean", "zero", "repeat")
PIXELWISE = (
    keras.layers.ZeroPadding2D,
    keras.layers.Cropping2D,
    keras.layers.Resizing,
    keras.layers.Activation,
    keras.layers.Dropout,
    keras.layers.GaussianNoise,
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.RandomFlip,
    keras.layers.RandomRotation,
    keras.layers.RandomTranslation,
    keras.layers.RandomZoom,
    keras.layers.RandomCrop,
    PixelSize,
)
"""Layers that treat every channel alike and have no scale of their own."""
_PER_CHANNEL = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.BatchNormalization)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.SeparableConv2D)


def inflate_channels(
    model: keras.Model,
    channels: int,
    *,
    method: str | npt.ArrayLike = "copy",
    copy_from: Sequence[int] | None = None,
) -> keras.Model:
    """Rebuilds a model, pretrained on colour images, for images of any number of channels.

    Only the first convolution and the layers before it depend on the number of channels; all other weights are copied
    unchanged, and every layer keeps its name. The convolution may lie within a layer, as that of the patch embedding of
    a vision transformer does; such a layer is tried, and refused where it does more to the image. A model of a class
    that makes itself for an `image_shape`, as KerasHub's backbones do, stays one of that class. With one matrix entry
    per pair of channels, the new filters are `new[c] = sum over k of matrix[c, k] * old[k]`:

    - `"copy"`: the old channels unchanged; each further one copies the filters of an old one. The winners of the atlas
      challenge gave yellow the filters of red.
    - `"mean"`: the old channels unchanged; each further one gets the mean of all old filters.
    - `"zero"`: the old channels unchanged; further ones have no effect until they are trained, so the scores are the
      old ones.
    - `"repeat"`: the old channels in turn, scaled so that an image of equal channels gives the old scores.

    Args:
        model: a functional or sequential model of one image; models within it are rebuilt too. It is not changed.
        channels: how many channels the new model takes.
        method: `"copy"`, `"mean"`, `"zero"`, `"repeat"`, or a matrix of shape `(channels, old channels)`.
        copy_from: for `"copy"`: the index of the old channel that each additional channel copies. `None` takes the
            old ones in turn: yellow from red.

    Returns:
        A new model with the same name, not compiled.

    Raises:
        TypeError: if `model` is not a functional or sequential model of one image.
        ValueError: if an argument is out of range, the model takes its channels first, or the first convolution or a
            layer before it cannot be rebuilt; the message names the layer.

    Example:
        >>> backbone = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None)
        >>> inflated = inflate_channels(backbone, 4)
        >>> inflated.input_shape, inflated.count_params() - backbone.count_params()
        ((None, 96, 96, 4), 288)
    """
    if not is_functional(model) or len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise TypeError(f"`model` must be a functional or sequential model of one image. Received: {model!r}")
    check_channels_last(model)
    if not isinstance(channels, int | np.integer) or channels < 1:
        raise ValueError(f"`channels` must be a whole number, at least 1. Received: {channels!r}")
    matrix = channel_matrix(method, channels, model.inputs[0].shape[-1], copy_from)
    if "image_shape" in (config := _own_config(model)):
        return _make_anew(model, config, matrix)
    inflated, are_images = _inflate(model, matrix)
    if all(are_images):
        raise ValueError(f"`model` must have a convolution. Received: {model.name!r}, which has none")
    return inflated


def channel_matrix(
    method: str | npt.ArrayLike, channels: int, known: int, copy_from: Sequence[int] | None = None
) -> npt.NDArray[np.float32]:
    """The share of each of the `known` old channels in each of the `channels` new ones, `(channels, known)`."""
    if not isinstance(method, str):
        matrix = np.asarray(method, "float32")
        if matrix.shape != (channels, known) or not np.isfinite(matrix).all():
            raise ValueError(
                f"`method` must be one of {list(_METHODS)} or a finite matrix of shape {(channels, known)}. "
                f"Received: {method!r}"
            )
        return matrix
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {list(_METHODS)} or a matrix. Received: {method!r}")
    new = max(0, channels - known)
    if copy_from is not None and (
        method != "copy" or len(copy_from) != new or not all(0 <= index < known for index in copy_from)
    ):
        raise ValueError(
            f'`copy_from` must give, for `method="copy"`, one index below {known} for each of the {new} new channels. '
            f"Received: {copy_from!r} with method {method!r}"
        )
    matrix = np.zeros((channels, known), "float32")
    if method == "repeat":
        matrix[np.arange(channels), np.arange(channels) % known] = known / channels
        return matrix
    kept = min(channels, known)
    matrix[:kept, :kept] = np.eye(kept)
    if method == "mean":
        matrix[kept:] = 1 / known
    elif method == "copy":
        sources = [index % known for index in range(new)] if copy_from is None else list(copy_from)
        matrix[np.arange(kept, channels), sources] = 1
    return matrix


def _inflate(model: keras.Model, matrix: npt.NDArray[np.float32]) -> tuple[keras.Model, list[bool]]:
    """The model for more channels, and which of its outputs are still images of these channels."""
    graph, changes = trace(model), Changes()
    images = set(graph.inputs)
    for call in graph.calls:
        layer = call.layer
        if images.isdisjoint(call.inputs):
            continue
        if is_functional(layer):
            changes.layers[layer], are_images = _inflate(layer, matrix)
        else:
            are_images = [_keeps_channels(layer, model.name, matrix.shape[1])] * len(call.outputs)
            if isinstance(layer, _CONVOLUTIONS + PIXELWISE + _PER_CHANNEL):
                changes.configs[layer] = _inflate_config(layer, matrix)
                changes.weights[layer] = _inflate_weights(layer, matrix)
            else:
                changes.layers[layer] = _inflate_embedding(call, matrix, model.name)
        images.update(itertools.compress(call.outputs, are_images))
    return rebuild(model, graph, changes, channels=len(matrix)), [output in images for output in graph.outputs]


def _keeps_channels(layer: Any, model_name: str, known: int) -> bool:
    """Whether a layer that takes the image keeps its channels; refuses one that cannot be rebuilt."""
    if isinstance(layer, _CONVOLUTIONS) and getattr(layer, "groups", 1) == 1:
        return False
    if isinstance(layer, PIXELWISE + _PER_CHANNEL):
        return True
    if isinstance(layer, keras.layers.Layer) and len(_kernels(layer, known)) == 1:
        return False
    raise _refusal(layer, model_name)


def _refusal(layer: Any, model_name: str) -> ValueError:
    return ValueError(
        f"`model` must lead its image to a convolution through padding, scaling and normalisation only. "
        f"Received: layer {layer.name!r} of type {type(layer).__name__} in {model_name!r}"
    )


def _kernels(layer: keras.layers.Layer, known: int) -> list[int]:
    """The places, among the weights of a layer, of kernels of convolutions within it that take the old channels."""
    kernels = [
        inner.kernel
        for _, inner in layers_by_path(layer)
        if isinstance(inner, keras.layers.Conv2D)
        and inner.built
        and inner.groups == 1
        and inner.kernel.shape[2] == known
    ]
    return [place for place, weight in enumerate(layer.weights) if any(weight is kernel for kernel in kernels)]


def _inflate_embedding(call: Call, matrix: npt.NDArray[np.float32], model_name: str) -> keras.layers.Layer:
    """A layer that convolves its image within."""
    old: Any = call.layer
    known, config = matrix.shape[1], old.get_config()
    counts = [key for key in ("num_channels", "in_channels", "channels") if config.get(key) == known]
    new = type(old).from_config(config | dict.fromkeys(counts, len(matrix)))
    image = _random_image(call.inputs[0].shape, len(matrix))
    new(image)
    (place,) = _kernels(old, known)
    weights = old.get_weights()
    weights[place] = _mixed(weights[place], matrix)
    try:
        new.set_weights(weights)
    except ValueError as error:
        raise _refusal(old, model_name) from error
    new.trainable = old.trainable
    if not _does_the_same(old, new, image, matrix):
        raise _refusal(old, model_name)
    return new


def _own_config(model: keras.Model) -> dict[str, Any]:
    """The config of a model of a class of its own; empty for functional and sequential models."""
    plain = type(model).__module__.partition(".")[0] == "keras"
    return {} if plain or isinstance(model, keras.Sequential) else model.get_config()


def _make_anew(model: keras.Model, config: dict[str, Any], matrix: npt.NDArray[np.float32]) -> keras.Model:
    """A model of the same class, from its config, for images of more channels."""
    new = type(model).from_config(config | {"image_shape": (*model.input_shape[1:3], len(matrix))})
    weights = [
        _mixed(old, matrix) if old.ndim == 4 and old.shape[2] == matrix.shape[1] and made.shape != old.shape else old
        for old, made in zip(model.get_weights(), new.get_weights(), strict=True)
    ]
    new.set_weights(weights)
    new.trainable = model.trainable
    if not _does_the_same(model, new, _random_image(model.input_shape, len(matrix)), matrix):
        raise _refusal(model, model.name)
    return new


def _random_image(shape: Sequence[int | None], channels: int) -> npt.NDArray[np.float32]:
    sizes = [size or 64 for size in shape[1:3]]
    return np.random.default_rng(0).standard_normal((1, *sizes, channels)).astype("float32")


def _does_the_same(old: Any, new: Any, image: npt.NDArray[np.float32], matrix: npt.NDArray[np.float32]) -> bool:
    """Whether the new does to an image what the old does to its channels mixed."""
    outputs = [
        # A model may want its image by name.
        model(keras.tree.map_structure(lambda _, x=x: x, model.input) if isinstance(model, keras.Model) else x)
        for model, x in ((old, image @ matrix), (new, image))
    ]
    for one, other in zip(*map(keras.tree.flatten, outputs), strict=True):
        before, after = keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other)
        if not np.allclose(before, after, rtol=1e-3, atol=1e-3 * np.abs(before).max()):
            return False
    return True


def _mixed(kernel: npt.NDArray[Any], matrix: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    return np.einsum("ck,hwko->hwco", matrix, kernel).astype(kernel.dtype)


def _inflate_config(layer: keras.layers.Layer, matrix: npt.NDArray[np.float32]) -> dict[str, Any]:
    """The entries of the layer's config that hold one number per channel, for the new channels."""
    if not isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization):
        return {}
    config = layer.get_config()
    values = {key: config.get(key) for key in ("scale", "offset", "mean", "variance")}
    return {
        key: per_channel(np.ravel(value), matrix).tolist()
        for key, value in values.items()
        if value is not None and np.size(value) == matrix.shape[1] > 1
    }


def _inflate_weights(layer: keras.layers.Layer, matrix: npt.NDArray[np.float32]) -> list[npt.NDArray[Any]]:
    weights = layer.get_weights()
    if isinstance(layer, keras.layers.SeparableConv2D):
        # Depthwise filters are per channel; the pointwise ones after them mix.
        depthwise, pointwise, *rest = weights
        known, multiplier = depthwise.shape[2:]
        mixing = pointwise.reshape(*pointwise.shape[:2], known, -1)
        mixing = np.einsum("ck,hwko->hwco", matrix, mixing)
        depthwise = np.moveaxis(per_channel(np.moveaxis(depthwise, 2, 0), matrix), 0, 2)
        return [depthwise, mixing.reshape(*pointwise.shape[:2], len(matrix) * multiplier, -1), *rest]
    if isinstance(layer, keras.layers.Conv2D):
        return [_mixed(weights[0], matrix), *weights[1:]]
    return [
        per_channel(np.moveaxis(w, -1, 0), matrix) if w.ndim and w.shape[-1] == matrix.shape[1] else w for w in weights
    ]


def per_channel(values: npt.NDArray[Any], matrix: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """One value per new channel: that of the old channel it copies, or the mean of those it mixes."""
    shares = np.abs(matrix)
    sums = shares.sum(1, keepdims=True)
    shares = np.where(sums > 0, shares / np.where(sums > 0, sums, 1), 1 / matrix.shape[1])
    return np.tensordot(shares, values, axes=1).astype(values.dtype)
