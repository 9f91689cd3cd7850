"""A source that cuts cells out of the images of another."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.cells.label_image import largest_piece
from keras_hpa.cells.last_read import LastRead
from keras_hpa.cells.masks import Masks
from keras_hpa.data import Source, pixel_size_of, resize_image, select_channels


class FieldCells:
    """Cuts a window around each cell out of its field, and brings it to one size.

    Args:
        fields: the images.
        masks: their label images.
        ids: of the cells.
        positions: for each cell the position of its field in `fields`.
        labels: its label in the mask.
        boxes: its box: top, left, bottom, right, in pixels of the field.
        areas: in pixels of the field.
        windows: what is cut out for it, in the form of a box; it may reach out of the field.
        shapes: height and width of each field.
        size: height and width of a crop.
        outside: "keep" or "zero".
        pieces: "error" or "largest".
    """

    def __init__(
        self,
        fields: Source,
        masks: Masks,
        *,
        ids: tuple[str, ...],
        positions: npt.NDArray[np.int64],
        labels: npt.NDArray[np.int64],
        boxes: npt.NDArray[np.int64],
        areas: npt.NDArray[np.int64],
        windows: npt.NDArray[np.int64],
        shapes: npt.NDArray[np.int64],
        size: tuple[int, int],
        outside: str,
        pieces: str,
    ):
        self.fields = fields
        self.masks = masks
        self.ids = ids
        self.positions = positions
        self.labels = labels
        self.boxes = boxes
        self.areas = areas
        self.windows = windows
        self.shapes = shapes
        self.size = size
        self.outside = outside
        self.pieces = pieces
        self._images, self._label_images = LastRead(fields), LastRead(masks)

    @property
    def channels(self) -> tuple[str, ...]:
        return self.fields.channels

    @property
    def reads_in_processes(self) -> bool:
        return getattr(self.fields, "reads_in_processes", False)

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        filled: dict[str, list[str]] = {}
        for field_id, channel in getattr(self.fields, "filled", ()):
            filled.setdefault(field_id, []).append(channel)
        field_ids = self.fields.ids
        return frozenset(
            (cell_id, channel)
            for cell_id, position in zip(self.ids, self.positions, strict=True)
            for channel in filled.get(field_ids[position], ())
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<{len(self)} cells of {self.size[0]} x {self.size[1]} pixels, from {self.fields!r}>"

    def select_channels(self, names: Sequence[str]) -> FieldCells:
        selected = copy.copy(self)
        selected.fields = select_channels(self.fields, names)
        selected._images = LastRead(selected.fields)
        return selected

    def pixel_size(self, index: int) -> float | None:
        own = pixel_size_of(self.fields, int(self.positions[index]))
        return None if own is None else own * self.scale(index)

    def scale(self, index: int) -> float:
        """How many pixels of the field a pixel of the crop spans."""
        top, left, bottom, right = self.windows[index].tolist()
        return float(np.sqrt((bottom - top) / self.size[0] * (right - left) / self.size[1]))

    def read(self, index: int) -> npt.NDArray[Any]:
        position = int(self.positions[index])
        image = self._images.read(position)
        self._check_shape(image.shape[:2], position)
        crop = resize_image(_cut(image, self.windows[index]), self.size)
        if self.outside == "zero":
            np.putmask(crop, np.repeat(~self.mask(index), crop.shape[2]), 0)  # twice as fast as an index of booleans
        return crop

    def mask(self, index: int) -> npt.NDArray[np.bool_]:
        """Gives the pixels of a crop that are of its cell: those of which it covers half, and one at least."""
        top, left, bottom, right = self.windows[index].tolist()
        cell, at_row, at_column = self.cell(index), self.boxes[index, 0] - top, self.boxes[index, 1] - left
        shown = np.zeros((bottom - top, right - left, 1), np.float32)
        shown[at_row : at_row + cell.shape[0], at_column : at_column + cell.shape[1], 0] = cell
        covered = resize_image(shown, self.size)[..., 0]
        return np.asarray(covered >= min(0.5, covered.max()))

    def cell(self, index: int) -> npt.NDArray[np.bool_]:
        """Gives the cell's own pixels within its box, in the field's scale."""
        position, number = int(self.positions[index]), self.labels[index]
        label_image = self.label_image(position)
        top, left, bottom, right = self.boxes[index].tolist()
        cell = label_image[top:bottom, left:right] == number
        if self.pieces == "largest":
            cell = largest_piece(cell)
        if np.count_nonzero(cell) != self.areas[index]:
            raise ValueError(
                f"The mask of sample {self.fields.ids[position]!r} must be the one that the crops were made from. "
                f"Received: label {number} with {np.count_nonzero(cell)} pixels, not {self.areas[index]}"
            )
        return cell

    def label_image(self, position: int) -> npt.NDArray[Any]:
        """Gives the mask of a field."""
        label_image = self._label_images.read(position)
        self._check_shape(label_image.shape, position)
        return label_image

    def _check_shape(self, shape: Any, position: int) -> None:
        if tuple(shape) != tuple(self.shapes[position]):
            raise ValueError(
                f"Sample {self.fields.ids[position]!r} and its mask must be those that the crops were made from. "
                f"Received: shape {tuple(shape)}, not {tuple(self.shapes[position].tolist())}"
            )


def _cut(image: npt.NDArray[Any], window: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copies a window, of which what lies outside of the image is 0."""
    top, left, bottom, right = window.tolist()
    cut = np.zeros((bottom - top, right - left, image.shape[2]), image.dtype)
    inside = image[max(top, 0) : bottom, max(left, 0) : right]
    at_row, at_column = max(-top, 0), max(-left, 0)
    cut[at_row : at_row + inside.shape[0], at_column : at_column + inside.shape[1]] = inside
    return cut
