"""Where proteins of the cytoplasm, its organelles and the cell's border lie.

Definitions after the Human Protein Atlas's dictionary of subcellular structures
(https://www.proteinatlas.org/humanproteome/subcellular) and B. Alberts et al., Molecular Biology of the Cell.
"""

import numpy as np
import numpy.typing as npt

from keras_hpa.synthetic_atlas.compartments import Compartments

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


def _endoplasmic_reticulum(cells: Compartments, rng: np.random.Generator) -> Array:
    """The net of the yellow channel, from the nuclear envelope outwards."""
    return 1.2 * cells.reticulum * np.clip(1 + 0.25 * cells.texture("grain", rng), 0.2, None)


def _golgi_apparatus(cells: Compartments, rng: np.random.Generator) -> Array:
    """A ribbon of short stacks to one side of the nucleus, by the organising centre; compact or spread out."""
    scene = cells.scene
    owner = np.repeat(cells.interphase, 22)
    spread = rng.uniform(0.25, 0.7)
    theta = scene.organizer[owner] + np.clip(rng.normal(0, spread, len(owner)), -1.3, 1.3)
    fraction = np.clip(0.05 + rng.gamma(2.0, 0.07, len(owner)), 0.04, 0.5)
    stacks = _worms(rng, scene.in_cytoplasm(owner, theta, fraction), (0.9, 2.4), 0.35)
    ribbon = cells.canvas().lines(stacks, 0.75, np.round(rng.uniform(0.5, 1, len(owner)) * 5) / 5)
    return ribbon.picture(0.15) * (1 - 0.7 * cells.nucleus)


def _peroxisomes(cells: Compartments, rng: np.random.Generator) -> Array:
    """Many small filled dots of one size, spread evenly over the cytoplasm."""
    owner, points = _scattered(cells, rng, 70)
    return cells.canvas().dots(points, rng.uniform(0.26, 0.36, len(owner)), rng.uniform(0.6, 1, len(owner))).picture()


def _endosomes(cells: Compartments, rng: np.random.Generator) -> Array:
    """Dots and small rings of uneven size and brightness, most towards the periphery."""
    owner, points = _scattered(cells, rng, 26, outwards=0.65)
    hollow = rng.random(len(owner)) < 0.4
    filled = cells.canvas().dots(points[~hollow], rng.gamma(6.0, 0.065, (~hollow).sum()), rng.uniform(0.3, 1.0))
    return filled.rings(points[hollow], rng.uniform(0.45, 0.75, hollow.sum()), 0.3).picture(0.1)


def _lysosomes(cells: Compartments, rng: np.random.Generator) -> Array:
    """Filled round vesicles larger than endosomes, crowded around the organising centre."""
    scene = cells.scene
    owner = np.repeat(cells.interphase, rng.poisson(24, len(cells.interphase)))
    theta = scene.organizer[owner] + rng.normal(0, 0.9, len(owner))
    points = scene.in_cytoplasm(owner, theta, np.clip(0.06 + rng.gamma(2.0, 0.12, len(owner)), 0, 0.9))
    return (
        cells.canvas().dots(points, rng.uniform(0.4, 0.85, len(owner)), rng.uniform(0.5, 1, len(owner))).picture(0.15)
    )


def _lipid_droplets(cells: Compartments, rng: np.random.Generator) -> Array:
    """Hollow rings, the droplet's coat, of very different size, in groups; many in some cells, few in others."""
    scene = cells.scene
    number = rng.poisson(14 * rng.gamma(1.5, 0.67, len(cells.interphase)))
    owner = np.repeat(cells.interphase, number)
    group = rng.integers(0, 3, len(owner))
    theta = rng.uniform(0, 2 * np.pi, (len(scene.phase), 3))[owner, group] + rng.normal(0, 0.35, len(owner))
    middle = rng.uniform(0.15, 0.7, (len(scene.phase), 3))[owner, group]
    points = scene.in_cytoplasm(owner, theta, np.clip(middle + rng.normal(0, 0.12, len(owner)), 0.05, 0.92))
    return cells.canvas().rings(points, np.clip(rng.gamma(3.0, 0.3, len(owner)), 0.45, 2.2), 0.4).picture(0.1) * (
        1 - 0.7 * cells.nucleus
    )


