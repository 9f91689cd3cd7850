"""Where proteins of the cytoskeleton and of its organising centres lie.

Definitions after the Human Protein Atlas's dictionary of subcellular structures
(https://www.proteinatlas.org/humanproteome/subcellular) and B. Alberts et al., Molecular Biology of the Cell.
"""

import numpy as np
import numpy.typing as npt

from keras_hpa.synthetic_atlas.compartments import Compartments
from keras_hpa.synthetic_atlas.scene import INTERPHASE, METAPHASE

Array = npt.NDArray[np.float32]


def _intermediate_filaments(cells: Compartments, rng: np.random.Generator) -> Array:
    """Wavy bundles that cage the nucleus and run out from it, densest on one side; they do not reach the border."""
    scene = cells.scene
    owner = np.repeat(cells.interphase, 46)
    along = np.linspace(0, 1, 16)
    side = rng.normal(0, 1.1, (len(owner), 1)) + scene.organizer[owner, None]
    low = rng.uniform(0.0, 0.3, (len(owner), 1))
    high = low + rng.gamma(2.0, 0.13, (len(owner), 1))
    curl = 0.16 * np.sin(along * rng.uniform(6, 18, (len(owner), 1)) + rng.uniform(0, 6.3, (len(owner), 1)))
    theta = side + rng.normal(0, 0.9, (len(owner), 1)) * along + curl * rng.uniform(0.4, 1.6, (len(owner), 1))
    fraction = np.clip(low + (high - low) * along + 0.22 * curl, 0.0, 0.85)
    paths = scene.in_cytoplasm(owner[:, None], theta, fraction)
    thin = cells.canvas().lines(paths[::2], 0.4, np.round(rng.uniform(0.4, 1.0, len(paths[::2])) * 5) / 5).picture()
    thick = cells.canvas().lines(paths[1::2], 0.7, np.round(rng.uniform(0.3, 0.8, len(paths[1::2])) * 5) / 5).picture()
    cage = cells.cytoplasm * np.exp(-cells.from_nucleus / 3.0) * np.clip(1 + 0.8 * cells.texture("fine", rng), 0, None)
    return 0.7 * (thin + thick) + 0.2 * cage


def _actin_filaments(cells: Compartments, rng: np.random.Generator) -> Array:
    """Straight parallel stress fibres across the cell, over and under the nucleus too, and the cortex."""
    fibres = cells.canvas()
    paths, owner = _stress_fibres(cells)
    fibres.lines(paths, 0.55, np.round(rng.uniform(0.25, 1.0, len(owner)) * 6) / 6)
    cortex = cells.canvas().lines(cells.body_outlines, 0.8, rng.uniform(0.3, 1.0, len(cells.body_outlines)), True)
    haze = cells.body * cells.thickness
    return fibres.picture(0.1) * cells.body + rng.uniform(0.3, 0.9) * cortex.picture(0.2) + 0.08 * haze


def _focal_adhesion_sites(cells: Compartments, rng: np.random.Generator) -> Array:
    """Short plaques at the ends of stress fibres near the border, lying in the direction of their fibre."""
    paths, _ = _stress_fibres(cells)
    plaques = []
    for end in (0, -1):
        near, far = paths[:, end], paths[:, end + 2 if end == 0 else end - 2]
        step = (far - near) / np.maximum(np.linalg.norm(far - near, axis=-1, keepdims=True), 1e-6)
        start = near + step * rng.uniform(0.0, 1.5, (len(near), 1))
        plaques.append(np.stack([start, start + step * rng.uniform(1.4, 3.4, (len(near), 1))], 1))
    plaque = np.concatenate(plaques)
    plaque = plaque[rng.random(len(plaque)) < 0.85]
    values = np.round(rng.uniform(0.4, 1, len(plaque)) * 6) / 6
    return cells.canvas().lines(plaque, 0.75, values).picture(0.12) * cells.body


def _microtubules(cells: Compartments, rng: np.random.Generator) -> Array:
    """The filaments of the red channel."""
    return cells.microtubules * np.clip(1 + 0.25 * cells.texture("fine", rng), 0.2, None)


def _microtubule_ends(cells: Compartments, rng: np.random.Generator) -> Array:
    """Short comets on the outer ends of microtubules."""
    paths, _ = cells.microtubule_paths
    tips = paths[rng.random(len(paths)) < 0.75, -2:]
    backwards = tips[:, 0] - tips[:, 1]
    backwards /= np.maximum(np.linalg.norm(backwards, axis=-1, keepdims=True), 1e-6)
    comets = np.stack([tips[:, 1], tips[:, 1] + backwards * rng.uniform(0.9, 2.0, (len(tips), 1))], 1)
    return cells.canvas().lines(comets, 0.5).picture(0.1) * cells.body + 0.1 * cells.microtubules


