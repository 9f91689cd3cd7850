"""Single cells as samples."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.cells.field_cells import FieldCells
from keras_hpa.cells.label_image import MeasuredCells, measure_cells
from keras_hpa.cells.masks import Masks, open_masks
from keras_hpa.data import Samples, Source, check_image_size, pixel_size_of, select_channels

_MOST_THREADS = 8
_COLUMNS = ("field", "cell", "top", "left", "bottom", "right", "area", "row", "column", "touches_border")
_OUTSIDE, _BORDER, _PIECES = ("keep", "zero"), ("keep", "flag", "drop"), ("error", "largest")


class CellCrops(Samples):
    """The cells of images as samples: each is a window around one cell, which its mask says.

    These are `Samples`, so they are selected, split, packed and batched like any others. All cells of a field stay in
    one part of a split: they are one group, unless the fields have groups, which are kept then. A crop has the labels
    of its field, as nothing else is known of it: what is true of a field need not be true of each of its cells. Known
    labels of cells go into `Samples(crops.source, labels, groups=crops.groups, metadata=crops.metadata)`.

    A crop shows the middle of its cell's box in its middle, and zeros where it reaches out of the field. All crops have
    one scale, the fields' own or that of `pixel_size`. Only a cell that would not fit is shown smaller, whole; the log
    says how many are. Fields are read in order: crops of one field one after another read it once. For training in
    random order, pack them: `crops.packed(path)`.

    `metadata` has for each crop the id of its "field", its label in the mask as "cell", the box as "top", "left",
    "bottom" and "right" (half open), the "area", the centroid as "row" and "column", all in pixels of the field, and
    whether it "touches_border"; and the field's own metadata, with "field " in front of names that are taken.

    Args:
        samples: the fields: `Samples`, or any source.
        masks: their label images: 0 for the background, a number for each cell. A folder, in which the files of a
            sample are found by its id: `{id}_cp_masks` as Cellpose writes them, `{id}_cellmask` of
            HPA-Cell-Segmentation, `{id}_masks`, `{id}_mask`, `{id}_labels`, or else `{id}`, as PNG, TIFF or NPY. A path
            with `{id}` in it: `"masks/{id}_blue_cp_masks.png"`. A mapping from ids to arrays or paths, or a list of
            these in the order of the samples. Samples of one channel with the same ids, such as `load_folder` gives.
            Or a function that is given an image of shape `(height, width, channels)` and returns its labels; it is
            called once for each field.
        size: height and width of a crop in pixels, or one number for both.
        pixel_size: micrometres per pixel of all crops; the fields' own pixels unless given. What cannot be met exactly
            is rounded to whole pixels of the field; `crops.pixel_size(index)` is what came out.
        margin: how many pixels of a crop, at least, are around the box of its cell.
        outside: "keep", or "zero" to show nothing but the cell.
        border: what becomes of cells that touch the border of their field, and of which a part may not be seen: "keep";
            "flag", whose labels become -1, unknown, so that they count for nothing in losses and metrics; or "drop".
        pieces: what becomes of a cell in several pieces: "error", or "largest" for its largest piece.

    Attributes:
        fields: the fields, as `Samples`.
        fields_without_cells: the ids of those that have no cell, or none left. The log tells them too.
        unused_masks: the masks in the folder or mapping that belong to no sample. The log tells them too.

    Raises:
        FileNotFoundError, ValueError: if a sample has no mask; or one that is not of whole numbers, one for each pixel
            of its image; that shows a cell in several pieces; or that has more than 65,535 cells. The message names
            the sample. Or if no cell is left, or `pixel_size` is given and that of a field is not known. From `read`
            too, if an image or a mask is another one by then.

    Example:
        >>> from keras_hpa import ArraySource
        >>> image = np.full((12, 12, 1), 9, "uint8")
        >>> mask = np.zeros((12, 12), "uint16")
        >>> mask[2:5, 3:6], mask[8:12, 8:12] = 1, 2
        >>> crops = CellCrops(ArraySource([image], ["A01"]), {"A01": mask}, size=4, outside="zero")
        >>> crops.ids, crops.metadata["touches_border"]
        (('A01/1', 'A01/2'), [False, True])
        >>> crops.read(0)[..., 0]
        array([[9, 9, 9, 0],
               [9, 9, 9, 0],
               [9, 9, 9, 0],
               [0, 0, 0, 0]], dtype=uint8)
    """

    source: FieldCells

    def __init__(
        self,
        samples: Source,
        masks: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | Source | Callable[[npt.NDArray[Any]], Any],
        *,
        size: int | tuple[int, int],
        pixel_size: float | None = None,
        margin: int = 0,
        outside: Literal["keep", "zero"] = "keep",
        border: Literal["keep", "flag", "drop"] = "keep",
        pieces: Literal["error", "largest"] = "error",
    ):
        self.fields = samples if isinstance(samples, Samples) else Samples(samples)
        size = check_image_size(size, name="size")
        if isinstance(margin, bool) or not isinstance(margin, (int, np.integer)) or not 0 <= 2 * margin < min(size):
            raise ValueError(f"`margin` must be pixels, less than half of `size`. Received: {margin!r} of {size}")
        for name, given, known in (
            ("outside", outside, _OUTSIDE),
            ("border", border, _BORDER),
            ("pieces", pieces, _PIECES),
        ):
            if given not in known:
                raise ValueError(f"`{name}` must be one of {list(known)}. Received: {given!r}")
        scales = _scales(self.fields, pixel_size)
        opened = open_masks(masks, self.fields)
        self.unused_masks = opened.unused
        measured, shapes = _measure(self.fields, opened, pieces)
        is_at_border = [_touches_border(cells.boxes, shape) for cells, shape in zip(measured, shapes, strict=True)]
        kept = [~at_border if border == "drop" else at_border | True for at_border in is_at_border]
        positions = np.repeat(np.arange(len(measured)), [int(one.sum()) for one in kept])
        labels, boxes, areas, centroids = (
            np.concatenate([getattr(cells, name)[one] for cells, one in zip(measured, kept, strict=True)])
            for name in ("labels", "boxes", "areas", "centroids")
        )
        at_border = np.concatenate([one[those] for one, those in zip(is_at_border, kept, strict=True)])
        left_over = set(positions.tolist())
        ids = self.fields.ids
        self.fields_without_cells = tuple(one for position, one in enumerate(ids) if position not in left_over)
        if not len(labels):
            whose = "that does not touch the border " if border == "drop" else ""
            raise ValueError(f"`masks` must show a cell {whose}in one field at least. Received: none in {len(ids)}")
        windows, is_smaller = _windows(boxes, size, int(margin), scales[positions])
        _tell(self.unused_masks, self.fields_without_cells, boxes[is_smaller], size, int(margin), len(labels))
        field_ids = [ids[position] for position in positions]
        source = FieldCells(
            self.fields,
            opened,
            ids=tuple(f"{field}/{label}" for field, label in zip(field_ids, labels, strict=True)),
            positions=positions,
            labels=labels,
            boxes=boxes,
            areas=areas,
            windows=windows,
            shapes=np.array(shapes, np.int64),
            size=size,
            outside=outside,
            pieces=pieces,
        )
        columns = (field_ids, labels, *boxes.T, areas, *centroids.T, at_border)
        table = {name: np.asarray(cells).tolist() for name, cells in zip(_COLUMNS, columns, strict=True)}
        for name, values in self.fields.metadata.items():
            own = f"field {name}" if name in _COLUMNS else name
            table[own] = [values[position] for position in positions]
        field_labels = None if self.fields.labels is None else self.fields.labels[positions]
        if field_labels is not None and border == "flag":
            field_labels[at_border] = -1
        groups = field_ids if self.fields.groups is None else [self.fields.groups[position] for position in positions]
        super().__init__(source, field_labels, class_names=self.fields.class_names, groups=groups, metadata=table)

    def mask(self, index: int) -> npt.NDArray[np.bool_]:
        """Gives which pixels of a crop are of its cell, of shape `size`: just those that `outside="zero"` shows."""
        return self.source.mask(index)

    def label_image(self, field_id: str) -> npt.NDArray[Any]:
        """Gives the mask of a field, in the field's own pixels."""
        if field_id not in self.fields.ids:
            raise ValueError(f"`field_id` must be the id of a field. Received: {field_id!r}")
        return self.source.label_image(self.fields.ids.index(field_id))


