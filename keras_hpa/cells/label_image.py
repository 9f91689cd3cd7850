"""What a label image must be, and what it says of its cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_CELLS = 65_535
_LARGEST_LISTED = 2**22  # label for which a list of all labels up to it is made


@dataclass
class MeasuredCells:
    """The cells of a label image: for each its label, its box, half open, in pixels, its area and its centroid."""

    labels: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]  # top, left, bottom, right
    areas: npt.NDArray[np.int64]
    centroids: npt.NDArray[np.float64]  # row, column: a pixel's centre has whole numbers


def check_label_image(labels: Any, whose: str) -> npt.NDArray[Any]:
    """Gives a label image as an array of shape `(height, width)`; refuses what is none, naming whose mask it is."""
    if isinstance(labels, (tuple, list, dict)) or labels is None:
        raise ValueError(
            f"{whose} must be one array of labels, such as the first thing that Cellpose and StarDist return. "
            f"Received: {type(labels).__name__}"
        )
    array = np.asarray(labels)
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 2 or not array.size:
        raise ValueError(
            f"{whose} must have shape (height, width), a label per pixel; outlines and overlays in colour are no "
            f"masks. Received: shape {array.shape}"
        )
    if array.dtype == bool:
        raise ValueError(
            f"{whose} must say which pixel is of which cell, and not only which are of cells; "
            "`skimage.measure.label` parts cells that do not touch. Received: True and False"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"{whose} must hold whole numbers, 0 for the background and one for each cell; probabilities are no "
            f"masks. Received: {array.dtype}"
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(f"{whose} must hold 0 for the background and no negative label. Received: {array.min()}")
    if array.dtype.kind == "u" and array.max() > np.iinfo(np.int64).max:
        raise ValueError(f"{whose} must hold labels below 2 ** 63. Received: {array.max()}")
    return array


def measure_cells(labels: npt.NDArray[Any], whose: str, pieces: str = "error") -> MeasuredCells:
    """Measures the cells of a checked label image, in the order of their labels."""
    from scipy import ndimage

    if int(labels.max()) > _LARGEST_LISTED:
        numbers, dense = np.unique(labels, return_inverse=True)
        dense = dense.reshape(labels.shape) + int(numbers[0] != 0)
        numbers = numbers[numbers > 0].astype(np.int64)
        boxes_found = ndimage.find_objects(dense)
    else:
        listed = ndimage.find_objects(labels.astype(np.int32, copy=False))
        numbers = np.array([number for number, box in enumerate(listed, 1) if box is not None], np.int64)
        boxes_found = [box for box in listed if box is not None]
    if len(numbers) > MOST_CELLS:
        raise ValueError(f"{whose} must have at most {MOST_CELLS} cells. Received: {len(numbers)}")
    boxes, areas, centroids = [], [], []
    for number, (rows, columns) in zip(numbers, boxes_found, strict=True):
        cell = labels[rows, columns] == number
        num_pieces = _count_pieces(cell)
        if num_pieces > 1:
            if pieces == "error":
                raise ValueError(_in_pieces(whose, int(number), num_pieces, len(numbers)))
            cell = largest_piece(cell)
        at_rows, at_columns = cell.any(axis=1).nonzero()[0], cell.any(axis=0).nonzero()[0]
        box = [at_rows[0], at_columns[0], at_rows[-1] + 1, at_columns[-1] + 1]
        area = int(np.count_nonzero(cell))
        middle = (
            cell.sum(axis=1) @ np.arange(cell.shape[0]) / area,
            cell.sum(axis=0) @ np.arange(cell.shape[1]) / area,
        )
        start = rows.start, columns.start
        boxes.append(np.add(box, start * 2))
        areas.append(area)
        centroids.append(np.add(middle, start))
    return MeasuredCells(
        numbers,
        np.array(boxes, np.int64).reshape(-1, 4),
        np.array(areas, np.int64),
        np.array(centroids, np.float64).reshape(-1, 2),
    )


def largest_piece(cell: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Leaves the largest of the pieces that a mask consists of, the first of two of one size."""
    from scipy import ndimage

    numbered, num_pieces = ndimage.label(cell, np.ones((3, 3)))
    if num_pieces < 2:
        return cell
    return numbered == np.bincount(numbered.ravel())[1:].argmax() + 1


def _count_pieces(cell: npt.NDArray[np.bool_]) -> int:
    """How many pieces a mask has; pixels that touch at a corner are of one piece."""
    from scipy import ndimage

    return 1 if cell.all() else ndimage.label(cell, np.ones((3, 3)))[1]


def _in_pieces(whose: str, number: int, num_pieces: int, num_cells: int) -> str:
    if num_cells == 1:
        advice = "where all cells have one label, `skimage.measure.label` parts those that do not touch"
    else:
        advice = "`pieces='largest'` takes the largest of each cell and leaves the rest"
    return f"{whose} must show each cell in one piece; {advice}. Received: label {number} in {num_pieces} pieces"
