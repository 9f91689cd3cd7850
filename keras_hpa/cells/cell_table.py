"""A row per cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples, needs, prediction_columns


def cell_table(
    cells: Samples,
    scores: npt.ArrayLike,
    decide: Any,
    *,
    border_weight: float = 1.0,
    negative: str = "",
    class_names: Sequence[str] | None = None,
    separator: str = ";",
    intervals: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> Any:
    """Gives a pandas DataFrame with a row per cell: where it lies, its classes, and score, decision and margin of each.

    `write_predictions(path, cells, scores, decide)` writes the same columns, but intervals, as CSV, Excel or Parquet.

    Args:
        cells: `CellCrops`, or what was selected, split or packed from them.
        scores: a matrix of shape `(num_cells, num_classes)`.
        decide: a fitted `ThresholdCalibrator`, or "argmax" where a cell has one class.
        border_weight: by what the scores of cells that touch the border are multiplied before it is decided, 0 to 1, as
            a part of such a cell is not seen.
        negative: what stands in "labels" for a cell that no class is decided on, such as "Negative".
        class_names: the names of the classes; those of `cells`, or of the calibrator, unless given.
        separator: what stands between two names in "labels".
        intervals: lower and upper ends of the probability of each cell and class, such as
            `evaluation.probability_intervals` gives; they become columns "low" and "high".

    Returns:
        A DataFrame with the columns "id", "field", "cell", "top", "left", "bottom", "right", "area", "row", "column",
        "touches_border", further metadata, "labels", and "score", "decision" and "margin" (and "low" and
        "high") with the name of each class.

    Raises:
        ValueError: if the numbers of cells, scores, intervals and names differ, a score is not finite, or `cells` are
            no cells.
        ImportError: if pandas is not installed.

    Example:
        >>> from keras_hpa import ArraySource
        >>> from keras_hpa.cells import CellCrops
        >>> mask = np.array([[1, 1, 0, 0], [0, 0, 0, 2]])
        >>> crops = CellCrops(ArraySource(np.ones((1, 2, 4, 3)), ["A01"]), [mask], size=4)
        >>> table = cell_table(crops, [[0.9, 0.2], [0.4, 0.6]], "argmax", class_names=["ER", "Golgi"])
        >>> table[["field", "cell", "area", "labels", "score Golgi"]]
          field  cell  area labels  score Golgi
        0   A01     1     2     ER          0.2
        1   A01     2     1  Golgi          0.6
    """
    pandas = needs("pandas", "`cell_table` makes a pandas DataFrame")
    weighted = weigh_border(cells, scores, border_weight)
    columns = prediction_columns(
        cells, weighted, decide, class_names=class_names, separator=separator, no_class=negative
    )
    if intervals is not None:
        names = [name.removeprefix("score ") for name in columns if name.startswith("score ")]
        for kind, ends in zip(("low", "high"), intervals, strict=True):
            matrix = np.asarray(ends)
            if matrix.shape != weighted.shape:
                raise ValueError(
                    f"`intervals` must be two matrices of shape {weighted.shape}. Received: shape {matrix.shape}"
                )
            columns |= {f"{kind} {name}": matrix[:, number].tolist() for number, name in enumerate(names)}
    return pandas.DataFrame(columns)


def weigh_border(cells: Samples, scores: npt.ArrayLike, weight: float) -> npt.NDArray[Any]:
    """Multiplies the scores of cells that touch the border of their field."""
    at_border = getattr(cells, "metadata", {}).get("touches_border")
    if at_border is None:
        raise ValueError(f"`cells` must be `CellCrops`, or come from them. Received: {cells!r}")
    is_number = isinstance(weight, (int, float, np.integer, np.floating)) and not isinstance(weight, bool)
    if not is_number or not 0 <= weight <= 1:
        raise ValueError(f"`border_weight` must be a number from 0 to 1. Received: {weight!r}")
    matrix = np.asarray(scores)
    if matrix.ndim != 2 or len(matrix) != len(at_border):
        raise ValueError(f"`scores` must have shape ({len(at_border)}, num_classes). Received: shape {matrix.shape}")
    return matrix if weight == 1 else matrix * np.where(at_border, weight, 1.0)[:, None]