def _plasma_membrane(cells: Compartments, rng: np.random.Generator) -> Array:
    """The outline of every cell, ruffled, and faintly the membrane above and below the focal plane."""
    outline = cells.canvas().lines(cells.body_outlines, 0.7, closed=True).picture(0.15)
    inner = cells.scene.outlines(cells.scene.body - rng.uniform(0.3, 1.0, cells.scene.body.shape))
    ruffles = cells.canvas().lines(inner, 0.5, closed=True).picture(0.2)
    flat = cells.body * np.clip(1 + 0.6 * cells.texture("fine", rng), 0, None)
    edge = np.clip(1 + 0.35 * cells.texture("coarse", rng), 0.2, None)
    return edge * (0.9 * outline + 0.5 * ruffles) + rng.uniform(0.05, 0.3) * flat


def _cell_junctions(cells: Compartments, rng: np.random.Generator) -> Array:
    """The stretches of membrane where two cells meet, beaded; none where a cell is free."""
    owner, angle = np.nonzero(cells.scene.touching & np.roll(cells.scene.touching, -1, axis=1))
    after = (angle + 1) % cells.scene.body.shape[1]
    ends = np.stack([cells.body_outlines[owner, angle], cells.body_outlines[owner, after]], 1)
    wall = cells.canvas().lines(ends, 0.9).picture(0.15)
    return wall * np.clip(1 + 0.4 * cells.texture("medium", rng), 0.15, None)


def _mitochondria(cells: Compartments, rng: np.random.Generator) -> Array:
    """Short worms throughout the cytoplasm, denser near the nucleus, each with its own bend."""
    owner, points = _scattered(cells, rng, 75, outwards=0.36)
    beside = cells.scene.in_cytoplasm(owner, *_polar_shift(rng, cells, points, owner))
    worms = _worms(rng, points, (1.5, 4.5), 0.5, beside - points)
    values = np.round(rng.uniform(0.4, 1.0, len(owner)) * 6) / 6
    return cells.canvas().lines(worms, 0.5, values).picture(0.08) * cells.cytoplasm


def _aggresome(cells: Compartments, rng: np.random.Generator) -> Array:
    """One large lump of aggregated protein beside the nucleus in most cells."""
    scene = cells.scene
    owner = cells.interphase[rng.random(len(cells.interphase)) < 0.8]
    center = scene.in_cytoplasm(owner, scene.organizer[owner], rng.uniform(0.15, 0.35, len(owner)))
    size = rng.uniform(1.3, 2.6, len(owner))
    lumps = np.repeat(center, 6, axis=0) + rng.normal(0, 0.45, (6 * len(owner), 2)) * np.repeat(size, 6)[:, None]
    picture = cells.canvas().dots(lumps, np.repeat(size, 6) * 0.5, 0.8).dots(center, size * 0.8).picture(0.25)
    return picture * (1 - 0.85 * cells.nucleus) * np.clip(1 + 0.2 * cells.texture("fine", rng), 0.3, None)


def _cytosol(cells: Compartments, rng: np.random.Generator) -> Array:
    """The whole cytoplasm, thinner at the edge, with the organelles left darker and little in the nucleus."""
    grain = 1 + rng.uniform(0.08, 0.3) * cells.texture("fine", rng) + 0.12 * cells.texture("medium", rng)
    nucleus = rng.uniform(0.1, 0.45) * cells.nucleus * (1 - 0.5 * cells.nucleoli)
    return cells.thickness * (cells.cytoplasm + nucleus) * np.clip(grain, 0.1, None)


