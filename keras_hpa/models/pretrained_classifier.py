"""Networks that know other images, under any number of channels."""

import os
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.graphs import (
    channel_matrix,
    check_channels_last,
    inflate_channels,
    layers_by_path,
    per_channel,
    warm_up_batch_norm,
)
from keras_hpa.layers import ChannelMixer, WarmUpBatchNormalization
from keras_hpa.models.application_scaling import application_names, application_scaling
from keras_hpa.models.gapnet import GapNet
from keras_hpa.models.image_input import check_num_classes, image_input
from keras_hpa.models.imagenet_weights_error import imagenet_weights_error
from keras_hpa.models.load_weights import load_weights
from keras_hpa.models.multi_level_gap import multi_level_gap
from keras_hpa.models.pool_taps import POOLINGS, Pooling, pool_taps

_ADAPTERS = ("mixer", "inflate")
_HEADS = ("report", "gap", "multi-level")
_GAPNET_PL_TAPS = ("block1_pool", "block2_pool", "block3_activation3")


def PretrainedClassifier(
    backbone: str | keras.Model,
    input_shape: tuple[int | None, int | None, int],
    num_classes: int,
    *,
    weights: str | os.PathLike[str] | None = "imagenet",
    adapter: Literal["mixer", "inflate"] = "inflate",
    matrix: str | Sequence[Sequence[float]] | npt.NDArray[Any] | None = None,
    trainable_matrix: bool = False,
    inflate_method: str | npt.NDArray[Any] = "copy",
    head: Literal["report", "gap", "multi-level"] = "multi-level",
    taps: Sequence[str | int] | None = None,
    pooling: Pooling = "avg",
    dropout: float = 0.5,
    batch_norm_momentum: float | str | None = "default",
    input_dtype: str = "float32",
    max_value: float | None = None,
    classifier_activation: str | None = "sigmoid",
    name: str = "pretrained_classifier",
) -> keras.Model:
    """Builds a multi-label classifier of any number of channels on a network that was trained on other images.

    The report's second model is `PretrainedClassifier("InceptionResNetV2", (299, 299, 4), 28, adapter="mixer",
    matrix="report", head="report")`: four channels mixed to three, batch normalisation, InceptionResNetV2, a 1x1
    convolution of 128 filters and a dense head; 58,742,664 parameters besides the mixer's constants. The other heads
    scale pixels as the backbone had them in its training.

    Layers have stable names: `image`, `mixer`, `input_norm` or `preprocessing`, `backbone`, `head_conv`,
    `head_dense1`, `logits`, `probabilities`. To train the head first and everything afterwards:
    `train_only(model, freeze="backbone")`, later `train_only(model)`, or `train_only(model, batch_norm=False)` to
    leave the backbone's statistics as they were.

    Args:
        backbone: name of a network of `keras.applications`, such as `"InceptionResNetV2"` or `"MobileNetV2"`;
            `"GapNet-PL"`, which was trained on cells; or any functional `keras.Model` that ends in feature maps and
            takes images scaled 0 to 1, channels last. Such a model is used as it is, not copied, unless its channels
            are inflated or its BatchNorm is told to warm up.
        input_shape: height, width, channels.
        num_classes: the number of classes, of which a sample may have several.
        weights: of the backbone: `"imagenet"`, which Keras downloads; a weights file of the backbone without its top,
            or for `"GapNet-PL"` what `GapNet` takes, its checkpoint or converted weights; or `None` for a random start.
            A `keras.Model` keeps its own unless a file is named.
        adapter: what leads from the image's channels to the backbone's: `"mixer"`, a `ChannelMixer`, or `"inflate"`,
            more filters in the backbone's first convolution (`inflate_channels`). `"GapNet-PL"` takes red, green, blue,
            yellow as they are.
        matrix: the mixer's, of shape (channels, the backbone's channels); `"report"` and `"kernel"` are for red, green,
            blue, yellow. `None` is no mixer, for equal numbers.
        trainable_matrix: whether the mixer learns.
        inflate_method: `method` of `inflate_channels`: what the new channels' filters start from.
        head: `"multi-level"`: means of many depths (`multi_level_gap`), a dense layer of 256. `"gap"`: the mean of the
            last feature maps. `"report"`: batch normalisation before the backbone, convolution, flattening, dense
            layer.
        taps: for `"multi-level"`: which depths, as in `multi_level_gap`.
        pooling: for `"gap"` and `"multi-level"`: `"avg"`, `"max"` or `"avg+max"`.
        dropout: rate of the head's dropout.
        batch_norm_momentum: momentum of every BatchNormalization of the backbone; `"warm-up"` puts
            `WarmUpBatchNormalization` in their place, and `None` leaves them as they are: Keras's .99, and .999 in
            MobileNetV2, let validation lag for hundreds or thousands of steps. `"default"` is `"warm-up"` for a
            network named by `backbone`, and `None` with `head="report"` or a model of one's own.
        input_dtype: the dtype of the images. Floats are taken as they are, 0 to 1; with an integer dtype (`"uint8"`,
            `"uint16"`) the model divides by `max_value` itself, in layer `scale`. Hand the model what it was built
            for: Keras casts bytes to floats, and floats to bytes, without a warning.
        max_value: the integer that becomes 1; `None` for the maximum of `input_dtype`.
        classifier_activation: what follows the logits; `None` for a model that returns logits.
        name: the model's name.

    Input shape:
        `(batch, height, width, channels)`; values 0 to 1, or integers as `input_dtype` says.

    Output shape:
        `(batch, num_classes)`, one independent probability per class.

    Returns:
        A functional `keras.Model` in which the backbone is one layer, `model.get_layer("backbone")`.

    Raises:
        ValueError: if an option is unknown or does not go with the backbone, the image is too small for it, or the
            backbone takes its channels first, as those of `keras.applications` do under Keras's image data format
            "channels_first".
        FileNotFoundError: if `weights` names no file, or ImageNet weights cannot be downloaded; the message says which
            file Keras wants and where to put it.
        OSError: if a weights file is damaged.

    Example:
        >>> model = PretrainedClassifier("MobileNetV2", (96, 96, 3), 5, weights=None, adapter="mixer", head="report")
        >>> [layer.name for layer in model.layers[:4]]
        ['image', 'input_norm', 'backbone', 'head_conv']
        >>> model = PretrainedClassifier("MobileNetV2", (96, 96, 2), 5, weights=None, head="gap")
        >>> [layer.name for layer in model.layers]
        ['image', 'preprocessing', 'backbone', 'tap1', 'head_dropout1', 'logits', 'probabilities']
    """
    check_num_classes(num_classes)
    for argument, value, choices in (
        ("adapter", adapter, _ADAPTERS),
        ("head", head, _HEADS),
        ("pooling", pooling, POOLINGS),
    ):
        if value not in choices:
            raise ValueError(f"`{argument}` must be one of {list(choices)}. Received: {value!r}")

    if adapter == "inflate" and (matrix is not None or trainable_matrix):
        raise ValueError(f'`matrix` and `trainable_matrix` belong to `adapter="mixer"`. Received: {matrix!r}')
    if head != "multi-level" and taps is not None:
        raise ValueError(f'`taps` belong to `head="multi-level"`. Received: {taps!r} with head {head!r}')

    if batch_norm_momentum == "default":
        batch_norm_momentum = None if head == "report" or isinstance(backbone, keras.Model) else "warm-up"
    warms_up = batch_norm_momentum == "warm-up"
    if not warms_up and (isinstance(batch_norm_momentum, str) or not 0 <= (batch_norm_momentum or 0) < 1):
        raise ValueError(
            '`batch_norm_momentum` must be "default", "warm-up", None, or a number of at least 0 and below 1. '
            f"Received: {batch_norm_momentum!r}"
        )
    inputs, x = image_input(input_shape, input_dtype, max_value)
    network = _network(backbone, input_shape, weights)
    check_channels_last(network, "backbone")
    if warms_up:
        network = warm_up_batch_norm(network)
    elif batch_norm_momentum is not None:
        for _, layer in layers_by_path(network):
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.momentum = batch_norm_momentum
    scale, offset, order = _scaling(backbone, head)
    channels, known = input_shape[2], network.inputs[0].shape[-1]
    shares = np.eye(known, dtype="float32")
    if adapter == "inflate":
        shares = channel_matrix(inflate_method, channels, known)
        if channels != known or not isinstance(inflate_method, str) or list(order) != sorted(order):
            network = inflate_channels(network, channels, method=shares[:, order] if len(order) else shares)
    else:
        if matrix is None and channels != known:
            raise ValueError(
                f"`matrix` must be given where {channels} channels are mixed to {known}, of shape "
                f"{(channels, known)}. Received: None"
            )
        x = x if matrix is None else ChannelMixer(matrix, trainable=trainable_matrix, name="mixer")(x)
        if list(order) != sorted(order):
            network = inflate_channels(network, known, method=shares[:, order])
    if head == "report":
        x = keras.layers.BatchNormalization(name="input_norm")(x)
    elif len(scale):
        x = keras.layers.Rescaling(
            per_channel(scale, shares).tolist(), per_channel(offset, shares).tolist(), name="preprocessing"
        )(x)
    taps = _GAPNET_PL_TAPS if taps is None and backbone == "GapNet-PL" else taps
    x = _head(x, network, head, taps, pooling, dropout)
    x = keras.layers.Dense(int(num_classes), name="logits")(x)
    # Probabilities stay in single precision whatever the rest computes in.
    outputs = keras.layers.Activation(classifier_activation, dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, outputs, name=name)


