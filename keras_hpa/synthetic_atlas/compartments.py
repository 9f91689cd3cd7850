"""What every cell has, whatever protein is stained: body, nucleus, nucleoli, microtubules, reticulum."""

from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from keras_hpa.synthetic_atlas.canvas import SHIFT, Canvas, to_pixels
from keras_hpa.synthetic_atlas.scene import CYTOKINESIS, INTERPHASE, METAPHASE, Scene
from keras_hpa.synthetic_atlas.textures import texture

Array = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

_POINTS = 11  # of a filament


class Compartments:
    """The cells of one scene, drawn at one resolution; each compartment when first asked for.

    All pictures are float32 of shape `(height, width)`: the share of a pixel that the compartment covers, 0 to 1,
    or its brightness where the compartment is textured.

    Args:
        scene: the geometry.
        shape: height and width in pixels.
        pixel: the width of a pixel in micrometres.
        key: seeds everything drawn at random in this scene.
    """

    def __init__(self, scene: Scene, shape: tuple[int, int], pixel: float, key: tuple[int, ...]) -> None:
        self.scene = scene
        self.shape = shape
        self.pixel = pixel
        self.key = key

    def rng(self, subject: str) -> np.random.Generator:
        """A generator of its own for each subject: drawing one thing leaves the others as they are."""
        return np.random.default_rng([*self.key, *subject.encode()])

    def canvas(self) -> Canvas:
        """An empty canvas of this size."""
        return Canvas(self.shape, self.pixel)

    def texture(self, kind: str, rng: np.random.Generator) -> Array:
        """A piece of texture of this size."""
        return texture(kind, rng, self.shape, self.pixel)

    def per_cell(self, values: npt.NDArray[np.float64], blur: float = 0.3) -> Array:
        """A picture in which every cell shows its own value from 0 to 1."""
        return self.canvas().fill(self.body_outlines, values).picture(blur)

    @cached_property
    def uptake(self) -> npt.NDArray[np.float64]:
        """How well each cell takes up stains, around 1."""
        return np.exp(0.35 * np.clip(self.rng("uptake").standard_normal(len(self.scene.phase)), -2, 1.9))

    @cached_property
    def body_outlines(self) -> npt.NDArray[np.float64]:
        """The plasma membranes, `(cells, angles, 2)`."""
        return self.scene.outlines(self.scene.body)

    @cached_property
    def nucleus_outlines(self) -> npt.NDArray[np.float64]:
        """The nuclear envelopes, `(cells, angles, 2)`; the edge of the chromosomes in metaphase."""
        return self.scene.outlines(self.scene.nucleus)

    @cached_property
    def interphase(self) -> npt.NDArray[np.int64]:
        """The cells that have a nucleus with an envelope."""
        return np.flatnonzero(self.scene.phase != METAPHASE)

    def labels(self, image_size: tuple[int, int]) -> tuple[Labels, Labels]:
        """The nuclei and the cells as label images of `image_size`, those in view numbered alike from 1."""
        nuclei, cells, numbers = self._numbered(image_size)
        return np.searchsorted(numbers, nuclei).astype(np.int32), np.searchsorted(numbers, cells).astype(np.int32)

    def labelled(self, image_size: tuple[int, int]) -> npt.NDArray[np.int64]:
        """The cells that have a number in `labels`, in its order."""
        return np.asarray(self._numbered(image_size)[2][1:] - 1, np.int64)

    def _numbered(self, image_size: tuple[int, int]) -> tuple[Labels, Labels, Labels]:
        """The nuclei and the cells, numbered from 1 in the order of the scene, and the numbers that occur."""
        pixel = self.pixel * self.shape[0] / image_size[0]
        nuclei, cells = np.zeros(image_size, np.int32), np.zeros(image_size, np.int32)
        for picture, outlines in ((nuclei, self.nucleus_outlines), (cells, self.body_outlines)):
            for number, outline in enumerate(to_pixels(outlines, pixel), start=1):
                cv2.fillPoly(picture, [outline], number, cv2.LINE_8, SHIFT)
        cells = np.where(nuclei > 0, nuclei, cells)
        return nuclei, cells, np.unique(np.append(cells, 0)).astype(np.int32)

    @cached_property
    def body(self) -> Array:
        """The cells, nuclei included."""
        return self.canvas().fill(self.body_outlines).picture()

    @cached_property
    def nucleus(self) -> Array:
        """The nuclei, and the chromosomes of cells in metaphase."""
        return self.canvas().fill(self.nucleus_outlines).picture()

    @cached_property
    def cytoplasm(self) -> Array:
        """The cells without their nuclei."""
        return self.body * (1 - self.nucleus)

    @cached_property
    def nucleoli(self) -> Array:
        """Two to five dark regions in each interphase nucleus."""
        return self.canvas().fill(*self.nucleolus_outlines).picture(0.12)

    @cached_property
    def nucleolus_outlines(self) -> tuple[npt.NDArray[np.float64], float]:
        """Closed curves around the nucleoli, `(nucleoli, points, 2)`, and the value they are filled with."""
        cells, slots = np.nonzero(self.scene.nucleoli[..., 2])
        rng = self.rng("nucleoli")
        x, y, radius = self.scene.nucleoli[cells, slots].T
        theta = np.linspace(0, 2 * np.pi, 16, endpoint=False)
        waves = np.cos(np.arange(2, 5)[:, None] * theta + rng.uniform(0, 2 * np.pi, (len(cells), 3, 1)))
        reach = radius[:, None] * (1 + 0.13 * (waves * rng.standard_normal((len(cells), 3, 1))).sum(1))
        offsets = np.stack([x[:, None] + reach * np.cos(theta), y[:, None] + reach * np.sin(theta)], -1)
        return self.scene.around(cells[:, None], offsets), 1.0

    @cached_property
    def depth(self) -> Array:
        """How far a place in a cell is from its plasma membrane, in micrometres; 0 outside."""
        edge = self.canvas().lines(self.body_outlines, 0.3, closed=True).picture()
        inside = ((self.body > 0.5) & (edge < 0.2)).astype(np.uint8)
        return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3) * self.pixel, np.float32)

    @cached_property
    def from_nucleus(self) -> Array:
        """How far a place is from the nearest nucleus, in micrometres; 0 inside."""
        outside = (self.nucleus < 0.5).astype(np.uint8)
        return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 3) * self.pixel, np.float32)

    @cached_property
    def thickness(self) -> Array:
        """How much of a cell the focal plane cuts: cells are thin at their edge."""
        edge = self.depth / (self.depth + self.rng("thickness").uniform(0.4, 2.2))
        return np.asarray(cv2.GaussianBlur(edge, (0, 0), max(0.4 / self.pixel, 0.3)), np.float32)

    @cached_property
    def microtubule_paths(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Microtubules from the organising centre to the periphery, `(filaments, points, 2)`, and their cells."""
        rng, scene = self.rng("microtubules"), self.scene
        number = np.where(scene.phase == INTERPHASE, scene.cell_line.filaments, 40)
        number[(scene.phase == METAPHASE) | ~scene.in_view()] = 0
        area = (scene.body**2).mean(1) / (18.0**2)
        cells = np.repeat(np.arange(len(number)), (number * np.clip(area, 0.3, 2.0) ** 0.8).astype(int))
        along = np.linspace(0, 1, _POINTS)
        wound = rng.random(len(cells)) < 0.35
        paths = np.empty((len(cells), _POINTS, 2))
        paths[wound] = self._from_organizer(rng, cells[wound], along)
        paths[~wound] = self._through_cytoplasm(rng, cells[~wound], along)
        return paths, cells

    def _from_organizer(
        self, rng: np.random.Generator, cells: npt.NDArray[np.int64], along: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Filaments that start at the organising centre and bend around the nucleus."""
        scene, count = self.scene, len(cells)
        start, low = scene.organizer[cells, None], scene.organizer_depth[cells, None]
        high = rng.uniform(0.35, 0.98, (count, 1))
        turn = np.clip(rng.normal(0, scene.cell_line.winding, (count, 1)), -2.8, 2.8)
        theta = start + turn * along ** rng.uniform(0.6, 1.3, (count, 1))
        sway = rng.normal(0, 0.06, (count, 1)) * np.sin(along * rng.uniform(4, 14, (count, 1)) + start)
        fraction = low + (high - low) * along ** rng.uniform(0.5, 1.8, (count, 1)) + sway * np.sin(np.pi * along)
        return scene.in_cytoplasm(cells[:, None], theta, np.clip(fraction, 0.01, 0.985))

    def _through_cytoplasm(
        self, rng: np.random.Generator, cells: npt.NDArray[np.int64], along: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """Filaments that run outwards or along the cell from anywhere in it."""
        scene, count = self.scene, len(cells)
        theta = rng.uniform(0, 2 * np.pi, count)
        start = scene.in_cytoplasm(cells, theta, rng.uniform(0.02, 0.85, count))
        stop = scene.in_cytoplasm(cells, theta + rng.normal(0, 0.5, count), rng.uniform(0.85, 1.0, count))
        axis = scene.axis[cells]
        sign = np.sign(np.cos(theta - axis))
        heading = (stop - start) / np.maximum(np.linalg.norm(stop - start, axis=-1, keepdims=True), 0.1)
        lengthwise = np.stack([np.cos(axis), np.sin(axis)], -1) * sign[:, None]
        heading = heading + rng.uniform(0, 1.2, (count, 1)) * lengthwise
        angle = np.arctan2(heading[:, 1], heading[:, 0])[:, None] + rng.normal(0, 0.2, (count, 1))
        bend = rng.normal(0, 0.45, (count, 1)) * along + 0.15 * np.sin(
            along * rng.uniform(5, 16, (count, 1)) + axis[:, None]
        )
        step = (
            np.maximum(np.linalg.norm(stop - start, axis=-1), 3.0)[:, None]
            * rng.uniform(0.7, 1.3, (count, 1))
            / _POINTS
        )
        path = np.cumsum(step[..., None] * np.stack([np.cos(angle + bend), np.sin(angle + bend)], -1), 1)
        return start[:, None] + path

    @cached_property
    def spindle_paths(self) -> npt.NDArray[np.float64]:
        """Fibres from the two poles of cells in metaphase to the chromosomes, and short asters."""
        rng = self.rng("spindle")
        cells = np.repeat(np.flatnonzero(self.scene.phase == METAPHASE), 56)
        count = len(cells)
        side = np.where(np.arange(count) % 2, 1.0, -1.0)[:, None]
        along = np.linspace(0, 1, 8)
        reach = 3.4 * np.clip(rng.standard_normal((count, 1)) * 0.5, -1, 1)
        lengthwise, sideways = side * (5.2 - 4.9 * along), reach * np.sin(along * np.pi / 2) ** 0.9
        aster = rng.random((count, 1)) < 0.2
        heading = rng.uniform(-2.2, 2.2, (count, 1))
        length = along * rng.uniform(1.0, 3.2, (count, 1))
        lengthwise = np.where(aster, side * (5.2 + length * np.cos(heading)), lengthwise)
        sideways = np.where(aster, length * np.sin(heading), sideways)
        cosine, sine = np.cos(self.scene.axis[cells, None]), np.sin(self.scene.axis[cells, None])
        offsets = np.stack([lengthwise * cosine - sideways * sine, lengthwise * sine + sideways * cosine], -1)
        return self.scene.around(cells[:, None], offsets)

    @cached_property
    def bridge_paths(self) -> npt.NDArray[np.float64]:
        """Bundles of microtubules across the bridges between sister cells."""
        rng = self.rng("bridges")
        middle, heading = self.scene.bridges
        number = np.repeat(np.arange(len(middle)), 8)
        along = np.linspace(-1, 1, 9)
        length = rng.uniform(2.6, 4.6, (len(middle), 1))[number]
        sideways = rng.normal(0, 0.35, (len(number), 1)) * (1 + 1.8 * along**2)
        cosine, sine = np.cos(heading)[number, None], np.sin(heading)[number, None]
        lengthwise = along * length
        offsets = np.stack([lengthwise * cosine - sideways * sine, lengthwise * sine + sideways * cosine], -1)
        return self.scene.bend(middle[number][:, None] + offsets)

    @cached_property
    def microtubules(self) -> Array:
        """The microtubules of all cells, spindles and bridges included."""
        rng = self.rng("microtubule brightness")
        paths, _ = self.microtubule_paths
        layer = rng.integers(0, 2, len(paths))
        total = np.zeros(self.shape, np.float32)
        for number in range(2):
            chosen = paths[layer == number]
            levels = np.round(rng.uniform(0.25, 1.0, len(chosen)) * 5) / 5
            total += self.canvas().lines(chosen, 0.3, levels).picture()
        total *= self.body * (1 - 0.8 * self.nucleus)
        if (self.scene.phase != INTERPHASE).any():
            total *= 1 - 0.6 * self.per_cell((self.scene.phase == CYTOKINESIS) * 1.0)
            total += 1.3 * self.spindle + 1.3 * self.bridges
        return total * 0.75

    @cached_property
    def spindle(self) -> Array:
        """The spindles of cells in metaphase."""
        return self.canvas().lines(self.spindle_paths, 0.4).picture(0.25)

    @cached_property
    def bridges(self) -> Array:
        """The bridges between sister cells, dark in their middle where the midbody is."""
        return self.canvas().lines(self.bridge_paths, 0.4).picture(0.2)

    @cached_property
    def reticulum(self) -> Array:
        """The endoplasmic reticulum: a net, dense around the nucleus, that fades towards the periphery."""
        rng = self.rng("reticulum")
        fading = rng.uniform(8, 45)
        net = 0.75 + 0.3 * self.texture("grain", rng) + 0.25 * self.texture("fine", rng)
        net += rng.uniform(0.0, 0.2) * self.texture("medium", rng)
        near = np.exp(self.from_nucleus * (-1 / fading))
        picture = self.cytoplasm * self.thickness * near * np.clip(net, 0.03, None)
        if rng.random() < 0.15:  # vacuoles
            picture *= self.texture("medium", rng) < rng.uniform(0.9, 2.2)
        envelope = self.canvas().lines(self.nucleus_outlines[self.interphase], 0.5, closed=True).picture(0.3)
        return picture + 0.25 * envelope + rng.uniform(0.06, 0.26) * min(1.0, fading / 25) * self.nucleus

    @cached_property
    def chromatin(self) -> Array:
        """DNA: mottled, dense at the envelope, absent from nucleoli, packed in dividing cells."""
        rng = self.rng("chromatin")
        contrast = self.scene.cell_line.chromatin * rng.uniform(0.6, 1.4)
        mottle = contrast * (0.6 * self.texture("medium", rng) + 0.5 * self.texture("fine", rng))
        mottle += 0.5 * contrast * self.texture("coarse", rng)
        density = np.exp(0.22 * rng.standard_normal(len(self.scene.phase)))
        density = np.where(self.scene.phase == INTERPHASE, density, 1.5)
        levels = self.canvas().fill(self.nucleus_outlines, np.clip(density / 2, 0, 1)).picture(0.12)
        rim = self.canvas().lines(self.nucleus_outlines[self.interphase], 0.6, closed=True).picture(0.2)
        picture = 2 * levels * np.clip(1 + mottle + 0.25 * rim, 0.1, None)
        return picture * (1 - rng.uniform(0.45, 0.8) * self.nucleoli)
