"""GapNet: a small convolutional network that pools the image at several depths."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import numpy as np

from keras_hpa.atlas import CHANNEL_STAINS, CHANNELS
from keras_hpa.layers import GapNetPLPreprocessing, ImageStandardization, TextureFeatures, WarmUpBatchNormalization
from keras_hpa.models.arrange_channels import arrange_channels
from keras_hpa.models.gapnet_pl_checkpoint import is_checkpoint, load_gapnet_pl_checkpoint
from keras_hpa.models.gapnet_variants import VARIANTS, block_strides, smallest_size
from keras_hpa.models.image_input import check_num_classes, image_input
from keras_hpa.models.load_weights import load_weights
from keras_hpa.models.pool_taps import POOLINGS, Pooling, pool_taps
from keras_hpa.models.published_weights import PUBLISHED, PublishedWeights

_PREPROCESSING: dict[str, type[keras.layers.Layer]] = {
    "gapnet-pl": GapNetPLPreprocessing,
    "textured": ImageStandardization,
}


def GapNet(
    input_shape: tuple[int | None, int | None, int],
    num_classes: int,
    *,
    variant: Literal["report", "light", "textured", "gapnet-pl"] | None = None,
    weights: str | os.PathLike[str] | None = None,
    weights_num_classes: int | None = None,
    channels: Sequence[str | None] | Mapping[str, str] | None = None,
    preprocessing: str | keras.layers.Layer | None = "default",
    input_dtype: str = "float32",
    max_value: float | None = None,
    stem_strides: int | None = None,
    filters: Sequence[int] | None = None,
    depths: Sequence[int] | None = None,
    padding: Literal["valid", "same", "symmetric"] | None = None,
    activation: str | None = None,
    normalization: Literal["batch-warm-up", "batch", "group", "none"] | None = None,
    batch_norm_momentum: float = 0.99,
    dropout: float | None = None,
    pooling: Pooling = "avg",
    texture: Sequence[int] | None = None,
    head_units: Sequence[int] | None = None,
    head_dropout: Sequence[float] | None = None,
    classifier_activation: str | None = "sigmoid",
    name: str = "gapnet",
) -> keras.Model:
    """Builds a GapNet: blocks of 3x3 convolutions, each pooled over the whole image, joined and classified.

    Where a protein lies shows at many scales: fine texture in the first feature maps, the shape of an organelle in
    the deeper ones. GapNet averages each block's output over the image and passes all of them to a small dense head, so
    it takes images of any size with few parameters.

    Layers have stable names: `block1_norm1`, `block1_conv1`, `block1_activation1`, ..., `block1_pool`,
    `block1_dropout`; `tap1`, `tap2`, ... and `taps`; `head_norm1`, `head_dense1`, `head_dropout1`, ...; `logits`,
    `probabilities`. The report's second stage of training, in which only the head learns, is
    `train_only(model, ["head_dense1", "head_norm2", "head_dense2", "logits"])`.

    Args:
        input_shape: height, width, channels; a height or width of `None` takes any size.
        num_classes: the number of classes, of which a sample may have several.
        variant: which network it is where the options below are left out; `None` is that of `weights` with a name,
            else `"light"`. `"report"` is the report's: 597,388 parameters at four channels and 28 classes. `"light"`
            halves the image in its first convolution and pads, for 0.29 times the multiply-adds, and its statistics
            follow a short training. `"textured"` is `"light"` on standardized images, without dropout, with the texture
            of channel 1, the atlas's protein, joined to its taps; it needs two channels or more. `"gapnet-pl"` is the
            network of the paper, with scaled exponential units and no normalisation; its published weights tell
            the 13 classes `GAPNET_PL_CLASS_NAMES`.
        weights: `"drawn"` for those in the package, which learned the atlas's 28 classes from drawings alone;
            `"gapnet-pl"` fetches the weights that the authors published, once, and checks their digest; a weights file
            of the same network; the published TensorFlow checkpoint, named by its prefix
            (`"models/gapnet-pl.ckpt"`); or `None` for a random start.
        weights_num_classes: how many classes the network had that a weights file comes from, where it is not
            `num_classes`. All weights are taken then but those of `logits`, which start at random. Weights with a name
            bring the number with them.
        channels: for weights with a name, which stain each channel of the images shows, in their order:
            `["nucleus", "protein"]`, or the atlas's `"red"`, ... A mapping has stains as keys, in the order of the
            channels: `{"nucleus": "dapi", "protein": "gfp"}`. A stain that is not named is dark; a channel named
            `None` is left out. `None` alone stands for the atlas's four: red, green, blue, yellow.
        preprocessing: a layer between the input and the network, such as `ImageStandardization()`; `None` for none.
            `"default"` is none, but for `"textured"` `ImageStandardization()` and for `"gapnet-pl"`
            `GapNetPLPreprocessing()`, which takes red, green, blue, yellow.
        input_dtype: the dtype of the images. Floats are taken as they are, 0 to 1; with an integer dtype (`"uint8"`,
            `"uint16"`) the model divides by `max_value` itself, in layer `scale`. Hand the model what it was built
            for: Keras casts bytes to floats, and floats to bytes, without a warning.
        max_value: the integer that becomes 1; `None` for the maximum of `input_dtype`.
        stem_strides: stride of the first convolution.
        filters: filters of the convolutions, one number per block.
        depths: convolutions per block.
        padding: `"valid"`, `"same"`, or `"symmetric"`: one row of zeros on every side, which differs from `"same"`
            where a convolution has strides.
        activation: name of the activation after each convolution and dense layer. `"selu"` brings its own initialiser
            and alpha dropout with it.
        normalization: what stands before each convolution and dense layer: `"batch-warm-up"`
            (`WarmUpBatchNormalization`), `"batch"` (Keras's, whose statistics lag for hundreds of steps, so that
            validation does), `"group"` (up to eight groups of channels, independent of the batch) or `"none"`.
        batch_norm_momentum: momentum of the moving statistics; with `"batch-warm-up"` the largest.
        dropout: rate after each block.
        pooling: `"avg"`, `"max"` or `"avg+max"` of every block over the image.
        texture: numbers of the channels whose `TextureFeatures` are joined to the taps, `[1]` for the atlas's protein;
            they count what comes out of `preprocessing`. Needs 9 pixels a side. `()` for none.
        head_units: units of the dense layers.
        head_dropout: rate after each dense layer.
        classifier_activation: what follows the logits; `None` for a model that returns logits.
        name: the model's name.

    Input shape:
        `(batch, height, width, channels)`, whatever Keras's image data format is; values 0 to 1, or integers as
        `input_dtype` says. `"report"` needs at least 76 pixels a side, `"textured"` 9.

    Output shape:
        `(batch, num_classes)`, one independent probability per class.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: if an option is unknown or impossible, or the image is too small for the network.
        FileNotFoundError: if `weights` names no file.

    Example:
        >>> model = GapNet((128, 128, 5), num_classes=12)
        >>> model.output_shape
        (None, 12)
        >>> GapNet((512, 512, 4), 28, variant="report").count_params()
        597388

    References:
        - Rumetshofer et al., Human-level protein localization with convolutional neural networks, ICLR 2019.
    """
    published = PUBLISHED.get(weights) if isinstance(weights, str) else None
    chosen = variant or (published.variant if published else "light")
    if chosen not in VARIANTS:
        raise ValueError(f"`variant` must be one of {sorted(VARIANTS)}. Received: {chosen!r}")
    if published:
        _check_published(published, weights, chosen, weights_num_classes)
        weights_num_classes = published.num_classes
    given: dict[str, Any] = {
        "stem_strides": stem_strides,
        "filters": filters,
        "depths": depths,
        "padding": padding,
        "activation": activation,
        "normalization": normalization,
        "dropout": dropout,
        "texture": texture,
        "head_units": head_units,
        "head_dropout": head_dropout,
    }
    plain = {key: value.tolist() if hasattr(value, "tolist") else value for key, value in given.items()}
    options = VARIANTS[chosen] | {key: value for key, value in plain.items() if value is not None}
    _check(options, num_classes, pooling)
    if preprocessing == "default":
        preprocessing = _PREPROCESSING[chosen](name="preprocessing") if chosen in _PREPROCESSING else None
    if isinstance(preprocessing, str):
        raise ValueError(f'`preprocessing` must be "default", a layer or None. Received: {preprocessing!r}')

    inputs, x = image_input(input_shape, input_dtype, max_value)
    known = _arrange(x, channels, str(weights) if published else None)
    x = known if preprocessing is None else preprocessing(known)
    smallest = smallest_size(options)
    if any(size is not None and size < smallest for size in x.shape[1:3]):
        raise ValueError(
            f"`input_shape` must be at least {smallest} pixels high and wide for this network. "
            f"Received: {tuple(input_shape)}"
        )
    features = _features(x, options, batch_norm_momentum, pooling, _texture(x, options["texture"]))

    def classify(num_classes: int) -> Any:
        logits = keras.layers.Dense(int(num_classes), name="logits", **_initializer(options))(features)
        # Probabilities stay in single precision whatever the rest computes in.
        return keras.layers.Activation(classifier_activation, dtype="float32", name="probabilities")(logits)

    outputs = classify(num_classes)
    if weights is not None:
        # Models of the same layers share them: one without what arranges channels, with other logits maybe, loads them.
        same = weights_num_classes in (None, num_classes)
        loaded = keras.Model(known, outputs if same else classify(weights_num_classes or num_classes))
        _load(loaded, published.find() if published else weights, chosen)
    return keras.Model(inputs, outputs, name=name)


def _arrange(x: Any, channels: Sequence[str | None] | Mapping[str, str] | None, weights: str | None) -> Any:
    """The atlas's four channels; those of weights without a name are as they are, since nobody knows their stains."""
    if channels is not None:
        if weights is None:
            raise ValueError(f"`channels` must be None where `weights` is no name. Received: {channels!r}")
        return arrange_channels(x, channels)
    if weights is not None and x.shape[-1] != len(CHANNELS):
        stains = ["nucleus", "protein", "microtubules", "endoplasmic reticulum"][: x.shape[-1]]
        raise ValueError(
            f"`channels` must say which stain each channel shows, since weights={weights!r} know "
            f"{', '.join(CHANNEL_STAINS.values())}; for instance {[*stains, *[None] * (x.shape[-1] - len(stains))]}. "
            f"Received: None, for images of {x.shape[-1]} channels"
        )
    return x


