"""Where proteins of the nucleus lie.

Definitions after the Human Protein Atlas's dictionary of subcellular structures
(https://www.proteinatlas.org/humanproteome/subcellular) and B. Alberts et al., Molecular Biology of the Cell.
"""

import numpy as np
import numpy.typing as npt

from keras_hpa.synthetic_atlas.compartments import Compartments

Array = npt.NDArray[np.float32]


def _nucleoplasm(cells: Compartments, rng: np.random.Generator) -> Array:
    """Throughout the nucleus, smooth to grainy, and most often not in the nucleoli."""
    grain = 1 + rng.uniform(0.05, 0.4) * cells.texture("fine", rng) + 0.15 * cells.texture("medium", rng)
    return cells.nucleus * np.clip(grain, 0.1, None) * (1 - rng.uniform(0.45, 0.9) * cells.nucleoli)


def _nuclear_membrane(cells: Compartments, rng: np.random.Generator) -> Array:
    """A thin rim around the nucleus, and folds of the envelope that cross it."""
    rim = cells.canvas().lines(cells.nucleus_outlines[cells.interphase], 0.65, closed=True).picture(0.12)
    return rim + rng.uniform(0.08, 0.25) * cells.nucleus * (1 + 0.3 * cells.texture("medium", rng))


def _nucleoli(cells: Compartments, rng: np.random.Generator) -> Array:
    """The nucleoli, filled; now and then brighter at their rim."""
    picture = cells.nucleoli * np.clip(1 + 0.15 * cells.texture("fine", rng), 0.2, None)
    if rng.random() < 0.25:
        outlines, _ = cells.nucleolus_outlines
        picture = 0.5 * picture + 0.7 * cells.canvas().lines(outlines, 0.5, closed=True).picture(0.1)
    return picture


def _nucleoli_fibrillar_center(cells: Compartments, rng: np.random.Generator) -> Array:
    """A cluster of small dots within each nucleolus."""
    owner, slot = np.nonzero(cells.scene.nucleoli[..., 2])
    number = rng.integers(2, 6, len(owner))
    owner, slot = np.repeat(owner, number), np.repeat(slot, number)
    x, y, radius = cells.scene.nucleoli[owner, slot].T
    theta, away = rng.uniform(0, 2 * np.pi, len(owner)), 0.68 * radius * np.sqrt(rng.random(len(owner)))
    offsets = np.stack([x + away * np.cos(theta), y + away * np.sin(theta)], -1)
    dots = cells.scene.around(owner, offsets)
    return cells.canvas().dots(dots, rng.uniform(0.3, 0.55, len(owner)), rng.uniform(0.6, 1, len(owner))).picture(0.1)


def _nuclear_speckles(cells: Compartments, rng: np.random.Generator) -> Array:
    """Twenty to fifty irregular patches between the chromatin, over a diffuse nucleoplasm."""
    owner, points = _in_nucleoplasm(cells, rng, int(rng.integers(22, 44)), 0.92)
    radii = rng.uniform(0.35, 0.85, len(owner))
    values = rng.uniform(0.5, 1, len(owner))
    second = points + rng.normal(0, 0.6, points.shape)
    patches = cells.canvas().dots(points, radii, values).dots(second, 0.8 * radii, values).picture(0.15)
    return patches * cells.nucleus * (1 - cells.nucleoli) + rng.uniform(0.1, 0.3) * _nucleoplasm(cells, rng)


def _nuclear_bodies(cells: Compartments, rng: np.random.Generator) -> Array:
    """Two to a dozen distinct round dots in the nucleus, outside the nucleoli."""
    owner, points = _in_nucleoplasm(cells, rng, int(rng.integers(3, 13)), 0.85)
    values = rng.uniform(0.55, 1, len(owner))
    return cells.canvas().dots(points, rng.uniform(0.35, 0.65), values).picture(0.1)


def _in_nucleoplasm(
    cells: Compartments, rng: np.random.Generator, number: int, reach: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """About `number` random places in each nucleus, none in a nucleolus."""
    scene = cells.scene
    owner = np.repeat(np.flatnonzero(scene.nucleoli[:, 0, 2]), rng.poisson(number, (scene.nucleoli[:, 0, 2] > 0).sum()))
    theta = rng.uniform(0, 2 * np.pi, len(owner))
    points = scene.in_nucleus(owner, theta, reach * np.sqrt(rng.random(len(owner))))
    centers = scene.around(owner[:, None], scene.nucleoli[owner, :, :2])
    distance = np.linalg.norm(points[:, None] - centers, axis=-1)
    free = (distance > scene.nucleoli[owner, :, 2] * 1.15 + 0.3 * (scene.nucleoli[owner, :, 2] > 0)).all(1)
    return owner[free], points[free]


NUCLEAR_PATTERNS = {
    "Nucleoplasm": _nucleoplasm,
    "Nuclear membrane": _nuclear_membrane,
    "Nucleoli": _nucleoli,
    "Nucleoli fibrillar center": _nucleoli_fibrillar_center,
    "Nuclear speckles": _nuclear_speckles,
    "Nuclear bodies": _nuclear_bodies,
}
"""Each draws its class over the given compartments, brightest places about 1."""
