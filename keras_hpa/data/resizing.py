"""One image to one size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.byte_order import to_native

INTERPOLATIONS = {
    "area": "INTER_AREA",
    "bilinear": "INTER_LINEAR",
    "bicubic": "INTER_CUBIC",
    "nearest": "INTER_NEAREST_EXACT",
}
"""What OpenCV calls each."""

_MOST_CHANNELS = 4  # that OpenCV takes at once by area
_RESIZED_AS = {
    np.dtype(np.uint64): np.float64,
    np.dtype(np.int64): np.float64,
    np.dtype(np.uint32): np.float64,
    np.dtype(np.int32): np.float64,
    np.dtype(np.int8): np.int16,
    np.dtype(np.float16): np.float32,
}


def check_image_size(size: Any, smallest: int = 1, *, name: str = "image_size") -> tuple[int, int]:
    """The height and width that an argument means: two whole numbers, or one for both."""
    sizes = (size, size) if isinstance(size, int | np.integer) else tuple(size) if np.iterable(size) else ()
    if len(sizes) != 2 or any(
        isinstance(n, bool) or not isinstance(n, int | np.integer) or n < smallest for n in sizes
    ):
        at_least = f", {smallest} or more" if smallest > 1 else ""
        raise ValueError(f"`{name}` must be (height, width), or one number for both{at_least}. Received: {size!r}")
    return int(sizes[0]), int(sizes[1])


def resize_image(image: npt.NDArray[Any], size: tuple[int, int], interpolation: str = "area") -> npt.NDArray[Any]:
    """Resizes an image of any number of channels; the data type stays, integers are rounded.

    Args:
        image: an array of shape `(height, width, channels)`.
        size: the height and width wanted.
        interpolation: "area" gives every pixel the mean of the area that it covers, which keeps intensities when an
            image shrinks and does not alias; where it grows this is bilinear. "bilinear" looks at the four nearest
            pixels only, as most published pipelines do. "bicubic", "nearest".

    Returns:
        An array of shape `(*size, channels)`; `image` itself if it has that size already.

    Example:
        >>> resize_image(np.array([[[0], [10]], [[20], [50]]], "uint8"), (1, 1))
        array([[[20]]], dtype=uint8)
    """
    image = to_native(image)
    if image.shape[:2] == size:
        return image
    import cv2

    method = getattr(cv2, INTERPOLATIONS[interpolation])
    if interpolation == "area" and (size[0] > image.shape[0] or size[1] > image.shape[1]):
        method = cv2.INTER_LINEAR

    def resize(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return cv2.resize(part, size[::-1], interpolation=method)

    return by_opencv(image, resize)


def by_opencv(image: npt.NDArray[Any], function: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Applies a linear filter of OpenCV to an image of any type and number of channels, in types and parts it takes."""
    work = image.astype(_RESIZED_AS.get(image.dtype, image.dtype), copy=False)
    parts = [
        function(np.ascontiguousarray(work[..., first : first + _MOST_CHANNELS]))
        for first in range(0, image.shape[2], _MOST_CHANNELS)
    ]
    parts = [part.reshape(*part.shape[:2], -1) for part in parts]
    changed = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if work.dtype == np.float64:  # OpenCV's weights have the precision of float32, and do not add up to 1
        changed = changed / function(np.ones(image.shape[:2])).reshape(*changed.shape[:2], 1)
    return to_type(changed, image.dtype)


def to_type(values: npt.NDArray[Any], dtype: np.dtype) -> npt.NDArray[Any]:
    """Gives values in a type: integers are rounded, and what lies beyond its range becomes the end of the range.

    Example:
        >>> to_type(np.array([-1.0, 2.6, 1e30]), np.dtype("uint64"))
        array([                   0,                    3, 18446744073709551615], dtype=uint64)
    """
    if values.dtype == dtype:
        return values
    if dtype.kind not in "iu":
        limit = np.finfo(dtype).max
        return np.where(np.isfinite(values), np.clip(values, -limit, limit), values).astype(dtype)
    limits = np.iinfo(dtype)
    rounded = np.rint(values)
    if dtype.itemsize < 8:
        return np.clip(rounded, limits.min, limits.max).astype(dtype)
    # The largest integer of 64 bits is no float: the next float above it would overflow.
    inside = np.clip(rounded, limits.min, np.nextafter(values.dtype.type(limits.max), 0)).astype(dtype)
    return np.where(rounded >= limits.max, dtype.type(limits.max), inside)
