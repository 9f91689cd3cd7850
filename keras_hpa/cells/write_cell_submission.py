"""The file that Kaggle takes for single cells."""

import os

import numpy as np
import numpy.typing as npt

from keras_hpa.cells.cell_crops import CellCrops
from keras_hpa.cells.cell_table import weigh_border
from keras_hpa.cells.encode_mask import encode_cell
from keras_hpa.files import write_csv


def write_cell_submission(
    path: str | os.PathLike[str],
    cells: CellCrops,
    scores: npt.ArrayLike,
    *,
    border_weight: float = 1.0,
    smallest_score: float = 0.0,
    escape_formulas: bool = True,
) -> None:
    """Writes scores of cells in the form of the 2021 challenge: `ID,ImageWidth,ImageHeight,PredictionString`.

    A row has a field, its size, and for each of its cells and classes the class's number, the score, and the cell's
    mask as `encode_mask` writes it, separated by blanks. Fields without cells have a row with nothing in it. The file
    appears whole or not at all.

    Args:
        path: where to write.
        cells: all the cells of the fields.
        scores: a matrix of shape `(num_cells, num_classes)`. The challenge has the 19 classes of
            `keras_hpa.atlas.SINGLE_CELL_CLASS_NAMES`, in this order.
        border_weight: by what the scores of cells that touch the border are multiplied, 0 to 1.
        smallest_score: pairs of cell and class that score less are left out.
        escape_formulas: as in `write_submission`.

    Raises:
        TypeError: if `cells` are no `CellCrops`, which know the masks.
        ValueError: if scores are not finite, or not one row per cell; if the mask of a field is another one by now.

    Example:
        >>> write_cell_submission("submission.csv", crops, model.predict(crops.batches()))  # doctest: +SKIP
    """
    if not isinstance(cells, CellCrops):
        raise TypeError(f"`cells` must be `CellCrops`, whose masks are at hand. Received: {type(cells)}")
    matrix = weigh_border(cells, scores, border_weight).astype(np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError(f"`scores` must be finite. Received: {matrix[~np.isfinite(matrix)][0]}")
    source = cells.source
    predicted: dict[int, list[str]] = {position: [] for position in range(len(cells.fields))}
    for index, position in enumerate(source.positions.tolist()):
        classes = np.flatnonzero(matrix[index] >= smallest_score)
        if len(classes):
            top, left = source.boxes[index, :2].tolist()
            mask = encode_cell(source.cell(index), (top, left), tuple(source.shapes[position].tolist()))
            predicted[position] += [f"{number} {matrix[index, number]:.7g} {mask}" for number in classes]
    rows = [
        (cells.fields.ids[position], int(width), int(height), " ".join(texts))
        for (position, texts), (height, width) in zip(predicted.items(), source.shapes, strict=True)
    ]
    write_csv(path, [("ID", "ImageWidth", "ImageHeight", "PredictionString"), *rows], escape_formulas=escape_formulas)
