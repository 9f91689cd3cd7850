"""The vocabulary of the Human Protein Atlas challenge: its channels and its classes."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

CHANNELS = ("red", "green", "blue", "yellow")
"""The four channels of a sample, in the order in which sources stack them."""

CHANNEL_STAINS = MappingProxyType(
    {
        "red": "microtubules",
        "green": "protein of interest",
        "blue": "nucleus",
        "yellow": "endoplasmic reticulum",
    }
)
"""What each channel stains."""

_CLASSES = (
    # name, training samples of the 2018 challenge, class of the 2021 single-cell challenge
    ("Nucleoplasm", 12885, 0),
    ("Nuclear membrane", 1254, 1),
    ("Nucleoli", 3621, 2),
    ("Nucleoli fibrillar center", 1561, 3),
    ("Nuclear speckles", 1858, 4),
    ("Nuclear bodies", 2513, 5),
    ("Endoplasmic reticulum", 1008, 6),
    ("Golgi apparatus", 2822, 7),
    ("Peroxisomes", 53, 17),
    ("Endosomes", 45, 17),
    ("Lysosomes", 28, 17),
    ("Intermediate filaments", 1093, 8),
    ("Actin filaments", 688, 9),
    ("Focal adhesion sites", 537, 9),
    ("Microtubules", 1066, 10),
    ("Microtubule ends", 21, None),
    ("Cytokinetic bridge", 530, None),
    ("Mitotic spindle", 210, 11),
    ("Microtubule organizing center", 902, None),
    ("Centrosome", 1482, 12),
    ("Lipid droplets", 172, 17),
    ("Plasma membrane", 3777, 13),
    ("Cell junctions", 802, 13),
    ("Mitochondria", 2965, 14),
    ("Aggresome", 322, 15),
    ("Cytosol", 8228, 16),
    ("Cytoplasmic bodies", 328, 17),
    ("Rods & rings", 11, None),
)

CLASS_NAMES = tuple(name for name, _, _ in _CLASSES)
"""The 28 classes of the 2018 challenge; a class's position is its label."""

CLASS_COUNTS = tuple(count for _, count, _ in _CLASSES)
"""How many of the 31,072 training samples of the 2018 challenge have each class."""

SINGLE_CELL_CLASS_NAMES = (
    "Nucleoplasm",
    "Nuclear membrane",
    "Nucleoli",
    "Nucleoli fibrillar center",
    "Nuclear speckles",
    "Nuclear bodies",
    "Endoplasmic reticulum",
    "Golgi apparatus",
    "Intermediate filaments",
    "Actin filaments",
    "Microtubules",
    "Mitotic spindle",
    "Centrosome",
    "Plasma membrane",
    "Mitochondria",
    "Aggresome",
    "Cytosol",
    "Vesicles and punctate cytosolic patterns",
    "Negative",
)
"""The 19 classes of the 2021 single-cell challenge."""

_SINGLE_CELL_IDS = {name.casefold(): single_cell_id for name, _, single_cell_id in _CLASSES}


def to_single_cell_classes(matrix: npt.ArrayLike, class_names: Sequence[str] = CLASS_NAMES) -> npt.NDArray[np.int8]:
    """Translates labels of the 2018 challenge to the 19 classes of the 2021 single-cell challenge.

    Four classes have no counterpart (Microtubule ends, Cytokinetic bridge, Microtubule organizing center,
    Rods & rings) and are dropped; five become "Vesicles and punctate cytosolic patterns". "Negative" is never set:
    the 2018 labels do not say which cells are unstained.

    Args:
        matrix: labels of shape `(num_samples, len(class_names))`: 1 present, 0 absent, -1 unknown.
        class_names: the names of the columns, any subset of `CLASS_NAMES` in any order; case does not matter.

    Returns:
        An int8 array of shape `(num_samples, 19)`. A merged class is 1 if any of its parts is 1, otherwise -1 if any
        of them is -1, otherwise 0.

    Raises:
        ValueError: if the shape or the values are not those of a label matrix, or a name is not in `CLASS_NAMES`.

    Example:
        >>> labels = np.zeros((1, 28))
        >>> labels[0, [8, 15, 25]] = 1  # Peroxisomes, Microtubule ends, Cytosol
        >>> [SINGLE_CELL_CLASS_NAMES[i] for i in np.flatnonzero(to_single_cell_classes(labels))]
        ['Cytosol', 'Vesicles and punctate cytosolic patterns']
    """
    labels = np.asarray(matrix)
    if labels.ndim != 2 or labels.shape[1] != len(class_names):
        raise ValueError(
            f"`matrix` must have shape (num_samples, {len(class_names)}), one column per class. "
            f"Received: shape {labels.shape}"
        )
    if not np.isin(labels, (-1, 0, 1)).all():
        raise ValueError(
            "`matrix` must hold 0, 1, or -1 for an unknown label. "
            f"Received: {labels[~np.isin(labels, (-1, 0, 1))][0]!r}"
        )
    merged = np.zeros((len(labels), len(SINGLE_CELL_CLASS_NAMES)), np.int8)
    for column, name in enumerate(class_names):
        if name.casefold() not in _SINGLE_CELL_IDS:
            raise ValueError(f"`class_names` must be names of `keras_hpa.atlas.CLASS_NAMES`. Received: {name!r}")
        target = _SINGLE_CELL_IDS[name.casefold()]
        if target is not None:
            part = labels[:, column]
            merged[:, target] = np.where((merged[:, target] == 1) | (part == 1), 1, np.minimum(merged[:, target], part))
    return merged
