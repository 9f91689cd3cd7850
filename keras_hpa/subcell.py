"""SubCell, a vision transformer of single cells, and its published weights: classes, conversion, attention."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.atlas import CLASS_NAMES, SINGLE_CELL_CLASS_NAMES
from keras_hpa.models import SubCell as SubCell
from keras_hpa.models import load_subcell_checkpoint, read_subcell_checkpoint

SUBCELL_CLASS_NAMES = (
    "Actin filaments",
    "Aggresome",
    "Cell Junctions",
    "Centriolar satellite",
    "Centrosome",
    "Cytokinetic bridge",
    "Cytoplasmic bodies",
    "Cytosol",
    "Endoplasmic reticulum",
    "Endosomes",
    "Focal adhesion sites",
    "Golgi apparatus",
    "Intermediate filaments",
    "Lipid droplets",
    "Lysosomes",
    "Microtubules",
    "Midbody",
    "Mitochondria",
    "Mitotic chromosome",
    "Mitotic spindle",
    "Nuclear bodies",
    "Nuclear membrane",
    "Nuclear speckles",
    "Nucleoli",
    "Nucleoli fibrillar center",
    "Nucleoli rim",
    "Nucleoplasm",
    "Peroxisomes",
    "Plasma membrane",
    "Vesicles",
    "Negative",
)
"""The 31 classes, in the order of the published weights' outputs."""

# What is not called the same: rims are part of nucleoli, and satellites lie around the centrosome.
_ATLAS_NAMES = {"Cell Junctions": "Cell junctions", "Centriolar satellite": "Centrosome", "Nucleoli rim": "Nucleoli"}
_SINGLE_CELL_NAMES = {
    "Cell junctions": "Plasma membrane",
    "Focal adhesion sites": "Actin filaments",
    **dict.fromkeys(
        ("Cytoplasmic bodies", "Endosomes", "Lipid droplets", "Lysosomes", "Peroxisomes", "Vesicles"),
        "Vesicles and punctate cytosolic patterns",
    ),
}


def to_atlas_scores(scores: npt.ArrayLike, *, combine: str = "sigmoid_mean") -> npt.NDArray[np.float32]:
    """Translates scores of SubCell's 31 classes to the 28 classes of the 2018 challenge.

    Where several classes become one, the score is the largest of theirs under `"sigmoid_mean"`, whose classes do not
    exclude each other, and their sum under `"softmax"`, whose classes do. "Nucleoli rim" counts as "Nucleoli",
    "Centriolar satellite" as "Centrosome". "Midbody", "Mitotic chromosome", "Vesicles" and "Negative" have no
    counterpart and are dropped: what `"softmax"` gave them is missing, so that a row adds up to less than 1. Of
    "Microtubule ends", "Microtubule organizing center" and "Rods & rings" SubCell knows nothing: their scores are NaN.

    Args:
        scores: of shape `(num_samples, 31)`, as a `SubCell` gives them.
        combine: what the network was built with.

    Returns:
        A float32 array of shape `(num_samples, 28)`, in the order of `keras_hpa.atlas.CLASS_NAMES`.

    Raises:
        ValueError: if the shape is another, or `combine` is unknown.

    Example:
        >>> scores = np.zeros((1, 31))
        >>> scores[0, [23, 25]] = 0.3, 0.5  # Nucleoli, Nucleoli rim
        >>> to_atlas_scores(scores)[0, CLASS_NAMES.index("Nucleoli")]
        np.float32(0.5)
        >>> to_atlas_scores(scores, combine="softmax")[0, CLASS_NAMES.index("Nucleoli")]
        np.float32(0.8)
    """
    targets = [_ATLAS_NAMES.get(name, name) for name in SUBCELL_CLASS_NAMES]
    return _merge(scores, targets, CLASS_NAMES, combine)


def to_single_cell_scores(scores: npt.ArrayLike, *, combine: str = "sigmoid_mean") -> npt.NDArray[np.float32]:
    """Translates scores of SubCell's 31 classes to the 19 classes of the 2021 single-cell challenge.

    Classes are merged as by [`to_atlas_scores`](subcell.md), and then as
    [`to_single_cell_classes`](atlas.md) merges labels. "Vesicles" and "Negative", which the 28 classes lack, keep their
    scores. "Cytokinetic bridge", "Midbody" and "Mitotic chromosome" are dropped.

    Args:
        scores: of shape `(num_samples, 31)`, as a `SubCell` gives them.
        combine: what the network was built with.

    Returns:
        A float32 array of shape `(num_samples, 19)`, in the order of `keras_hpa.atlas.SINGLE_CELL_CLASS_NAMES`.

    Raises:
        ValueError: if the shape is another, or `combine` is unknown.

    Example:
        >>> scores = np.zeros((1, 31))
        >>> scores[0, [14, 29]] = 0.2, 0.6  # Lysosomes, Vesicles
        >>> [round(float(to_single_cell_scores(scores, combine=how)[0, 17]), 3) for how in ("sigmoid_mean", "softmax")]
        [0.6, 0.8]
    """
    names = [_ATLAS_NAMES.get(name, name) for name in SUBCELL_CLASS_NAMES]
    return _merge(scores, [_SINGLE_CELL_NAMES.get(name, name) for name in names], SINGLE_CELL_CLASS_NAMES, combine)


