"""The protein of interest: the patterns of its classes, mixed with uneven strength."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas
from keras_hpa.synthetic_atlas.compartments import Compartments
from keras_hpa.synthetic_atlas.cytoplasm_patterns import CYTOPLASM_PATTERNS
from keras_hpa.synthetic_atlas.cytoskeleton_patterns import CYTOSKELETON_PATTERNS
from keras_hpa.synthetic_atlas.nuclear_patterns import NUCLEAR_PATTERNS

Array = npt.NDArray[np.float32]

_PATTERNS = NUCLEAR_PATTERNS | CYTOSKELETON_PATTERNS | CYTOPLASM_PATTERNS

# How much of a protein is dissolved in (nucleoplasm, cytosol) beside its place, as a share of the brightest places.
# Most structures are not all there is of their proteins: those of granules, aggregates and rods are also soluble
# (CTP synthase forms rods but is a cytosolic enzyme), plus-end proteins and kinesins diffuse between their tips.
_POOL = {
    "Nucleoli": (0.10, 0.03),
    "Nucleoli fibrillar center": (0.12, 0.04),
    "Nuclear bodies": (0.18, 0.04),
    "Nuclear membrane": (0.0, 0.05),
    "Peroxisomes": (0.02, 0.07),
    "Endosomes": (0.02, 0.08),
    "Lysosomes": (0.02, 0.06),
    "Lipid droplets": (0.02, 0.08),
    "Focal adhesion sites": (0.03, 0.12),
    "Microtubule ends": (0.03, 0.12),
    "Cytokinetic bridge": (0.05, 0.08),
    "Mitotic spindle": (0.05, 0.08),
    "Microtubule organizing center": (0.03, 0.08),
    "Centrosome": (0.05, 0.07),
    "Cell junctions": (0.03, 0.10),
    "Aggresome": (0.04, 0.25),
    "Cytoplasmic bodies": (0.04, 0.30),
    "Rods & rings": (0.04, 0.30),
}

# The gain is set by what lights up: where a protein fills few and small places, these are exposed brighter than a
# protein that fills the cell.
_GAIN = {
    "Nucleoli fibrillar center": 1.4,
    "Nuclear bodies": 1.4,
    "Golgi apparatus": 1.2,
    "Peroxisomes": 1.7,
    "Endosomes": 1.5,
    "Lysosomes": 1.4,
    "Lipid droplets": 1.4,
    "Intermediate filaments": 1.2,
    "Focal adhesion sites": 1.2,
    "Microtubules": 1.2,
    "Microtubule ends": 1.3,
    "Cytokinetic bridge": 1.5,
    "Mitotic spindle": 1.3,
    "Microtubule organizing center": 1.4,
    "Centrosome": 1.8,
    "Cell junctions": 1.2,
    "Mitochondria": 1.2,
    "Cytoplasmic bodies": 1.5,
    "Rods & rings": 1.3,
}

_NEGATIVE = 0.3


def draw_pattern(cells: Compartments, class_id: int) -> Array:
    """Where the protein of one class lies in the given cells, its brightest places about 1.

    Args:
        cells: the compartments.
        class_id: a position in `keras_hpa.atlas.CLASS_NAMES`.
    """
    name = atlas.CLASS_NAMES[class_id]
    return np.asarray(_PATTERNS[name](cells, cells.rng(name)), np.float32)


def draw_protein(
    cells: Compartments,
    class_ids: Sequence[int],
    antibody: np.random.Generator | None = None,
    cell_classes: npt.NDArray[np.uint8] | None = None,
) -> Array:
    """The protein of a sample: one class at full strength, the others weaker, and what is dissolved around them.

    Args:
        cells: the compartments.
        class_ids: the sample's classes.
        antibody: decides the proportions, and how much cells differ; `None`: the scene does.
        cell_classes: which cells show which of the atlas's classes, `(cells, 28)`, if not every cell shows them all.
    """
    rng = cells.rng("protein")
    mixture = antibody or rng
    weights = np.where(np.arange(len(class_ids)) == 0, 1.0, mixture.uniform(0.4, 1.0, len(class_ids)))
    nucleus, cytosol = mixture.uniform(0.0, 0.03), mixture.uniform(0.01, 0.1)
    total = np.zeros(cells.shape, np.float32)
    for class_id, weight in zip(mixture.permutation(class_ids), weights, strict=True):
        name = atlas.CLASS_NAMES[class_id]
        pattern = draw_pattern(cells, int(class_id))
        if cell_classes is not None:
            pattern = pattern * cells.per_cell(cell_classes[:, class_id].astype(np.float64))
        total += weight * _GAIN.get(name, 1.0) * pattern
        pool = _POOL.get(name, (0.0, 0.0))
        nucleus += weight * pool[0] * mixture.uniform(0.4, 1.2)
        cytosol += weight * pool[1] * mixture.uniform(0.4, 1.2)
    dissolved = cells.thickness * (cytosol * cells.cytoplasm + nucleus * cells.nucleus * (1 - 0.6 * cells.nucleoli))
    if cell_classes is not None:  # a negative cell shows the background of every stain
        dissolved = dissolved * cells.per_cell(np.where(cell_classes.any(axis=1), np.float64(1), _NEGATIVE))
    total += dissolved * np.clip(1 + 0.35 * cells.texture("fine", rng), 0, None)
    uneven = mixture.choice([0.15, 0.25, 0.5])
    levels = np.exp(uneven * np.clip(rng.standard_normal(len(cells.scene.phase)), -2, 1.5)) * cells.uptake**0.6
    return total * (0.15 + 0.85 * cells.per_cell(levels / levels.max(), blur=0.6)) * np.float32(levels.max() ** 0.7)
