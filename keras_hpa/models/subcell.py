"""SubCell: a vision transformer that knows single cells."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_hpa.layers import MinMaxNormalization, PixelSize
from keras_hpa.models.arrange_channels import arrange_channels
from keras_hpa.models.image_input import check_num_classes, image_input
from keras_hpa.models.load_weights import load_weights
from keras_hpa.models.vision_transformer import TransformerSize, vision_transformer

CHANNELS = {"r": "red", "y": "yellow", "b": "blue", "g": "green"}
CHANNEL_SETS = ("rybg", "rbg", "ybg", "bg")
VARIANTS = ("mae_contrast_supcon", "vit_supcon")
COMBINATIONS = ("sigmoid_mean", "softmax")
NUM_CLASSES = 31
SIZE = TransformerSize()
"""That of all eight published networks."""
POOL_UNITS = 512
POOL_HEADS = 2
CLASSIFIER_UNITS = (512, 256)


def SubCell(
    channels: Literal["rybg", "rbg", "ybg", "bg"] = "rybg",
    num_classes: int = NUM_CLASSES,
    *,
    variant: Literal["mae_contrast_supcon", "vit_supcon"] = "mae_contrast_supcon",
    weights: str | os.PathLike[str] | None = None,
    weights_num_classes: int = NUM_CLASSES,
    image_size: int | tuple[int | None, int | None] | None = 448,
    image_channels: Sequence[str | None] | Mapping[str, str] | None = None,
    combine: Literal["sigmoid_mean", "softmax"] = "sigmoid_mean",
    input_dtype: str = "float32",
    name: str = "subcell",
) -> keras.Model:
    """Builds SubCell: a vision transformer (ViT-B/16) of single-cell crops, with gated attention pooling.

    Its authors trained it on the cells of the Human Protein Atlas and published eight sets of weights, under the MIT
    licence: for four sets of stains, by two ways of training. They tell 31 places of the cell apart; their embedding
    of 1,536 numbers is a start for other questions. `keras_hpa.subcell.convert_subcell` makes a weights file from
    what they published, `keras_hpa.subcell.SUBCELL_CLASS_NAMES` are the 31 classes.

    Layers have stable names: `pixel_size`, `min_max`, `patches`, `tokens`; `block1_norm1`, `block1_attention`,
    `block1_add1`, `block1_norm2`, `block1_dense1`, `block1_dense2`, `block1_add2`, ... for twelve blocks; `norm`, whose
    output is the tokens; `pool_attention`; `embedding`; `classifier1_dense1`, `classifier1_dense2`,
    `classifier1_logits`; `probabilities`. The first stage of a training, in which only new logits learn, is
    `train_only(model, "classifier*_logits")`.

    Args:
        channels: the stains that the network sees, in its own order: r microtubules, y endoplasmic reticulum, b
            nucleus, g the protein. `"rybg"`, `"rbg"`, `"ybg"` or `"bg"`.
        num_classes: the number of classes, of which a cell may have several.
        variant: how it was trained: `"mae_contrast_supcon"`, which with `"rybg"` has two classifiers, or
            `"vit_supcon"`.
        weights: a weights file of the same network, or `None` for a random start.
        weights_num_classes: how many classes the network had that the file comes from: 31 for the published ones. If
            that is not `num_classes`, all weights are taken but those of the logits, which start at random.
        image_size: side of the crops in pixels, or height and width; `None` takes any size. Other sizes than 448
            interpolate what was learned for each position.
        image_channels: which stain each channel of the images shows, in their order and by the same names as in
            `GapNet(channels=)`: `["nucleus", "protein"]`, or the atlas's `"red"`, ... A mapping has stains as keys:
            `{"nucleus": "dapi", "protein": "gfp"}`. A channel named `None`, or whose stain the network does not know,
            is left out. All stains of `channels` must be there: for images that lack one, choose the network that does
            without. `None`: the images have `channels`, in that order.
        combine: how logits become probabilities. `"sigmoid_mean"`, as the published code does: the mean of the
            classifiers' sigmoids; classes are independent. `"softmax"`: the mean of the classifiers' softmax, for cells
            of one class each; probabilities of a cell add up to 1.
        input_dtype: the dtype of the images.
        name: the model's name.

    Input shape:
        `(batch, height, width, channels)`: crops of single cells at .08 micrometres per pixel, in any unit; the model
        scales each to 0 to 1, all channels together. At least 16 pixels a side.

    Output shape:
        `(batch, num_classes)`.

    Returns:
        A functional `keras.Model`.

    Raises:
        ValueError: if an option is unknown or impossible, or the file does not fit.
        FileNotFoundError: if `weights` names no file.
        OSError: if the file is damaged.

    Example:
        >>> model = SubCell("bg", image_channels=["red", "green", "blue", "yellow"])
        >>> model.input_shape, model.output_shape, model.get_layer("embedding").output.shape
        ((None, 448, 448, 4), (None, 31), (None, 1536))

    References:
        - Gupta et al., SubCell: Vision foundation models for microscopy capture single-cell biology, bioRxiv 2024.
        - https://github.com/CellProfiling/SubCellPortable, the code that was published with the weights.
    """
    check_num_classes(num_classes)
    check_num_classes(weights_num_classes)
    for argument, value, known in (
        ("channels", channels, CHANNEL_SETS),
        ("variant", variant, VARIANTS),
        ("combine", combine, COMBINATIONS),
    ):
        if value not in known:
            raise ValueError(f"`{argument}` must be one of {list(known)}. Received: {value!r}")
    height, width = (image_size, image_size) if isinstance(image_size, int | None) else image_size
    num_channels = len(channels if image_channels is None else image_channels)
    inputs, _ = image_input((height, width, num_channels), input_dtype, None)
    if any(side is not None and side < SIZE.patch for side in (height, width)):
        raise ValueError(f"`image_size` must be at least {SIZE.patch} pixels. Received: {image_size!r}")

    x = PixelSize(0.08, name="pixel_size")(inputs)
    if image_channels is not None:
        wanted = [CHANNELS[letter] for letter in channels]
        x = arrange_channels(x, image_channels, wanted, argument="image_channels", absent_is_dark=False)
    known = x
    x = MinMaxNormalization(name="min_max")(x)
    embedding = _pool(vision_transformer(x, SIZE))

    count = num_classifiers(channels, variant)
    hidden = [_classifier_features(embedding, f"classifier{number}") for number in range(1, count + 1)]

    def classify(num_classes: int) -> Any:
        activation = "sigmoid" if combine == "sigmoid_mean" else "softmax"
        # Probabilities stay in single precision whatever the rest computes in.
        each = [
            keras.layers.Activation(
                activation, dtype="float32", name="probabilities" if count == 1 else f"classifier{number}_probabilities"
            )(keras.layers.Dense(int(num_classes), name=f"classifier{number}_logits")(features))
            for number, features in enumerate(hidden, start=1)
        ]
        return each[0] if count == 1 else keras.layers.Average(dtype="float32", name="probabilities")(each)

    outputs = classify(num_classes)
    if weights is not None:
        # Models of the same layers share them: one without what arranges channels, with other logits maybe, loads them.
        loaded = keras.Model(known, outputs if weights_num_classes == num_classes else classify(weights_num_classes))
        load_weights(loaded, weights, "None or a weights file of the same network, as `convert_subcell` writes it")
    return keras.Model(inputs, outputs, name=name)


def num_classifiers(channels: str, variant: str) -> int:
    """How many classifiers were published for a network."""
    return 2 if (channels, variant) == ("rybg", "mae_contrast_supcon") else 1


def _pool(tokens: Any) -> Any:
    """The embedding: for each head a mean of all tokens, with weights that the tokens themselves decide."""
    gate = keras.layers.Multiply(name="pool_gate")(
        [
            keras.layers.Dense(POOL_UNITS, activation="tanh", name="pool_tanh")(tokens),
            keras.layers.Dense(POOL_UNITS, activation="gelu", name="pool_gelu")(tokens),
        ]
    )
    scores = keras.layers.Dense(POOL_HEADS, name="pool_scores")(gate)
    attention = keras.layers.Softmax(axis=1, name="pool_attention")(scores)
    pooled = keras.layers.Dot(axes=1, name="pool")([attention, tokens])
    return keras.layers.Reshape((POOL_HEADS * tokens.shape[-1],), name="embedding")(pooled)


def _classifier_features(x: Any, name: str) -> Any:
    for number, units in enumerate(CLASSIFIER_UNITS, start=1):
        x = keras.layers.Dense(units, activation="relu", name=f"{name}_dense{number}")(x)
    return x
