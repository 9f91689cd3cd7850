"""Scores of cells that know of their field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.cells.pool_scores import check_cell_scores, check_choice
from keras_hpa.data import Samples

_BLENDS = ("product", "mean")


def blend_scores(
    cells: Samples,
    scores: npt.ArrayLike,
    field_scores: Mapping[str, npt.ArrayLike],
    *,
    how: Literal["product", "mean"] = "product",
    field_share: float = 0.5,
) -> npt.NDArray[np.float64]:
    """Lets the scores of a field count in those of its cells: what is not in the field is in none of its cells.

    A network that saw the whole field, or the pooled scores of all cells, often knows better than a single crop which
    classes can be there at all. Fit thresholds to what comes out, as it lies on a scale of its own.

    Args:
        cells: `CellCrops`, or what was selected, split or packed from them.
        scores: a matrix of shape `(num_cells, num_classes)`, 0 to 1.
        field_scores: for the id of each field its scores, as `pool_scores` gives them.
        how: "product", of cell ** (1 - field_share) and field ** field_share; or "mean", weighted in the same way.
        field_share: how much the field counts, 0 to 1.

    Returns:
        The scores of the cells, of shape `(num_cells, num_classes)`, 0 to 1.

    Raises:
        ValueError: if a field has no scores, scores do not fit or lie outside 0 to 1, an argument is out of its range,
            or `cells` are no cells.

    Example:
        >>> from keras_hpa import ArraySource
        >>> from keras_hpa.cells import CellCrops
        >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 2]])
        >>> crops = CellCrops(ArraySource(np.ones((1, 2, 4, 3)), ["A01"]), [mask], size=4)
        >>> blend_scores(crops, [[0.9, 0.2], [0.4, 0.6]], {"A01": [0.9, 0.0]})
        array([[0.9, 0. ],
               [0.6, 0. ]])
    """
    check_choice("how", how, _BLENDS)
    is_number = isinstance(field_share, (int, float, np.integer, np.floating)) and not isinstance(field_share, bool)
    if not is_number or not 0 <= field_share <= 1:
        raise ValueError(f"`field_share` must be a number from 0 to 1. Received: {field_share!r}")
    matrix, fields = check_cell_scores(cells, scores)
    lacking = [field for field in fields if field not in field_scores]
    if lacking:
        raise ValueError(f"`field_scores` must have scores of every field. Received: none for {lacking[0]!r}")
    known = {field: np.asarray(field_scores[field], np.float64) for field in dict.fromkeys(fields)}
    for field, row in known.items():
        if row.shape != matrix.shape[1:] or not ((row >= 0) & (row <= 1)).all():
            raise ValueError(
                f"`field_scores` must be {matrix.shape[1]} numbers from 0 to 1 for each field. "
                f"Received: {row} for {field!r}"
            )
    of_fields = np.stack([known[field] for field in fields])
    if how == "mean":
        return (1 - field_share) * matrix + field_share * of_fields
    return matrix ** (1 - field_share) * of_fields**field_share
