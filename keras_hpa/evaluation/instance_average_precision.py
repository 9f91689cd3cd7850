"""How well cells were both found and classified: the score of the 2021 single-cell challenge."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def instance_average_precision(
    masks: Sequence[npt.ArrayLike],
    labels: Sequence[npt.ArrayLike],
    found_masks: Sequence[npt.ArrayLike],
    scores: Sequence[npt.ArrayLike],
    *,
    iou: float = 0.6,
) -> npt.NDArray[np.float64]:
    """Computes the average precision of each class over cells that had to be found first.

    A cell that was found counts for a class as right if its mask and that of a true cell with the class overlap by
    `iou` or more; a true cell that nobody found counts as missed. Cells are ranked by their scores over all fields.
    Their mean over classes, `np.nanmean(...)`, is what the challenge of 2021 was scored by, at an overlap of .6.

    Args:
        masks: for each field a label image of its true cells, 0 outside.
        labels: for each field a matrix of 1, 0 and -1 (unknown) of shape `(num_cells, num_classes)`; its first row is
            the cell labelled 1. A cell that is unknown for a class counts for nothing there, whoever found it.
        found_masks: for each field a label image of the cells that were found, of the same size.
        scores: for each field a matrix of shape `(num_found, num_classes)`, rows as those of `labels`.
        iou: the overlap wanted, intersection over union, above .5, so that no cell overlaps two others enough.

    Returns:
        Float64 of shape `(num_classes,)`, 0 to 1; NaN for a class that no true cell has.

    Raises:
        ValueError: if the arguments are not as above.

    Example:
        >>> mask = np.array([[1, 1, 0, 2]])
        >>> instance_average_precision([mask], [[[1], [1]]], [mask], [[[0.9], [0.2]]]).tolist()
        [1.0]
        >>> instance_average_precision([mask], [[[1], [1]]], [[[1, 1, 0, 0]]], [[[0.9]]]).tolist()
        [0.5]

    References:
        Everingham et al., The Pascal visual object classes (VOC) challenge, 2010: precision is the highest at this
        recall or any above.
    """
    if isinstance(iou, bool) or not isinstance(iou, (int, float, np.number)) or not 0.5 < iou <= 1:
        raise ValueError(f"`iou` must lie above .5, 1 at most. Received: {iou!r}")
    given = {"masks": masks, "labels": labels, "found_masks": found_masks, "scores": scores}
    if len({len(one) for one in given.values()}) != 1 or not len(masks):
        raise ValueError(
            f"All of {list(given)} must hold one item for each field. Received: {[len(one) for one in given.values()]}"
        )
    hits: list[npt.NDArray[np.int8]] = []
    ranked: list[npt.NDArray[np.float64]] = []
    num_true: Any = 0
    for field, (mask, known, found, scored) in enumerate(zip(*given.values(), strict=True)):
        true_cells, cells = _label_image("masks", field, mask), _label_image("found_masks", field, found)
        if true_cells.shape != cells.shape:
            raise ValueError(
                f"`found_masks` must have the size of `masks`, {true_cells.shape} for field {field}. "
                f"Received: {cells.shape}"
            )
        truth = _rows("labels", field, known, int(true_cells.max(initial=0)))
        if not np.isin(truth, (-1, 0, 1)).all():
            raise ValueError(f"`labels` must be 1, 0 or -1. Received: others for field {field}")
        values = _rows("scores", field, scored, int(cells.max(initial=0)))
        if not np.isfinite(values).all():
            raise ValueError(f"`scores` must be finite. Received: NaN or infinity for field {field}")
        if truth.shape[1] != values.shape[1]:
            raise ValueError(
                f"`scores` must have {truth.shape[1]} classes, as `labels`. "
                f"Received: {values.shape[1]} for field {field}"
            )
        is_there = np.isin(np.arange(1, len(truth) + 1), true_cells)
        num_true = num_true + (truth[is_there] == 1).sum(axis=0)
        partner = _partners(true_cells, cells, len(values), float(iou))
        own = np.isin(np.arange(1, len(values) + 1), cells)
        hit = np.zeros(values.shape, np.int8)
        hit[partner >= 0] = truth[partner[partner >= 0]]
        hits.append(hit[own])
        ranked.append(values[own])
    if len({one.shape[1] for one in hits}) != 1:
        raise ValueError(
            f"`labels` must have the same classes in each field. Received: {sorted({one.shape[1] for one in hits})}"
        )
    hit, score = np.concatenate(hits), np.concatenate(ranked)
    return np.array([_average_precision(*one) for one in zip(hit.T, score.T, np.asarray(num_true), strict=True)])


def _partners(
    true_cells: npt.NDArray[np.int64], cells: npt.NDArray[np.int64], num_found: int, iou: float
) -> npt.NDArray[np.int64]:
    """For each cell that was found the row of the true cell that it overlaps enough, else -1."""
    partner = np.full(num_found, -1)
    area, found_area = np.bincount(true_cells.ravel()), np.bincount(cells.ravel())
    both = (true_cells > 0) & (cells > 0)
    pairs, common = np.unique(np.stack([true_cells[both], cells[both]]), axis=1, return_counts=True)
    union = area[pairs[0]] + found_area[pairs[1]] - common
    enough = common >= iou * union
    partner[pairs[1][enough] - 1] = pairs[0][enough] - 1
    return partner


def _average_precision(hits: npt.NDArray[np.int8], scores: npt.NDArray[np.float64], num_true: int) -> float:
    if not num_true:
        return float("nan")
    counts = hits >= 0
    order = np.argsort(-scores[counts], kind="stable")
    values, right = scores[counts][order], np.cumsum(hits[counts][order] == 1)
    last = np.flatnonzero(np.diff(values, append=np.nan) != 0)  # cells of one score come together
    right, ranks = right[last], last + 1
    precision = np.maximum.accumulate((right / ranks)[::-1])[::-1]
    return float(np.sum(np.diff(right, prepend=0) * precision) / num_true)


def _label_image(name: str, field: int, given: npt.ArrayLike) -> npt.NDArray[np.int64]:
    image = np.asarray(given)
    if image.ndim != 2 or image.dtype.kind not in "iu" or image.min(initial=0) < 0:
        raise ValueError(
            f"`{name}` must be label images of whole numbers from 0. Received: {image.dtype} of shape {image.shape} "
            f"for field {field}"
        )
    return image.astype(np.int64)


def _rows(name: str, field: int, given: npt.ArrayLike, num_cells: int) -> npt.NDArray[Any]:
    matrix = np.asarray(given)
    if matrix.ndim != 2 or len(matrix) < num_cells:
        raise ValueError(
            f"`{name}` must have shape ({num_cells}, num_classes), a row for each cell, for field {field}. "
            f"Received: {matrix.shape}"
        )
    return matrix