def _cytokinetic_bridge(cells: Compartments, rng: np.random.Generator) -> Array:
    """The stalk between two sister cells at the end of division; the whole of it or the midbody in its middle."""
    middle, heading = cells.scene.bridges
    whole = cells.canvas().lines(cells.bridge_paths, 0.8).picture(0.2)
    away = np.stack([np.cos(heading), np.sin(heading)], -1)
    ends = np.stack([middle - 0.7 * away, middle + 0.7 * away], 1)
    midbody = cells.canvas().lines(cells.scene.bend(ends), 1.3).picture(0.2)
    return rng.uniform(0.3, 1.0) * whole + rng.uniform(0.4, 1.0) * midbody


def _mitotic_spindle(cells: Compartments, rng: np.random.Generator) -> Array:
    """The spindle of cells in metaphase: two poles and the fibres between them."""
    poles = cells.canvas().dots(_poles(cells), 0.7).picture(0.2)
    return 1.2 * cells.spindle + rng.uniform(0.1, 0.7) * poles


def _microtubule_organizing_center(cells: Compartments, rng: np.random.Generator) -> Array:
    """One fuzzy patch beside the nucleus from which the microtubules start."""
    scene, owner = cells.scene, np.flatnonzero(cells.scene.phase != METAPHASE)
    center = scene.in_cytoplasm(owner, scene.organizer[owner], scene.organizer_depth[owner])
    around = np.repeat(center, 7, axis=0) + rng.normal(0, 0.75, (7 * len(owner), 2))
    values = rng.uniform(0.25, 0.6, len(around))
    core = cells.canvas().dots(around, rng.uniform(0.4, 0.9, len(around)), values).dots(center, 0.7)
    return core.dots(_poles(cells), 0.9).picture(0.4) * 1.3


def _centrosome(cells: Compartments, rng: np.random.Generator) -> Array:
    """A pair of small dots beside the nucleus: the two centrioles; at the poles of a spindle in dividing cells."""
    scene, owner = cells.scene, np.flatnonzero(cells.scene.phase != METAPHASE)
    center = scene.in_cytoplasm(owner, scene.organizer[owner], scene.organizer_depth[owner])
    apart, heading = rng.uniform(0.45, 0.95, (len(owner), 1)), rng.uniform(0, 2 * np.pi, len(owner))
    step = apart * np.stack([np.cos(heading), np.sin(heading)], -1)
    pair = np.concatenate([center - step, center + step, _poles(cells)])
    return cells.canvas().dots(pair, 0.5).picture(0.1)


def _poles(cells: Compartments) -> npt.NDArray[np.float64]:
    """The poles of all spindles, `(poles, 2)`."""
    owner = np.flatnonzero(cells.scene.phase == METAPHASE)
    away = 5.2 * np.stack([np.cos(cells.scene.axis[owner]), np.sin(cells.scene.axis[owner])], -1)
    return np.concatenate([cells.scene.around(owner, away), cells.scene.around(owner, -away)])


def _stress_fibres(cells: Compartments) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Fibres from border to border, `(fibres, points, 2)`, nearly parallel within a cell, and their cells."""
    rng, scene = cells.rng("stress fibres"), cells.scene
    owner = np.repeat(np.flatnonzero(scene.phase == INTERPHASE), 16)
    heading = (scene.axis + rng.normal(0, 0.25, len(scene.axis)))[owner] + rng.normal(0, 0.08, len(owner))
    spread = rng.uniform(0.25, np.pi - 0.25, len(owner))
    first, second = heading + spread, heading - spread
    start = scene.in_cytoplasm(owner, first, rng.uniform(0.82, 0.95, len(owner)))
    stop = scene.in_cytoplasm(owner, second, rng.uniform(0.82, 0.95, len(owner)))
    along = np.linspace(0, 1, 8)[:, None]
    return start[:, None] * (1 - along) + stop[:, None] * along, owner


CYTOSKELETON_PATTERNS = {
    "Intermediate filaments": _intermediate_filaments,
    "Actin filaments": _actin_filaments,
    "Focal adhesion sites": _focal_adhesion_sites,
    "Microtubules": _microtubules,
    "Microtubule ends": _microtubule_ends,
    "Cytokinetic bridge": _cytokinetic_bridge,
    "Mitotic spindle": _mitotic_spindle,
    "Microtubule organizing center": _microtubule_organizing_center,
    "Centrosome": _centrosome,
}
"""Each draws its class over the given compartments, brightest places about 1."""