def _network(
    backbone: str | keras.Model,
    input_shape: tuple[int | None, int | None, int],
    weights: str | os.PathLike[str] | None,
) -> keras.Model:
    """The backbone without its top, named "backbone", with as many channels as it knows."""
    if isinstance(backbone, keras.Model):
        if len(backbone.outputs) != 1 or len(backbone.outputs[0].shape) != 4:
            shapes = [tuple(output.shape) for output in backbone.outputs]
            raise ValueError(f"`backbone` must end in feature maps, one output of rank 4. Received: outputs {shapes}")
        if weights not in (None, "imagenet"):
            load_weights(backbone, weights, f"None or a weights file of {backbone.name!r}")
        return keras.Model(backbone.inputs[0], backbone.outputs[0], name="backbone")
    if backbone == "GapNet-PL":
        if weights == "imagenet":
            raise ValueError('`weights` of "GapNet-PL" must be its checkpoint\'s path or None. Received: "imagenet"')
        gapnet = GapNet((*input_shape[:2], 4), 13, variant="gapnet-pl", weights=weights)
        return keras.Model(gapnet.inputs[0], gapnet.get_layer(_GAPNET_PL_TAPS[-1]).output, name="backbone")
    if backbone not in application_names():
        raise ValueError(
            f'`backbone` must be a keras.Model, "GapNet-PL" or a network of keras.applications: {application_names()}. '
            f"Received: {backbone!r}"
        )
    if keras.config.image_data_format() != "channels_last":
        raise ValueError(
            "`backbone` must take its channels last, and keras.applications builds by Keras's image data format: call "
            'keras.config.set_image_data_format("channels_last") before. '
            f"Received: {backbone!r} under {keras.config.image_data_format()!r}"
        )
    build = getattr(keras.applications, backbone)
    arguments: dict[str, Any] = {"include_top": False, "input_shape": (*input_shape[:2], 3)}
    try:
        model = build(weights="imagenet" if weights == "imagenet" else None, **arguments)
    except ValueError:
        raise
    except Exception as error:  # Keras raises a bare Exception where a download fails.
        if weights != "imagenet":
            raise
        raise imagenet_weights_error(backbone, error) from error
    if weights not in (None, "imagenet"):
        load_weights(model, weights, f'"imagenet", None or a weights file of {backbone} without its top')
    # Renamed here because EfficientNetV2 looks its settings up by its name.
    return keras.Model(model.inputs[0], model.outputs[0], name="backbone")


