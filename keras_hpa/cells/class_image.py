"""From a value per cell to an image."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def class_image(labels: npt.ArrayLike, values: Mapping[int, Any], *, background: Any = 0) -> npt.NDArray[Any]:
    """Puts what is known of each cell onto its pixels: its class, a score, several scores, or a colour.

    Args:
        labels: the mask of a field, of shape `(height, width)`: 0 for the background, a number for each cell.
        values: for the label of each cell its value: a number, or several, as many for each. Cells that are not in it,
            such as those at the border that were dropped, get the value of the background.
        background: the value of pixels that are of no cell.

    Returns:
        An array of shape `(height, width)`, with one axis more where values are several, in the smallest common type
        of the values and the background.

    Raises:
        ValueError: if `labels` is no label image, or has no cell of a label in `values`, or values differ in shape.

    Example:
        >>> labels = [[0, 1, 1], [0, 4, 4]]
        >>> class_image(labels, {1: 7, 4: 2}, background=-1)
        array([[-1,  7,  7],
               [-1,  2,  2]])
    """
    image = np.asarray(labels)
    if image.ndim != 2 or image.dtype.kind not in "iu":
        raise ValueError(
            f"`labels` must be whole numbers of shape (height, width). Received: {image.dtype} of shape {image.shape}"
        )
    if not hasattr(values, "keys"):
        raise ValueError(f"`values` must be a mapping from labels of cells to values. Received: {values!r}")
    numbers, places = np.unique(image, return_inverse=True)
    position = {number: place for place, number in enumerate(numbers.tolist())}
    unknown = [number for number in values if number not in position or not number]
    if unknown:
        raise ValueError(f"`values` must have labels of cells that are in `labels`. Received: {unknown[0]!r}")
    given = [np.asarray(values[number]) for number in values]
    shapes = {value.shape for value in given}
    if len(shapes) > 1:
        raise ValueError(f"`values` must all have one shape. Received: {sorted(shapes)}")
    shape = next(iter(shapes), ())
    kind = np.result_type(np.asarray(background), *given)
    painted = np.empty((len(numbers), *shape), kind)
    painted[:] = background
    for number, value in zip(values, given, strict=True):
        painted[position[int(number)]] = value
    return painted[places.reshape(image.shape)]