def _texture(x: Any, channels: Sequence[int]) -> list[Any]:
    """What `TextureFeatures` measures of some channels, as one vector; none without channels."""
    numbers = np.asarray(channels)
    if numbers.ndim != 1 or any(number not in range(x.shape[-1]) for number in numbers.tolist()):
        raise ValueError(f"`texture` must be numbers of channels, 0 to {x.shape[-1] - 1}. Received: {channels!r}")
    if not numbers.size:
        return []
    return [TextureFeatures(name="texture")(keras.ops.take(x, [int(number) for number in numbers], axis=-1))]


def _features(
    x: Any, options: dict[str, Any], batch_norm_momentum: float, pooling: Pooling, texture: Sequence[Any]
) -> Any:
    """Everything between the image and the logits."""

    def normalize(x: Any, layer_name: str) -> Any:
        if options["normalization"] == "none":
            return x
        if options["normalization"] == "group":
            return keras.layers.GroupNormalization(math.gcd(8, x.shape[-1]), name=layer_name)(x)
        warm_up = options["normalization"] == "batch-warm-up"
        batch_norm = WarmUpBatchNormalization if warm_up else keras.layers.BatchNormalization
        return batch_norm(momentum=batch_norm_momentum, name=layer_name)(x)

    def drop(x: Any, rate: float, layer_name: str) -> Any:
        dropout = keras.layers.AlphaDropout if options["activation"] == "selu" else keras.layers.Dropout
        return dropout(rate, name=layer_name)(x) if rate else x

    symmetric = options["padding"] == "symmetric"
    taps = []
    num_blocks = len(options["filters"])
    for block, (num_filters, depth) in enumerate(zip(options["filters"], options["depths"], strict=True), start=1):
        for number in range(1, depth + 1):
            x = normalize(x, f"block{block}_norm{number}")
            if symmetric:
                x = keras.layers.ZeroPadding2D(1, data_format="channels_last", name=f"block{block}_pad{number}")(x)
            x = keras.layers.Conv2D(
                num_filters,
                3,
                strides=block_strides(block, number, options),
                padding="valid" if symmetric else options["padding"],
                data_format="channels_last",
                name=f"block{block}_conv{number}",
                **_initializer(options),
            )(x)
            x = keras.layers.Activation(options["activation"], name=f"block{block}_activation{number}")(x)
        if block < num_blocks:
            x = normalize(x, f"block{block}_norm{depth + 1}")
            padding = "valid" if options["padding"] == "valid" else "same"
            x = keras.layers.MaxPooling2D(2, padding=padding, data_format="channels_last", name=f"block{block}_pool")(x)
        x = drop(x, options["dropout"], f"block{block}_dropout")
        taps.append(x)

    x = pool_taps(taps, pooling, texture)
    for number, (units, rate) in enumerate(zip(options["head_units"], options["head_dropout"], strict=True), start=1):
        x = normalize(x, f"head_norm{number}")
        x = keras.layers.Dense(
            units, activation=options["activation"], name=f"head_dense{number}", **_initializer(options)
        )(x)
        x = drop(x, rate, f"head_dropout{number}")
    return x