def _cytoplasmic_bodies(cells: Compartments, rng: np.random.Generator) -> Array:
    """A few bright round granules far apart in the cytoplasm."""
    owner, points = _scattered(cells, rng, 6)
    return cells.canvas().dots(points, rng.uniform(0.45, 0.8, len(owner)), rng.uniform(0.7, 1, len(owner))).picture(0.1)


def _rods_and_rings(cells: Compartments, rng: np.random.Generator) -> Array:
    """A few stiff rods and closed rings, several micrometres long, in the cytoplasm."""
    owner, points = _scattered(cells, rng, 2.6)
    ring = rng.random(len(owner)) < 0.4
    rods = _worms(rng, points[~ring], (3.5, 8.0), 0.1)
    canvas = cells.canvas().lines(rods, 0.65)
    return (
        canvas.rings(points[ring], rng.uniform(1.2, 2.4, ring.sum()), 0.6).picture(0.1)
        * cells.body
        * (1 - 0.7 * cells.nucleus)
    )


def _scattered(
    cells: Compartments, rng: np.random.Generator, number: float, outwards: float | None = None
) -> tuple[npt.NDArray[np.int64], Points]:
    """About `number` places in the cytoplasm of each cell: evenly, or about a fraction of the way `outwards`."""
    scene = cells.scene
    size = np.clip((scene.body[cells.interphase] ** 2).mean(1) / 18.0**2, 0.35, 1.8)
    owner = np.repeat(cells.interphase, rng.poisson(number * size))
    theta, chance = rng.uniform(0, 2 * np.pi, len(owner)), rng.random(len(owner))
    ratio = scene.body.mean(1)[owner] / scene.nucleus.mean(1)[owner]
    even = (np.sqrt(1 + chance * (ratio**2 - 1)) - 1) / (ratio - 1)
    fraction = even if outwards is None else rng.normal(outwards, 0.2, len(owner))
    return owner, scene.in_cytoplasm(owner, theta, np.clip(fraction, 0.06, 0.93))


def _polar_shift(
    rng: np.random.Generator, cells: Compartments, points: Points, owner: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Somewhere outwards of `points`: the direction in which organelles are pulled along microtubules."""
    offset = points - cells.scene.center[owner]
    theta = np.arctan2(offset[:, 1], offset[:, 0]) + rng.normal(0, 0.5, len(owner))
    return theta, np.ones(len(owner))


def _worms(
    rng: np.random.Generator, start: Points, length: tuple[float, float], bend: float, heading: Points | None = None
) -> Points:
    """Curved paths `(num, 6, 2)` through `start`, each with a length within the limits in micrometres."""
    count = len(start)
    angle = rng.uniform(0, 2 * np.pi, count) if heading is None else np.arctan2(heading[:, 1], heading[:, 0])
    turn = np.cumsum(bend * rng.standard_normal((count, 6)), 1) + angle[:, None]
    step = rng.uniform(*length, (count, 1)) / 5
    path = np.cumsum(step[..., None] * np.stack([np.cos(turn), np.sin(turn)], -1), 1)
    return start[:, None] + path - path.mean(1, keepdims=True)


CYTOPLASM_PATTERNS = {
    "Endoplasmic reticulum": _endoplasmic_reticulum,
    "Golgi apparatus": _golgi_apparatus,
    "Peroxisomes": _peroxisomes,
    "Endosomes": _endosomes,
    "Lysosomes": _lysosomes,
    "Lipid droplets": _lipid_droplets,
    "Plasma membrane": _plasma_membrane,
    "Cell junctions": _cell_junctions,
    "Mitochondria": _mitochondria,
    "Aggresome": _aggresome,
    "Cytosol": _cytosol,
    "Cytoplasmic bodies": _cytoplasmic_bodies,
    "Rods & rings": _rods_and_rings,
}
"""Each draws its class over the given compartments, brightest places about 1."""