def convert_subcell(
    encoder: str | os.PathLike[str],
    classifiers: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    channels: Literal["rybg", "rbg", "ybg", "bg"],
    variant: Literal["mae_contrast_supcon", "vit_supcon"],
) -> None:
    """Writes the published Torch files of one SubCell network as a `.weights.h5` file.

    Such a file needs no Torch to be read: `SubCell(channels, variant=variant, weights=path)` loads it on every backend
    of Keras. Nothing in the Torch files is run (`torch.load(weights_only=True)`).

    Args:
        encoder: the file of encoder and pooling, `encoder.pth`.
        classifiers: the file of its classifier, `classifier.pth`; for `"rybg"` and `"mae_contrast_supcon"` both,
            `["classifier_s0.pth", "classifier_s1.pth"]`.
        path: the file to write; its name ends in `.weights.h5`.
        channels: as for `SubCell`.
        variant: as for `SubCell`.

    Raises:
        FileNotFoundError: if a file is missing.
        ImportError: if Torch is not installed.
        OSError: if a file is damaged.
        ValueError: if a file is not this network's, or `path` ends otherwise.

    Example:
        >>> folder = "models/bg/vit_supcon_model"
        >>> convert_subcell(
        ...     f"{folder}/encoder.pth",
        ...     f"{folder}/classifier.pth",
        ...     "subcell_bg.weights.h5",
        ...     channels="bg",
        ...     variant="vit_supcon",
        ... )  # doctest: +SKIP
    """
    target = Path(path)
    if not target.name.endswith(".weights.h5"):
        raise ValueError(f"`path` must end in .weights.h5. Received: {os.fspath(path)!r}")
    paths = [classifiers] if isinstance(classifiers, str | os.PathLike) else list(classifiers)
    states = [read_subcell_checkpoint(one) for one in (encoder, *paths)]
    model = SubCell(channels, variant=variant)
    load_subcell_checkpoint(model, states[0], states[1:])
    # A conversion that is cut off leaves no half-written file under the final name.
    partial = target.with_name("." + target.name)
    model.save_weights(partial)
    partial.replace(target)


def attention_model(model: keras.Model) -> keras.Model:
    """Makes a model of where a `SubCell` looks: crops in, attention maps out, the weights shared with `model`.

    Args:
        model: a `SubCell` of a known image size; it is not changed.

    Returns:
        A model with two outputs: how much the class token attends to each patch in the last block, by head,
        `(batch, rows, columns, 12)`; and the share of each patch in the embedding, by head,
        `(batch, rows, columns, 2)`.
        In neither is the class token shown, so that a map adds up to less than 1.

    Raises:
        ValueError: if `model` is no `SubCell`, or its image size is not known.

    Example:
        >>> maps = attention_model(SubCell("bg", image_size=64))
        >>> maps.output_shape
        [(None, 4, 4, 12), (None, 4, 4, 2)]
    """
    layers = {layer.name: layer for layer in model.layers}
    if not {"patches", "pool_attention", "block1_attention"} <= layers.keys():
        raise ValueError(f"`model` must be a SubCell. Received: {model!r}")
    grid = layers["patches"].output.shape[1:3]
    if None in grid:
        raise ValueError(f"`model` must have a known image size. Received: {model.input_shape}")
    last = max(int(name[5:-10]) for name in layers if name.startswith("block") and name.endswith("_attention"))
    token = layers[f"block{last}_attention"].output[1][:, :, 0, 1:]
    token = keras.ops.transpose(token, (0, 2, 1))
    pool = layers["pool_attention"].output[:, 1:]
    maps = [keras.ops.reshape(one, (-1, *grid, one.shape[-1])) for one in (token, pool)]
    return keras.Model(model.inputs[0], maps, name=f"{model.name}_attention")


def _merge(
    scores: npt.ArrayLike, targets: Sequence[str], class_names: Sequence[str], combine: str
) -> npt.NDArray[np.float32]:
    values = np.asarray(scores, "float32")
    if values.ndim != 2 or values.shape[1] != len(targets):
        raise ValueError(f"`scores` must have shape (num_samples, {len(targets)}). Received: shape {values.shape}")
    if combine not in ("sigmoid_mean", "softmax"):
        raise ValueError(f'`combine` must be "sigmoid_mean" or "softmax". Received: {combine!r}')
    merged = np.full((len(values), len(class_names)), np.nan, "float32")
    for column, name in enumerate(class_names):
        parts = values[:, [target == name for target in targets]]
        if parts.shape[1]:
            merged[:, column] = parts.max(1) if combine == "sigmoid_mean" else parts.sum(1)
    return merged
