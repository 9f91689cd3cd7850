"""One image to one size."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

INTERPOLATIONS = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST_EXACT,
}

_MOST_CHANNELS = 128  # that OpenCV takes at once
_RESIZED_AS = {
    np.dtype(np.uint64): np.float64,
    np.dtype(np.int64): np.float64,
    np.dtype(np.uint32): np.float64,
    np.dtype(np.int32): np.float64,
    np.dtype(np.int8): np.int16,
    np.dtype(np.float16): np.float32,
}


def check_image_size(size: Any, smallest: int = 1) -> tuple[int, int]:
    """The height and width that an argument `image_size` means: two whole numbers, or one for both."""
    sizes = (size, size) if isinstance(size, int | np.integer) else tuple(size) if np.iterable(size) else ()
    if len(sizes) != 2 or any(
        isinstance(n, bool) or not isinstance(n, int | np.integer) or n < smallest for n in sizes
    ):
        at_least = f", {smallest} or more" if smallest > 1 else ""
        raise ValueError(f"`image_size` must be (height, width), or one number for both{at_least}. Received: {size!r}")
    return int(sizes[0]), int(sizes[1])


def resize_image(image: npt.NDArray, size: tuple[int, int], interpolation: str = "area") -> npt.NDArray:
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
    if image.shape[:2] == size:
        return image
    work = np.ascontiguousarray(image, dtype=_RESIZED_AS.get(image.dtype, image.dtype))
    method = INTERPOLATIONS[interpolation]
    if interpolation == "area" and (size[0] > image.shape[0] or size[1] > image.shape[1]):
        method = cv2.INTER_LINEAR
    parts = [
        cv2.resize(work[..., first : first + _MOST_CHANNELS], size[::-1], interpolation=method).reshape(*size, -1)
        for first in range(0, image.shape[2], _MOST_CHANNELS)
    ]
    resized = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    if resized.dtype == image.dtype:
        return resized
    if image.dtype.kind in "iu":
        limits = np.iinfo(image.dtype)
        resized = np.clip(np.rint(resized), limits.min, limits.max)
    return resized.astype(image.dtype)