def _scales(fields: Samples, pixel_size: float | None) -> npt.NDArray[np.float64]:
    """How many pixels of its field a pixel of a crop spans, for each field."""
    if pixel_size is None:
        return np.ones(len(fields))
    is_number = isinstance(pixel_size, (int, float, np.integer, np.floating)) and not isinstance(pixel_size, bool)
    if not is_number or not 0 < pixel_size < np.inf:
        raise ValueError(f"`pixel_size` must be micrometres per pixel, a positive number. Received: {pixel_size!r}")
    own = [pixel_size_of(fields, index) for index in range(len(fields))]
    if None in own:
        raise ValueError(
            "`pixel_size` must be known of every field, such as by `Samples(..., pixel_sizes=0.325)`. "
            f"Received: None for sample {fields.ids[own.index(None)]!r}"
        )
    return float(pixel_size) / np.array(own, np.float64)


def _measure(fields: Samples, masks: Masks, pieces: str) -> tuple[list[MeasuredCells], list[tuple[int, int]]]:
    """Reads every mask, and one channel of every image to see that they fit."""
    first_channel = select_channels(fields, fields.channels[:1])

    def measure(index: int) -> tuple[MeasuredCells, tuple[int, int]]:
        whose = f"The mask of sample {fields.ids[index]!r}"
        labels = masks.read(index)
        height, width = first_channel.read(index).shape[:2]
        if labels.shape != (height, width):
            turned = "; its axes are exchanged" if labels.shape == (width, height) else ""
            raise ValueError(
                f"{whose} must have the size of its image, {height} x {width}{turned}. "
                f"Received: {labels.shape[0]} x {labels.shape[1]}"
            )
        return measure_cells(labels, whose, pieces), (height, width)

    num_threads = min(_MOST_THREADS, os.cpu_count() or 1) if masks.is_parallel else 1
    executor = ThreadPoolExecutor(num_threads)
    try:
        found = list(executor.map(measure, range(len(fields))))
    finally:
        executor.shutdown(cancel_futures=True)
    return [cells for cells, _ in found], [shape for _, shape in found]


