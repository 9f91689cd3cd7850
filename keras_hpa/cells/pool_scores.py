"""Scores of fields from those of their cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples

_POOLINGS = ("mean", "max", "noisy_or")


def pool_scores(cells: Samples, scores: npt.ArrayLike, *, how: str = "mean") -> dict[str, npt.NDArray[np.float64]]:
    """Gives the scores of fields from those of their cells.

    Args:
        cells: `CellCrops`, or what was selected, split or packed from them.
        scores: a matrix of shape `(num_cells, num_classes)`, 0 to 1.
        how: "mean", over the cells, which was best where single cells are often misjudged; "max", the score of the
            best cell; or "noisy_or", the probability that one cell at least shows the class if scores are probabilities
            and cells independent.

    Returns:
        For the id of each field that has cells, in their order, its scores, of shape `(num_classes,)`.

    Raises:
        ValueError: if scores do not fit the cells or lie outside 0 to 1, `how` is none of these, or `cells` are no
            cells.

    Example:
        >>> from keras_hpa import ArraySource
        >>> from keras_hpa.cells import CellCrops
        >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 2]])
        >>> crops = CellCrops(ArraySource(np.ones((1, 2, 4, 3)), ["A01"]), [mask], size=4)
        >>> pool_scores(crops, [[0.9, 0.2], [0.5, 0.6]])
        {'A01': array([0.7, 0.4])}
    """
    check_choice("how", how, _POOLINGS)
    matrix, fields = check_cell_scores(cells, scores)
    rows: dict[str, list[int]] = {}
    for row, field in enumerate(fields):
        rows.setdefault(field, []).append(row)
    if how == "noisy_or":
        return {field: 1 - np.prod(1 - matrix[own], axis=0) for field, own in rows.items()}
    return {field: getattr(matrix[own], how)(axis=0) for field, own in rows.items()}


def check_choice(name: str, given: Any, known: tuple[str, ...]) -> None:
    if given not in known:
        raise ValueError(f"`{name}` must be one of {list(known)}. Received: {given!r}")


def check_cell_scores(cells: Samples, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], list[str]]:
    fields = getattr(cells, "metadata", {}).get("field")
    if fields is None:
        raise ValueError(f"`cells` must be `CellCrops`, or come from them. Received: {cells!r}")
    matrix = np.asarray(scores, np.float64)
    if matrix.ndim != 2 or len(matrix) != len(fields):
        raise ValueError(f"`scores` must have shape ({len(fields)}, num_classes). Received: shape {matrix.shape}")
    if not ((matrix >= 0) & (matrix <= 1)).all():
        raise ValueError(f"`scores` must lie in 0 to 1. Received: {matrix[~((matrix >= 0) & (matrix <= 1))][0]}")
    return matrix, fields
