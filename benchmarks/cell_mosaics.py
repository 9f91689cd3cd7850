"""Fields of real cells of several patterns, of which the class of every cell is known."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from trials import in_memory

from keras_hpa import ArraySource, Samples, SyntheticAtlas, atlas
from keras_hpa.cells import CellCrops

_CLASSES = (
    *("Nucleoplasm", "Nuclear membrane", "Nucleoli", "Golgi apparatus"),
    *("Microtubules", "Plasma membrane", "Mitochondria", "Centrosome"),
)
_BLOCK = 100  # ids: neighbours often come from one specimen
_SHARES = {"train": 0.5, "validation": 0.17, "test": 0.33}
_CELL, _FIELD = 60, 224  # pixels


@dataclass
class KnownCells:
    """Fields with their labels, and their cells, cut out, with labels of their own."""

    fields: Samples
    cells: Samples

    @classmethod
    def cut(cls, fields: Samples, masks: list[np.ndarray], classes: list[np.ndarray], size: int) -> "KnownCells":
        """`classes` has a row for each cell of a field, in the order of their numbers in its mask."""
        crops = CellCrops(fields, masks, size=size, border="drop", pieces="largest")
        position = {field: number for number, field in enumerate(fields.ids)}
        places = zip(crops.metadata["field"], crops.metadata["cell"], strict=True)
        labels = np.array([classes[position[field]][cell - 1] for field, cell in places])
        images = ArraySource(
            np.stack([crops.read(index) for index in range(len(crops))]), crops.ids, channels=fields.channels
        )
        return cls(fields, Samples(images, labels, class_names=fields.class_names, metadata=crops.metadata))


class Hep2Mosaics:
    """Fields of 4 to 16 real HEp-2 cells of two or three patterns: at random places, turned, partly overlapping.

    The blocks of ids of each pattern are dealt to the parts, so that no part has cells of another's specimens.
    """

    size = 56  # of a crop

    def __init__(self, root: Path, seed: int) -> None:
        with np.load(root / "hep2" / "cells_dev.npz") as file:
            self.images, self.labels = file["images"], file["labels"]
            self.class_names = [str(name) for name in file["class_names"]]
            blocks = file["ids"] // _BLOCK
        rng = np.random.default_rng([seed, 0])
        self.seed = seed
        self.part = np.full(len(self.labels), "", dtype="U10")
        for label in range(len(self.class_names)):
            own = self.labels == label
            order = rng.permutation(np.unique(blocks[own]))
            bounds = np.rint(np.cumsum(list(_SHARES.values())) * len(order)).astype(int)
            for part, some in zip(_SHARES, np.split(order, bounds[:-1]), strict=True):
                self.part[own & np.isin(blocks, some)] = part

    def part_of(self, name: str, num_fields: int) -> KnownCells:
        rng = np.random.default_rng([self.seed, 1, list(_SHARES).index(name)])
        drawn = [self._field(name, rng) for _ in range(num_fields)]
        images, masks, classes = (list(column) for column in zip(*drawn, strict=True))
        source = ArraySource(np.stack(images)[..., None], [f"{name}-{number:04}" for number in range(num_fields)])
        labels = np.stack([one.max(axis=0) for one in classes])
        return KnownCells.cut(Samples(source, labels, class_names=self.class_names), masks, classes, self.size)

    def _field(self, part: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        patterns = rng.permutation(len(self.class_names))[: rng.integers(2, 4)]
        wanted = np.concatenate([patterns, rng.choice(patterns, rng.integers(4, 17) - len(patterns))])
        field = np.full((_FIELD, _FIELD), rng.uniform(5, 30), np.float32)
        mask, classes, places = np.zeros(field.shape, np.int32), [], []
        for pattern in wanted:
            for _ in range(200):
                place = rng.uniform(_CELL * 0.5, _FIELD - _CELL * 0.5, 2)
                if all(np.hypot(*(place - other)) > 0.55 * _CELL for other in places):
                    break
            else:
                break  # the field is full
            places.append(place)
            cell = rng.choice(np.flatnonzero((self.labels == pattern) & (self.part == part)))
            side = self.images.shape[1]
            turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), rng.uniform(0, 360), _CELL / side)
            turn[:, 2] += place - (side - 1) / 2
            picture = cv2.warpAffine(
                self.images[cell], turn, field.shape, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT_101
            )
            distance = np.hypot(*(np.indices(field.shape)[::-1] - place[:, None, None]))
            alpha = np.clip((0.5 * _CELL - distance) / 6, 0, 1).astype(np.float32)
            field += alpha * (picture - field)
            mask[distance < 0.42 * _CELL] = len(places)
            classes.append(np.eye(len(self.class_names), dtype=np.int8)[pattern])
        noisy = field + rng.normal(0, 2, field.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8), mask, np.array(classes)


class MixedDrawings:
    """Drawn fields of two of eight classes: a third of the cells is negative, each other cell has one of the two.

    The channels are protein and nucleus, the square roots of their intensities, so that dim fields are seen.
    """

    size = 40

    def __init__(self, seed: int) -> None:
        self.drawn = SyntheticAtlas(60_000, image_size=160, balance="uniform", seed=seed, mixed=1 / 3)
        self.columns = [atlas.CLASS_NAMES.index(name) for name in _CLASSES]
        labels = self.drawn.true_labels
        wanted = (labels.sum(axis=1) == 2) & (labels[:, self.columns].sum(axis=1) == 2)
        self.unused = np.flatnonzero(wanted).tolist()

    def part_of(self, name: str, num_fields: int) -> KnownCells:
        chosen, self.unused = self.unused[:num_fields], self.unused[num_fields:]
        images = in_memory(self.drawn.read, chosen)[..., [1, 2]]
        dim = np.rint(np.sqrt(images * 255.0)).astype(np.uint8)  # the brightest and the dimmest fields are nearer
        source = ArraySource(dim, [self.drawn.ids[one] for one in chosen], channels=["protein", "nucleus"])
        fields = Samples(source, self.drawn.true_labels[chosen][:, self.columns], class_names=_CLASSES)
        masks = [self.drawn.cell_labels(one)[1] for one in chosen]
        classes = [self.drawn.cell_classes(one)[:, self.columns] for one in chosen]
        return KnownCells.cut(fields, masks, classes, self.size)