def _scaling(
    backbone: str | keras.Model, head: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Scale, offset and order of the backbone's channels; empty where images from 0 to 1 go in as they are."""
    if head == "report" or not isinstance(backbone, str) or backbone == "GapNet-PL":
        nothing = np.zeros(0, "float32")
        return nothing, nothing, nothing.astype(np.intp)
    return application_scaling(backbone)


def _head(
    x: Any, network: keras.Model, head: str, taps: Sequence[str | int] | None, pooling: Pooling, dropout: float
) -> Any:
    if head == "multi-level":
        x = multi_level_gap(network, taps, pooling=pooling, name="backbone")(x)
        x = WarmUpBatchNormalization(name="head_norm1")(x)
        x = keras.layers.Dropout(dropout, name="head_dropout1")(x)
        x = keras.layers.Dense(256, activation="relu", name="head_dense1")(x)
        x = WarmUpBatchNormalization(name="head_norm2")(x)
        return keras.layers.Dropout(dropout, name="head_dropout2")(x)
    x = network(x)
    if head == "gap":
        return keras.layers.Dropout(dropout, name="head_dropout1")(pool_taps([x], pooling))
    x = keras.layers.Conv2D(128, 1, activation="relu", data_format="channels_last", name="head_conv")(x)
    x = keras.layers.Flatten("channels_last", name="head_flatten")(x)
    x = keras.layers.Dropout(dropout, name="head_dropout1")(x)
    x = keras.layers.Dense(512, activation="relu", name="head_dense1")(x)
    return keras.layers.Dropout(dropout, name="head_dropout2")(x)