def _initializer(options: dict[str, Any]) -> dict[str, str]:
    return {"kernel_initializer": "lecun_normal"} if options["activation"] == "selu" else {}


def _check_published(published: PublishedWeights, weights: Any, variant: str, weights_num_classes: int | None) -> None:
    if variant != published.variant:
        raise ValueError(
            f"`variant` must be {published.variant!r} or None for weights={weights!r}. Received: {variant!r}"
        )
    if weights_num_classes not in (None, published.num_classes):
        raise ValueError(
            f"`weights_num_classes` must be {published.num_classes} or None for weights={weights!r}. "
            f"Received: {weights_num_classes!r}"
        )


def _load(model: keras.Model, weights: str | os.PathLike[str], variant: str) -> None:
    if variant == "gapnet-pl" and is_checkpoint(weights):
        load_gapnet_pl_checkpoint(model, weights)
    else:
        checkpoint = ", the prefix of GapNet-PL's checkpoint" if variant == "gapnet-pl" else ""
        names = ", ".join(f'"{known}"' for known in PUBLISHED)
        load_weights(model, weights, f"None, {names}{checkpoint} or a weights file of the same network")


def _check(options: dict[str, Any], num_classes: int, pooling: Pooling) -> None:
    check_num_classes(num_classes)
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {list(POOLINGS)}. Received: {pooling!r}")
    for key, choices in (
        ("padding", ("valid", "same", "symmetric")),
        ("normalization", ("batch-warm-up", "batch", "group", "none")),
    ):
        if options[key] not in choices:
            raise ValueError(f"`{key}` must be one of {list(choices)}. Received: {options[key]!r}")
    for key in ("filters", "depths", "head_units", "head_dropout"):
        if isinstance(options[key], str) or not isinstance(options[key], Sequence):
            raise ValueError(f"`{key}` must be a list of numbers. Received: {options[key]!r}")
    for key, other in (("depths", "filters"), ("head_dropout", "head_units")):
        if len(options[key]) != len(options[other]):
            raise ValueError(
                f"`{key}` must have one entry per entry of `{other}`, {len(options[other])}. Received: {options[key]!r}"
            )
    for key in ("filters", "depths"):
        if not options[key] or min(options[key]) < 1:
            raise ValueError(f"`{key}` must be positive numbers, at least one. Received: {options[key]!r}")
