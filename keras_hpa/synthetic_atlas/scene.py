"""A field of cells as geometry in micrometres, before anything is drawn."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FIELD = 164.0
"""Width of the field of view in micrometres: 2048 pixels of 0.08, as the Human Protein Atlas takes them."""

INTERPHASE, METAPHASE, CYTOKINESIS = 0, 1, 2

_ANGLES = 96
_THETA = np.linspace(0, 2 * np.pi, _ANGLES, endpoint=False)
_DIRECTION = np.stack([np.cos(_THETA), np.sin(_THETA)], -1)
_MARGIN = 14.0  # cells around the field whose bodies reach into it
_MAX_NUCLEOLI = 5

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CellLine:
    """What tells one cell line from another; lengths in micrometres."""

    name: str
    count: tuple[float, float]  # cells per field, were it evenly covered
    nucleus: float  # mean radius
    nucleus_aspect: float
    lobes: float  # how far nuclei are from ellipses
    body: float  # radius of a body with room around it
    elongation: float
    spikes: float  # length of protrusions, in body radii
    clumping: float  # 0: evenly spread, 1: islands
    chromatin: float  # contrast of the chromatin
    filaments: int  # microtubules per cell
    winding: float  # how far microtubules run around the nucleus, radians


CELL_LINES = (
    CellLine("osteosarcoma", (14, 24), 8.2, 1.25, 0.03, 21.0, 1.3, 0.10, 0.1, 0.20, 170, 1.0),
    CellLine("epithelial, spread", (18, 30), 7.4, 1.20, 0.03, 18.0, 1.25, 0.06, 0.3, 0.26, 150, 1.1),
    CellLine("glioblastoma", (12, 22), 7.6, 1.45, 0.04, 17.0, 1.9, 0.55, 0.2, 0.24, 150, 0.6),
    CellLine("embryonic kidney", (34, 52), 6.0, 1.25, 0.05, 11.0, 1.25, 0.25, 0.8, 0.32, 110, 0.9),
    CellLine("breast, islands", (24, 38), 7.0, 1.20, 0.04, 13.0, 1.15, 0.05, 0.7, 0.28, 130, 1.0),
    CellLine("fibroblast", (8, 15), 8.2, 1.60, 0.03, 20.0, 2.5, 0.35, 0.0, 0.16, 170, 0.45),
    CellLine("neuroblastoma", (16, 30), 6.4, 1.25, 0.12, 11.5, 1.4, 0.70, 0.5, 0.30, 120, 0.8),
)
"""The cell lines a field is drawn from, modelled on those the atlas images."""


@dataclass(frozen=True)
class Scene:
    """Where everything lies in one field. Arrays run over cells; tables over cells and directions.

    A point of a cell is named by a direction from the centre of its nucleus and a fraction: of the way from centre to
    nuclear envelope (`in_nucleus`), or from the envelope to the plasma membrane (`in_cytoplasm`).

    Args:
        cell_line: what kind of cells.
        center: centres of the nuclei, `(cells, 2)`, x and y.
        nucleus: distance from the centre to the nuclear envelope in each direction, `(cells, angles)`.
        body: the same to the plasma membrane.
        touching: where that membrane lies against a neighbour's, `(cells, angles)`.
        phase: `INTERPHASE`, `METAPHASE` or `CYTOKINESIS`.
        axis: the axis of division, or the long axis of the cell, radians.
        bridges: middles and directions of the bridges between sisters, `(bridges, 2)` and `(bridges,)`.
        organizer: direction in which the microtubule-organising centre lies, radians.
        organizer_depth: its fraction of the way to the plasma membrane.
        nucleoli: `(cells, 5, 3)`: x, y (from the centre, before the warp) and radius, 0 where there is none.
        warp: amplitudes, wave vectors and phases of the waves that bend everything, `(waves, 5)`.
    """

    cell_line: CellLine
    center: Array
    nucleus: Array
    body: Array
    touching: npt.NDArray[np.bool_]
    phase: npt.NDArray[np.int64]
    axis: Array
    bridges: tuple[Array, Array]
    organizer: Array
    organizer_depth: Array
    nucleoli: Array
    warp: Array

    def in_nucleus(self, cells: npt.ArrayLike, theta: npt.ArrayLike, fraction: npt.ArrayLike) -> Array:
        """Points `fraction` of the way from the centres of `cells` to their envelopes."""
        cells, theta = np.asarray(cells), np.asarray(theta)
        return self._place(cells, theta, np.asarray(fraction) * _look_up(self.nucleus, cells, theta))

    def in_cytoplasm(self, cells: npt.ArrayLike, theta: npt.ArrayLike, fraction: npt.ArrayLike) -> Array:
        """Points `fraction` of the way from the envelopes of `cells` to their plasma membranes."""
        cells, theta = np.asarray(cells), np.asarray(theta)
        inner, outer = _look_up(self.nucleus, cells, theta), _look_up(self.body, cells, theta)
        return self._place(cells, theta, inner + np.asarray(fraction) * (outer - inner))

    def around(self, cells: npt.ArrayLike, offsets: Array) -> Array:
        """Points at `offsets` micrometres from the centres of `cells`."""
        return self.bend(self.center[np.asarray(cells)] + offsets)

    def in_view(self) -> npt.NDArray[np.bool_]:
        """Which cells reach into the field."""
        reach = self.body.max(1, keepdims=True) + 2
        return np.asarray(((self.center + reach > 0) & (self.center - reach < FIELD)).all(1))

    def outlines(self, radii: Array) -> Array:
        """The closed curves `(cells, angles, 2)` at the given radii, `nucleus` or `body` for example."""
        return self.bend(self.center[:, None] + radii[..., None] * _DIRECTION)

    def bend(self, points: Array) -> Array:
        """Moves points by the waves that make straight things curved, the same for all that lies there."""
        moved = np.array(points, np.float64)
        x, y = points[..., 0], points[..., 1]
        for amplitude, kx, ky, phase, heading in self.warp:
            wave = np.sin(kx * x + ky * y + phase)
            moved[..., 0] += amplitude * np.cos(heading) * wave
            moved[..., 1] += amplitude * np.sin(heading) * wave
        return moved

    def _place(self, cells: npt.NDArray[np.int64], theta: Array, radius: Array) -> Array:
        return self.bend(self.center[cells] + radius[..., None] * np.stack([np.cos(theta), np.sin(theta)], -1))


def make_scene(rng: np.random.Generator, divisions: tuple[int, int], line: CellLine | None = None) -> Scene:
    """Draws a field of cells.

    Args:
        rng: decides everything.
        divisions: how many cells are in metaphase and how many pairs in cytokinesis.
        line: the cell line; `None` for any.
    """
    line = line or CELL_LINES[rng.integers(len(CELL_LINES))]
    center = _scatter(rng, line)
    phase, axis, center, partner = _divide(rng, center, divisions)
    count = len(center)
    aspect = np.clip(line.elongation * np.exp(0.18 * rng.standard_normal(count)), 1.0, 3.2)
    aspect[phase != INTERPHASE] = 1.08

    size = np.exp(0.14 * rng.standard_normal(count))
    nucleus = line.nucleus * size[:, None] * _ellipse(line.nucleus_aspect, axis + 0.35 * rng.standard_normal(count))
    nucleus *= _wobble(rng, count, line.lobes * np.exp(0.6 * rng.standard_normal(count)), range(2, 6))
    metaphase, cytokinesis = phase == METAPHASE, phase == CYTOKINESIS
    plate = _ellipse(np.full(count, 3.2), axis + np.pi / 2) * 3.3
    nucleus[metaphase] = plate[metaphase] * _wobble(rng, count, np.full(count, 0.05), range(3, 9))[metaphase]
    sister = _ellipse(np.full(count, 1.6), axis + np.pi / 2) * 4.6
    nucleus[cytokinesis] = sister[cytokinesis] * _wobble(rng, count, np.full(count, 0.04), range(2, 6))[cytokinesis]

    reach = line.body * size * np.exp(0.16 * rng.standard_normal(count))
    reach[metaphase], reach[cytokinesis] = 10.5, 10.0
    body = reach[:, None] * _ellipse(aspect, axis) * _wobble(rng, count, np.full(count, 0.07), range(2, 7))
    body *= _corners(rng, count)
    spikes = 1.0 + line.spikes * (phase == INTERPHASE)[:, None] * _spikes(rng, count)
    body = np.maximum(body * spikes, 1.12 * nucleus + 1.0)
    body, touching = _press_together(center, body, reach, gap=abs(0.35 * rng.standard_normal()))
    body = np.maximum(body, 1.06 * nucleus + 0.5)

    pairs = np.flatnonzero(partner > np.arange(count))
    towards = center[partner[pairs]] - center[pairs]
    scene = Scene(
        cell_line=line,
        center=center,
        nucleus=nucleus,
        body=body,
        touching=touching,
        phase=phase,
        axis=axis,
        bridges=((center[pairs] + center[partner[pairs]]) / 2, np.arctan2(towards[:, 1], towards[:, 0])),
        organizer=rng.uniform(0, 2 * np.pi, count),
        organizer_depth=rng.uniform(0.06, 0.22, count),
        nucleoli=_nucleoli(rng, nucleus, phase),
        warp=_waves(rng),
    )
    return scene


def _scatter(rng: np.random.Generator, line: CellLine) -> Array:
    side = FIELD + 2 * _MARGIN
    wanted = rng.uniform(*line.count) * (side / FIELD) ** 2 * rng.choice([1.25, 1.0, 0.6])
    points = rng.uniform(-_MARGIN, FIELD + _MARGIN, (500, 2))
    islands = rng.uniform(-_MARGIN, FIELD + _MARGIN, (rng.integers(2, 5), 2))
    near = np.min(np.linalg.norm(points[:, None] - islands, axis=-1), axis=1)
    open_ground = rng.uniform(0.2, 1.0) * line.clumping
    points = points[rng.random(500) > open_ground * (near > rng.uniform(30, 55))]
    spacing = np.maximum(1.9 * line.nucleus, 0.74 * side / np.sqrt(wanted) * (1 - 0.35 * open_ground))
    spacing = spacing * np.exp(0.12 * rng.standard_normal(len(points)))
    alive = np.ones(len(points), bool)
    kept: list[int] = []
    while alive.any() and len(kept) < wanted:
        first = int(alive.argmax())
        kept.append(first)
        alive &= np.linalg.norm(points - points[first], axis=1) > spacing
        alive[first] = False
    return np.asarray(points[kept])


def _divide(
    rng: np.random.Generator, center: Array, divisions: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], Array, Array, npt.NDArray[np.int64]]:
    """Chooses dividing cells inside the field and gives those in cytokinesis a sister."""
    count = len(center)
    phase, axis = np.zeros(count, np.int64), rng.uniform(0, np.pi, count) + rng.normal(0, 0.3)
    if rng.random() < 0.4:  # cells lie side by side
        axis = rng.uniform(0, np.pi) + 0.35 * rng.standard_normal(count)
    inside = np.flatnonzero(((center > 14) & (center < FIELD - 14)).all(1))
    chosen = rng.permutation(inside)[: sum(divisions)]
    phase[chosen[: divisions[0]]] = METAPHASE
    mothers = chosen[divisions[0] :]
    phase[mothers] = CYTOKINESIS
    axis[mothers] = rng.uniform(0, np.pi, len(mothers))
    step = np.stack([np.cos(axis[mothers]), np.sin(axis[mothers])], -1) * rng.uniform(15, 18, (len(mothers), 1))
    middle = center[mothers]
    center = center.copy()
    center[mothers] = middle - step / 2
    sisters = middle + step / 2
    crowd = np.linalg.norm(center[:, None] - np.concatenate([sisters, center[mothers]]), axis=-1)
    free = (crowd > 13).all(1)
    free[chosen] = True
    number = np.cumsum(free) - 1
    partner = np.full(free.sum() + len(mothers), -1)
    partner[number[mothers]] = np.arange(len(mothers)) + free.sum()
    partner[free.sum() :] = number[mothers]
    phase = np.concatenate([phase[free], np.full(len(mothers), CYTOKINESIS)])
    axis = np.concatenate([axis[free], axis[mothers]])
    return phase, axis, np.concatenate([center[free], sisters]), partner


def _ellipse(aspect: npt.ArrayLike, axis: Array) -> Array:
    """Radii of ellipses of unit area."""
    aspect = np.broadcast_to(aspect, axis.shape)[:, None]
    angle = _THETA - axis[:, None]
    return np.asarray(np.sqrt(aspect) / np.sqrt(np.cos(angle) ** 2 + (aspect * np.sin(angle)) ** 2))


def _wobble(rng: np.random.Generator, count: int, amount: Array, orders: range) -> Array:
    shift = rng.uniform(0, 2 * np.pi, (count, len(orders), 1))
    height = rng.standard_normal((count, len(orders), 1)) * (2 / np.array(orders)[:, None])
    waves = np.cos(np.array(orders)[:, None] * _THETA + shift) * height
    return np.asarray(np.exp(amount[:, None] * np.clip(waves.sum(1), -2.5, 2.5)))


def _corners(rng: np.random.Generator, count: int) -> Array:
    """Flattens outlines between three to seven corners: spread cells are polygons, not discs."""
    number = rng.integers(3, 8, count)[:, None]
    jitter = rng.normal(0, 0.45, (count, 1)) * np.sin(_THETA + rng.uniform(0, 2 * np.pi, (count, 1)))
    angle = (_THETA + rng.uniform(0, 2 * np.pi, (count, 1)) + jitter) * number
    sector = np.mod(angle, 2 * np.pi) - np.pi
    flat = np.cos(np.pi / number) / np.cos(sector / number)
    return np.asarray(1 + rng.uniform(0.1, 0.9, (count, 1)) * (1.15 * flat - 1))


def _spikes(rng: np.random.Generator, count: int) -> Array:
    at = rng.uniform(0, 2 * np.pi, (count, 3, 1))
    sharpness = rng.uniform(8, 130, (count, 3, 1))
    length = rng.gamma(1.0, 1.0, (count, 3, 1))
    return np.asarray((length * np.exp(sharpness * (np.cos(_THETA - at) - 1))).sum(1))


def _press_together(center: Array, body: Array, reach: Array, gap: float) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Flattens bodies against their neighbours; says where two really meet."""
    count = len(center)
    if count < 2:
        return body, np.zeros(body.shape, bool)
    offset = center[None] - center[:, None]
    distance = np.linalg.norm(offset, axis=-1) + np.eye(count) * 1e6
    share = np.clip(reach[:, None] / (reach[:, None] + reach[None]), 0.42, 0.58)
    towards = np.einsum("ijc,ac->ija", offset / distance[..., None], _DIRECTION)
    plane = distance * share - gap / 2
    limit = np.where(towards > 0.05, plane[..., None] / np.maximum(towards, 0.05), 1e6)
    neighbour = limit.argmin(1)
    limit = np.take_along_axis(limit, neighbour[:, None], 1)[:, 0]
    meeting = center[:, None] + limit[..., None] * _DIRECTION - center[neighbour]
    backwards = _look_up(body, neighbour, np.arctan2(meeting[..., 1], meeting[..., 0]))
    met = backwards > 0.97 * np.linalg.norm(meeting, axis=-1)
    pressed = (body**-14 + limit**-14) ** (-1 / 14)
    return np.asarray(np.minimum(pressed, limit)), (limit < 1.02 * body) & met


