"""A source that draws its images."""

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas
from keras_hpa.data import Samples, check_image_size, write_kaggle_folder
from keras_hpa.synthetic_atlas.compartments import Compartments
from keras_hpa.synthetic_atlas.label_sets import BALANCES, draw_labels
from keras_hpa.synthetic_atlas.layouts import write_layout
from keras_hpa.synthetic_atlas.microscope import take_picture
from keras_hpa.synthetic_atlas.protein import draw_pattern, draw_protein
from keras_hpa.synthetic_atlas.scene import CELL_LINES, FIELD, make_scene

_DRAWN_SIZE = 256  # pixels: smaller pictures are drawn this large and then reduced
_SMALLEST_SIZE = 32
_SPINDLE, _BRIDGE = atlas.CLASS_NAMES.index("Mitotic spindle"), atlas.CLASS_NAMES.index("Cytokinetic bridge")


class SyntheticAtlas:
    """Draws fields of cells that resemble those of the Human Protein Atlas: a data set without a download.

    Each sample shows 164 micrometres of a culture of one of seven kinds of cells in the four channels of
    `keras_hpa.atlas.CHANNELS`: microtubules, protein, nucleus and endoplasmic reticulum. The protein is drawn where the
    definitions of its classes place it, relative to the other channels. A simulated microscope then adds blur,
    bleed-through, uneven illumination and noise. Protein intensity varies widely, down to just above the background.

    A sample is a pure function of `seed`, its index and `image_size`; asking for other samples, in other orders or
    processes, changes nothing, and another `image_size` shows the same cells at another resolution. (A picture that
    is not square shows the upper or left part of the square field.)

    Args:
        num_samples: how many samples.
        image_size: height and width in pixels, or one number for both, at least 32. The atlas challenge has 512.
        seed: decides everything that is drawn, at least 0.
        balance: `"atlas"` draws label sets as often as they occur in the 31,072 training samples of the challenge;
            `"uniform"` makes all 28 classes equally frequent.
        wrong_labels: the share of samples, 0 to 1, whose `labels` are replaced by those of another random sample, to
            imitate annotation errors. The images show `true_labels`.
        fields_per_antibody: how many fields in a row show one antibody, as in the atlas: the same classes in the same
            proportions, the same cell line and nearly the same brightness, in other cells. They have one label set,
            right or wrong, and the group of their antibody. 1: every field has its own.
        mixed: the share of cells, from 0 to below 1, that are negative, in fields of mixed cells: every other cell
            shows one of its field's classes, and each class is shown by one cell at least. `None`: every cell shows all
            classes of its field. (Mitotic spindles and bridges are seen in dividing cells alone.)

    Attributes:
        samples: these images as `Samples`, with `labels`, the names of the classes and `groups`.
        labels: uint8 of shape `(num_samples, 28)`, with the wrong ones.
        true_labels: the same without errors: the classes that were drawn.
        groups: the antibody of each sample; `None` where every field has its own.
        ids: one id per sample.
        channels: `("red", "green", "blue", "yellow")`.

    Raises:
        TypeError, ValueError: if an argument is not of its kind or out of its range.

    Example:
        >>> drawn = SyntheticAtlas(100, image_size=(64, 64), balance="uniform")
        >>> drawn.read(0).shape, drawn.read(0).dtype, drawn.labels.shape
        ((64, 64, 4), dtype('uint8'), (100, 28))
        >>> train, validation = drawn.samples.split(validation_size=0.2)
        >>> len(train), len(validation)
        (81, 19)
        >>> sorted(drawn.masks(0))[:3]
        ['Actin filaments', 'Aggresome', 'Cell junctions']

    References:
        Ouyang et al., Analysis of the Human Protein Atlas Image Classification competition, Nature Methods 2019.
    """

    reads_in_processes = True

    def __init__(
        self,
        num_samples: int,
        *,
        image_size: int | tuple[int, int] = (512, 512),
        seed: int = 0,
        balance: Literal["atlas", "uniform"] = "atlas",
        wrong_labels: float = 0.0,
        fields_per_antibody: int = 1,
        mixed: float | None = None,
    ) -> None:
        self.num_samples = _check_count("num_samples", num_samples)
        self.image_size = check_image_size(image_size, _SMALLEST_SIZE)
        self.seed = _check_count("seed", seed)
        if balance not in BALANCES:
            raise ValueError(f"`balance` must be one of {BALANCES}. Received: {balance!r}")
        self.balance = balance
        if not isinstance(wrong_labels, int | float) or not 0 <= wrong_labels <= 1:
            raise ValueError(f"`wrong_labels` must be a number from 0 to 1. Received: {wrong_labels!r}")
        self.wrong_labels = float(wrong_labels)
        if mixed is not None and (not isinstance(mixed, int | float) or not 0 <= mixed < 1):
            raise ValueError(f"`mixed` must be None or a number from 0 to below 1. Received: {mixed!r}")
        self.mixed = mixed
        self.channels: tuple[str, ...] = atlas.CHANNELS
        self.ids: Sequence[str] = tuple(f"synthetic-{self.seed}-{index:06d}" for index in range(self.num_samples))
        self.fields_per_antibody = _check_count("fields_per_antibody", fields_per_antibody, least=1)
        antibodies = np.arange(self.num_samples) // self.fields_per_antibody
        self.groups: list[str] | None = None
        if self.fields_per_antibody > 1:
            self.groups = [f"antibody-{self.seed}-{antibody:06d}" for antibody in antibodies]
        count = -(-self.num_samples // self.fields_per_antibody)
        self.true_labels = draw_labels(count, balance, self.seed)[antibodies]
        wrong = np.random.default_rng([self.seed, 0xBAD]).random(count) < self.wrong_labels
        others = draw_labels(count, balance, self.seed + 0x5EED)
        self.labels = np.where(wrong[antibodies, None], others[antibodies], self.true_labels)

    def __len__(self) -> int:
        return self.num_samples

    def __repr__(self) -> str:
        return f"SyntheticAtlas({self.num_samples} samples of {self.image_size}, seed={self.seed})"

    @property
    def samples(self) -> Samples:
        return Samples(self, self.labels, class_names=atlas.CLASS_NAMES, groups=self.groups)

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        """Draws a sample: uint8 of shape `(height, width, 4)`, channels as in `channels`."""
        index = self._check_index(index)
        cells = self._compartments(index)
        stained = np.empty((*cells.shape, 4), np.float32)
        red, blue, yellow = _STAIN_GAIN
        free = cells.thickness * (cells.cytoplasm + 0.6 * cells.nucleus)
        uptake = 2 * cells.per_cell(cells.uptake / 2)
        stained[..., 0] = (cells.microtubules + 0.16 * free) * uptake * red
        classes = np.flatnonzero(self.true_labels[index]).tolist()
        shown = None if self.mixed is None else self._classes_of_cells(index, cells)
        stained[..., 1] = draw_protein(cells, classes, self._antibody(index, "protein"), shown)
        stained[..., 2] = cells.chromatin * blue
        stained[..., 3] = cells.reticulum * uptake * yellow
        antibody = self._antibody(index, "exposure")
        settings = antibody or cells.rng("exposure")
        exposure = np.exp(np.array([0.45, 0.0, 0.4, 0.45]) * np.clip(settings.standard_normal(4), -2.5, 1.8))
        exposure[1] = np.exp(settings.uniform(np.log(0.12), np.log(0.7)))
        if settings.random() < 0.04:  # a field that was hardly stained
            exposure *= settings.uniform(0.08, 0.4)
        if antibody:
            exposure *= np.exp(0.08 * cells.rng("exposure").standard_normal(4))
        height, width = self.image_size
        return take_picture(
            stained,
            self.image_size,
            FIELD / max(self.image_size),
            exposure=exposure,
            optics=cells.rng("optics"),
            noise=np.random.default_rng([self.seed, index, height, width]),
        )

    def pixel_size(self, index: int) -> float:
        """Gives the micrometres that a pixel spans."""
        self._check_index(index)
        return FIELD / max(self.image_size)

    def masks(self, index: int) -> dict[str, npt.NDArray[np.bool_]]:
        """The compartments that were drawn in a sample, as boolean masks of shape `(height, width)`.

        `"cell"`, `"nucleus"` and `"nucleolus"`, and for each of the 28 classes, by name, where its protein would be
        in these cells, whether the sample has the class or not.
        """
        cells = self._compartments(self._check_index(index))
        pictures = {"cell": cells.body, "nucleus": cells.nucleus, "nucleolus": cells.nucleoli}
        pictures |= {name: draw_pattern(cells, class_id) for class_id, name in enumerate(atlas.CLASS_NAMES)}
        return {name: _to_mask(_reduce(picture, self.image_size)) for name, picture in pictures.items()}

    def cell_labels(self, index: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The cells that were drawn in a sample, one by one: what a perfect segmentation would find.

        Two label images of shape `(height, width)`: the nuclei (of cells in metaphase the chromosomes) and the cells
        with their nuclei. 0 lies outside; 1, 2, ... are the cells that reach into the field, the same in both. A cell
        whose nucleus lies outside the field has its number in the second only.
        """
        return self._compartments(self._check_index(index)).labels(self.image_size)

    def cell_classes(self, index: int) -> npt.NDArray[np.uint8]:
        """Which classes each cell of a sample shows: uint8 of shape `(num_cells, 28)`, a row of zeros if negative.

        The rows are the cells 1, 2, ... of `cell_labels`.
        """
        index = self._check_index(index)
        cells = self._compartments(index)
        return self._classes_of_cells(index, cells)[cells.labelled(self.image_size)]

    def _classes_of_cells(self, index: int, cells: Compartments) -> npt.NDArray[np.uint8]:
        """The same for all cells of the scene."""
        labels, center = self.true_labels[index], cells.scene.center
        if self.mixed is None:
            return np.tile(labels, (len(center), 1))
        rng = cells.rng("cell classes")
        classes = rng.permutation(np.flatnonzero(labels))
        order = rng.permutation(len(center))
        height, width = self.image_size
        corner = FIELD * np.array([width, height]) / max(height, width)
        inside = np.all((center > 0) & (center < corner), axis=1)
        order = order[np.argsort(np.logical_not(inside[order]), kind="stable")]  # those in view first
        shown = np.zeros((len(center), len(labels)), np.uint8)
        shown[order, rng.choice(classes, len(order))] = 1
        shown[rng.random(len(center)) < self.mixed] = 0
        first = order[: len(classes)]
        shown[first] = 0
        shown[first, classes[: len(first)]] = 1
        return shown

    def save(self, root: str | Path, *, layout: str = "kaggle", num_test: int = 0) -> None:
        """Writes the samples as laboratories keep theirs, so that everything can be tried without data.

        - "kaggle", for `load_kaggle`: `train.csv`, and a PNG per channel in `train/`.
        - "hyperstacks", for `load_table`: ImageJ's ZCYX stacks of three planes in `images/`, and `labels.csv` with a
          column of 1 and 0 per class.
        - "five channels", for `load_table`: TIFFs of 12 bits in 16 in `images/`, the fifth channel the others' mean,
          and `labels.csv` with a column `location`.
        - "paths", for `load_table`: a PNG per channel, and `table.csv` with a column of paths for each.
        - "class folders", for `load_folder`: OME-TIFFs in a folder per class, the first that a sample has.
        - "harmony" and "metaxpress", for `load_folder`: a plate of 16 bits, and `wells.csv` with a row per well.
        - "ome-zarr", for `load_ome_zarr`: `plate.zarr` of version 0.4, and `wells.csv`.

        On a plate, samples of the same labels share a well. Only "kaggle" shows a progress bar and goes on where it was
        stopped, as `write_kaggle_folder(samples, root)` does.

        Args:
            root: the folder. It must not exist, be empty, or hold what an earlier call with the same arguments left
                ("kaggle").
            layout: one of these.
            num_test: how many of the samples, the last ones, form the test set of "kaggle".

        Raises:
            ImportError: if zarr is not installed for "ome-zarr".
            ValueError: if `layout` is none of these, `num_test` is out of range or given for another, there are more
                wells than a plate has, or the folder holds something else.
        """
        if layout == "kaggle":
            write_kaggle_folder(self.samples, root, num_test=num_test)
            return
        if num_test:
            raise ValueError(f"`num_test` must be left out where `layout` is {layout!r}. Received: {num_test!r}")
        write_layout(self.samples, root, layout)

    def _compartments(self, index: int) -> Compartments:
        pixel = FIELD / max(self.image_size)
        finer = -(-_DRAWN_SIZE // max(self.image_size))
        height, width = self.image_size
        labels = self.true_labels[index]
        rng = np.random.default_rng([self.seed, index])
        divisions = rng.poisson(0.35) + 2 * labels[_SPINDLE], rng.poisson(0.2) + 2 * labels[_BRIDGE]
        antibody = self._antibody(index, "cell line")
        line = CELL_LINES[antibody.integers(len(CELL_LINES))] if antibody else None
        scene = make_scene(rng, (int(divisions[0]), int(divisions[1])), line)
        return Compartments(scene, (height * finer, width * finer), pixel / finer, (self.seed, index))

    def _antibody(self, index: int, subject: str) -> np.random.Generator | None:
        """Decides what the fields of one antibody have in common; `None` where every field has its own."""
        if self.fields_per_antibody == 1:
            return None
        return np.random.default_rng([self.seed, index // self.fields_per_antibody, 0xAB, *subject.encode()])

    def _check_index(self, index: int) -> int:
        number = operator.index(index)
        if not -self.num_samples <= number < self.num_samples:
            raise IndexError(f"`index` must lie in 0 to {self.num_samples - 1}. Received: {index}")
        return number % self.num_samples


_STAIN_GAIN = (0.56, 0.42, 0.46)  # red, blue, yellow at an average exposure


def _reduce(picture: npt.NDArray[np.float32], image_size: tuple[int, int]) -> npt.NDArray[np.float32]:
    factor = picture.shape[0] // image_size[0]
    return picture.reshape(image_size[0], factor, image_size[1], factor).mean((1, 3))


def _to_mask(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Structures smaller than a pixel nowhere reach full brightness, so the threshold gives way to them."""
    return np.asarray(picture > max(min(0.3, 0.4 * picture.max()), 1e-3))


def _check_count(name: str, value: int, least: int = 0) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"`{name}` must be a whole number. Received: {value!r}") from None
    if number < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {value!r}")
    return number
