"""The eight symmetries of the square: what a microscope's slide can be turned into without changing its content."""

from importlib import import_module
from typing import Any, TypeVar

import numpy as np

SYMMETRIES = tuple(range(8))
"""The numbers of the symmetries: 0 to 3 turn by so many quarters, 4 to 7 flip left and right before that."""

T = TypeVar("T")


def apply_symmetry(images: T, symmetry: int) -> T:
    """Turns and flips images by one of the eight symmetries of the square. Pixels move, no value changes.

    Args:
        images: an array or a Keras tensor of shape `(..., height, width, channels)`.
        symmetry: 0 leaves images as they are; 1, 2 and 3 turn them counterclockwise by as many quarters; 4 to 7 flip
            left and right first and then turn by `symmetry - 4` quarters.

    Returns:
        The same kind of array. Of a NumPy array it may be a view; height and width change places under odd numbers.

    Raises:
        ValueError: if there is no such symmetry, or `images` has fewer than three axes.

    Example:
        >>> image = np.arange(6).reshape(2, 3, 1)
        >>> apply_symmetry(image, 1)[..., 0]
        array([[2, 5],
               [1, 4],
               [0, 3]])
        >>> np.array_equal(apply_symmetry(apply_symmetry(image, 1), inverse_symmetry(1)), image)
        True
    """
    _check_symmetry(symmetry)
    num_axes = len(images.shape)  # type: ignore[attr-defined]
    if num_axes < 3:
        raise ValueError(f"`images` must have shape (..., height, width, channels). Received: {num_axes} axes")
    library: Any = np if isinstance(images, np.ndarray) else import_module("keras").ops
    height, width = num_axes - 3, num_axes - 2
    if symmetry >= 4:
        images = library.flip(images, width)
    # A quarter is an exchange of the two axes and a flip of the first.
    if symmetry % 2:
        order = list(range(num_axes))
        order[height], order[width] = width, height
        images = library.transpose(images, order)
    if symmetry % 4 in (1, 2):
        images = library.flip(images, height)
    if symmetry % 4 in (2, 3):
        images = library.flip(images, width)
    return images


def inverse_symmetry(symmetry: int) -> int:
    """Gives the number of the symmetry that undoes `symmetry`.

    Args:
        symmetry: 0 to 7, as in `apply_symmetry`.

    Raises:
        ValueError: if there is no such symmetry.

    Example:
        >>> [inverse_symmetry(symmetry) for symmetry in SYMMETRIES]
        [0, 3, 2, 1, 4, 5, 6, 7]
    """
    _check_symmetry(symmetry)
    return -symmetry % 4 if symmetry < 4 else symmetry


def _check_symmetry(symmetry: int) -> None:
    if symmetry not in SYMMETRIES:
        raise ValueError(f"`symmetry` must be an integer in 0 to 7. Received: {symmetry!r}")