def _nucleoli(rng: np.random.Generator, nucleus: Array, phase: npt.NDArray[np.int64]) -> Array:
    count = len(nucleus)
    number = rng.integers(1, _MAX_NUCLEOLI + 1, count)
    theta = rng.uniform(0, 2 * np.pi, (count, 1)) + np.arange(_MAX_NUCLEOLI) * 2.4
    away = np.sqrt(rng.uniform(0.02, 0.38, (count, _MAX_NUCLEOLI)))
    radius = rng.uniform(0.7, 1.25, (count, _MAX_NUCLEOLI)) * (2.5 / np.sqrt(number))[:, None]
    radius *= nucleus.mean(1, keepdims=True) / 7.5
    there = (np.arange(_MAX_NUCLEOLI) < number[:, None]) & (phase == INTERPHASE)[:, None]
    distance = away * _look_up(nucleus, np.arange(count)[:, None], theta)
    return np.stack([distance * np.cos(theta), distance * np.sin(theta), radius * there], -1)


def _waves(rng: np.random.Generator) -> Array:
    wavelength = np.array([60.0, 30.0, 17.0])
    direction, phase, heading = rng.uniform(0, 2 * np.pi, (3, 3))
    amplitude = wavelength * rng.uniform(0.015, 0.035, 3)
    wave = 2 * np.pi / wavelength
    return np.stack([amplitude, wave * np.cos(direction), wave * np.sin(direction), phase, heading], -1)


def _look_up(table: Array, cells: npt.NDArray[np.int64], theta: Array) -> Array:
    """The table's value for each cell and direction, interpolated."""
    position = np.asarray(theta) * (_ANGLES / (2 * np.pi))
    low = np.floor(position).astype(np.int64)
    weight = position - low
    low %= _ANGLES
    return np.asarray(table[cells, low] * (1 - weight) + table[cells, (low + 1) % _ANGLES] * weight)
