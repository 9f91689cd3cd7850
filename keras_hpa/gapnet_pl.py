"""GapNet-PL, the network of the paper, and its published weights: classes, preprocessing, conversion."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keras_hpa.atlas import CLASS_NAMES
from keras_hpa.layers import GapNetPLPreprocessing as GapNetPLPreprocessing
from keras_hpa.models import GapNet

GAPNET_PL_CLASS_NAMES = (
    "Actin filaments",
    "Centrosome",
    "Cytosol",
    "Endoplasmic reticulum",
    "Golgi apparatus",
    "Intermediate filaments",
    "Microtubules",
    "Mitochondria",
    "Nuclear membrane",
    "Nucleoli",
    "Nucleus",
    "Plasma membrane",
    "Vesicles",
)
"""The 13 classes, in the order of the published weights' outputs."""

_MEMBERS = {
    "Actin filaments": (12, 13),
    "Centrosome": (18, 19),
    "Cytosol": (24, 25, 26, 27),
    "Endoplasmic reticulum": (6,),
    "Golgi apparatus": (7,),
    "Intermediate filaments": (11,),
    "Microtubules": (14, 15, 16, 17),
    "Mitochondria": (23,),
    "Nuclear membrane": (1,),
    "Nucleoli": (2, 3),
    "Nucleus": (0, 4, 5),
    "Plasma membrane": (21, 22),
    "Vesicles": (8, 9, 10, 20),
}


def to_gapnet_pl_classes(matrix: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Translates labels of the 28 classes to the 13 classes of GapNet-PL, to judge its published weights.

    Args:
        matrix: labels of shape `(num_samples, 28)`: 1 present, 0 absent, -1 unknown.

    Returns:
        An int8 array of shape `(num_samples, 13)`, in the order of `GAPNET_PL_CLASS_NAMES`. A class is 1 if any of its
        parts is 1, otherwise -1 if any of them is -1, otherwise 0.

    Raises:
        ValueError: if the shape or the values are not those of a label matrix.

    Example:
        >>> labels = np.zeros((1, 28))
        >>> labels[0, [4, 27]] = 1  # Nuclear speckles, Rods & rings
        >>> [GAPNET_PL_CLASS_NAMES[i] for i in np.flatnonzero(to_gapnet_pl_classes(labels))]
        ['Cytosol', 'Nucleus']
    """
    labels = np.asarray(matrix)
    if labels.ndim != 2 or labels.shape[1] != len(CLASS_NAMES) or not np.isin(labels, (-1, 0, 1)).all():
        raise ValueError(
            f"`matrix` must have shape (num_samples, {len(CLASS_NAMES)}) and hold 1, 0 or -1. "
            f"Received: shape {labels.shape}, values {np.unique(labels)[:5].tolist()}"
        )
    parts = [labels[:, list(_MEMBERS[name])] for name in GAPNET_PL_CLASS_NAMES]
    # 1 wins over -1, and -1 over 0.
    return np.stack([np.where((p == 1).any(1), 1, p.min(1)) for p in parts], axis=1).astype(np.int8)


def convert_gapnet_pl(checkpoint: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Writes the published TensorFlow checkpoint of GapNet-PL as a `.weights.h5` file.

    Such a file needs no TensorFlow to be read: `GapNet((512, 512, 4), 13, variant="gapnet-pl", weights=path)` loads it
    on every backend of Keras.

    Args:
        checkpoint: the checkpoint's prefix, `"models/gapnet-pl.ckpt"`, or its `.index` file.
        path: the file to write; its name ends in `.weights.h5`.

    Raises:
        FileNotFoundError: if there is no such checkpoint.
        ValueError: if it is not GapNet-PL's, or `path` ends otherwise.

    Example:
        >>> convert_gapnet_pl("models/gapnet-pl.ckpt", "gapnet_pl.weights.h5")  # doctest: +SKIP
        >>> model = GapNet((512, 512, 4), 13, variant="gapnet-pl", weights="gapnet_pl.weights.h5")  # doctest: +SKIP

    References:
        https://github.com/ml-jku/gapnet-pl holds the checkpoint, under the BSD licence.
    """
    target = Path(path)
    if not target.name.endswith(".weights.h5"):
        raise ValueError(f"`path` must end in .weights.h5. Received: {os.fspath(path)!r}")
    model = GapNet((None, None, 4), 13, variant="gapnet-pl", weights=checkpoint)
    # A conversion that is cut off leaves no half-written file under the final name.
    partial = target.with_name("." + target.name)
    model.save_weights(partial)
    partial.replace(target)