def _touches_border(boxes: npt.NDArray[Any], shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray((boxes[:, :2] == 0).any(axis=1) | (boxes[:, 2:] == shape).any(axis=1))


def _windows(
    boxes: npt.NDArray[Any], size: tuple[int, int], margin: int, scales: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """What is cut out for each cell, and whether it is shown smaller than asked for, as it would not fit."""
    sides, lengths = np.array(size), boxes[:, 2:] - boxes[:, :2]
    needed = (lengths / (sides - 2 * margin)).max(axis=1)
    is_smaller = needed > scales
    spans = np.rint(sides * np.maximum(scales, needed)[:, None]).astype(np.int64)
    spans = np.maximum(spans, -(-lengths * sides // (sides - 2 * margin)))
    starts = boxes[:, :2] - (spans - lengths) // 2
    return np.concatenate([starts, starts + spans], axis=1), is_smaller


def _tell(
    unused: Sequence[str],
    without_cells: Sequence[str],
    too_large: npt.NDArray[Any],
    size: tuple[int, int],
    margin: int,
    num_cells: int,
) -> None:
    """Says in the log what is otherwise not seen."""
    log = logging.getLogger(__name__)
    if unused:
        log.warning("%d masks belong to no sample, the first of them %r", len(unused), unused[0])
    if without_cells:
        log.warning("%d fields have no cells, the first of them sample %r", len(without_cells), without_cells[0])
    if len(too_large):
        longest = int((too_large[:, 2:] - too_large[:, :2]).max())
        log.warning(
            "%d of %d cells are shown smaller than the others, as they do not fit into %d x %d with a margin of %d: "
            "the longest has %d pixels",
            len(too_large),
            num_cells,
            *size,
            margin,
            longest,
        )
