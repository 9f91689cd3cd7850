"""From images of any size and scale to those of a batch: of one size, and of one physical scale where that is asked."""

import logging
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.data.resizing import INTERPOLATIONS, check_image_size, resize_image
from keras_hpa.data.source import Source, pixel_size_of

FITS = ("stretch", "crop", "pad")
_LARGEST_STRETCH = 1.01  # of one side against the other, that a rounded size may have
_LARGEST_CHANGE = 1.2  # of the scale from one image to another


class Framing:
    """Brings images to one size; the arguments are those of `MultiChannelSequence`."""

    def __init__(
        self,
        image_size: int | tuple[int, int] | None = None,
        interpolation: Literal["area", "bilinear", "bicubic", "nearest"] = "area",
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        pixel_size: float | None = None,
    ):
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"`interpolation` must be one of {sorted(INTERPOLATIONS)}. Received: {interpolation!r}")
        if fit not in FITS:
            raise ValueError(f"`fit` must be one of {list(FITS)}. Received: {fit!r}")
        self.image_size = None if image_size is None else check_image_size(image_size)
        self.interpolation = interpolation
        self.fit = fit
        self.pixel_size = None if pixel_size is None else check_pixel_size(pixel_size)
        if self.image_size is None and fit != "stretch":
            raise ValueError(f"`image_size` must be given where `fit` is {fit!r}. Received: None")
        if self.image_size is not None and self.pixel_size is not None and fit == "stretch":
            raise ValueError(
                "`fit` must be 'crop' or 'pad' where `image_size` and `pixel_size` are given: stretching would undo "
                f"the scale. Received: {fit!r}"
            )
        self.notes: list[str] = []
        self.is_told_here = True
        self._first_scale: tuple[float, str] | None = None

    def __call__(self, image: npt.NDArray[Any], source: Source, index: int) -> npt.NDArray[Any]:
        """Gives an image of the source in its frame; `image` itself where nothing is to be done."""
        if self.pixel_size is not None:
            image = self._to_pixel_size(image, source, index)
        if self.image_size is None or image.shape[:2] == self.image_size:
            return image
        if self.fit == "stretch":
            self._note_stretch(image, source, index)
            return resize_image(image, self.image_size, self.interpolation)
        if self.pixel_size is None:
            ratios = [wanted / side for wanted, side in zip(self.image_size, image.shape[:2], strict=True)]
            image = self._resized(image, max(ratios) if self.fit == "crop" else min(ratios))
        return _crop(image, self.image_size) if self.fit == "crop" else _pad(image, self.image_size)

    def scale(self, shape: tuple[int, ...]) -> float:
        """How many of its own pixels a pixel of the framed image spans, where no `pixel_size` says it."""
        if self.image_size is None:
            return 1.0
        ratios = [side / wanted for wanted, side in zip(self.image_size, shape, strict=False)]
        return {"stretch": float(np.sqrt(np.prod(ratios))), "crop": min(ratios), "pad": max(ratios)}[self.fit]

    def announce(self, note: str) -> None:
        """Says once, in the log, that images are stretched; a worker process has it said by the one that asks."""
        if not self.notes:
            self.notes.append(note)
            if self.is_told_here:
                logging.getLogger(__name__).warning("%s", note)

    def _to_pixel_size(self, image: npt.NDArray[Any], source: Source, index: int) -> npt.NDArray[Any]:
        own = pixel_size_of(source, index)
        if own is None:
            raise ValueError(
                "`pixel_size` must be known of every sample: in micrometres, by `load_folder(..., pixel_size=0.325)`, "
                "a column's name in place of the number, or `Samples(..., pixel_sizes=0.325)`. "
                f"Received: None for sample {source.ids[index]!r}"
            )
        return self._resized(image, own / float(self.pixel_size or own))

    def _resized(self, image: npt.NDArray[Any], factor: float) -> npt.NDArray[Any]:
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        return resize_image(image, (height, width), self.interpolation)

    def _note_stretch(self, image: npt.NDArray[Any], source: Source, index: int) -> None:
        height, width = (wanted / side for wanted, side in zip(self.image_size or (), image.shape[:2], strict=True))
        if not 1 / _LARGEST_STRETCH <= height / width <= _LARGEST_STRETCH:
            self.announce(
                f"Images are stretched from {image.shape[0]} x {image.shape[1]} to {self.image_size}, the first of "
                f"them sample {source.ids[index]!r}: cells change their shape. `fit='crop'` or `fit='pad'` keeps it"
            )
        first, other = self._first_scale or (height, source.ids[index])
        self._first_scale = first, other
        if not 1 / _LARGEST_CHANGE <= height / first <= _LARGEST_CHANGE:
            self.announce(
                f"Images of different sizes are resized to {self.image_size}, sample {other!r} by {first:.3g} and "
                f"sample {source.ids[index]!r} by {height:.3g}: cells change their scale. `pixel_size` keeps it"
            )


def check_pixel_size(size: Any, name: str = "pixel_size") -> float:
    """Gives micrometres per pixel as a float; refuses what is no positive number."""
    is_number = isinstance(size, (int, float, np.integer, np.floating)) and not isinstance(size, bool)
    if not is_number or not 0 < size < np.inf:
        raise ValueError(f"`{name}` must be micrometres per pixel, a positive number. Received: {size!r}")
    return float(size)


def check_pixel_sizes(sizes: Any, num_samples: int) -> list[float | None] | None:
    """Gives micrometres per pixel of every sample; `None` where nothing is said."""
    if sizes is None:
        return None
    if not np.iterable(sizes):
        sizes = [sizes] * num_samples
    sizes = [None if size is None or size != size else check_pixel_size(size, "pixel_sizes") for size in sizes]
    if len(sizes) != num_samples:
        raise ValueError(f"`pixel_sizes` must be one number, or {num_samples}. Received: {len(sizes)}")
    return sizes


def _crop(image: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Cuts the middle out."""
    if image.shape[0] < size[0] or image.shape[1] < size[1]:
        raise ValueError(
            f"`image_size` must not be larger than an image where `fit='crop'` and `pixel_size` are given; "
            f"`fit='pad'` fills up. Received: {size}, and an image of {image.shape[:2]} at that scale"
        )
    top, left = ((side - wanted) // 2 for side, wanted in zip(image.shape[:2], size, strict=True))
    return image[top : top + size[0], left : left + size[1]].copy()  # which is the caller's to change


def _pad(image: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[Any]:
    """Puts dark pixels around."""
    if image.shape[0] > size[0] or image.shape[1] > size[1]:
        raise ValueError(
            f"`image_size` must not be smaller than an image where `fit='pad'` and `pixel_size` are given; "
            f"`fit='crop'` cuts. Received: {size}, and an image of {image.shape[:2]} at that scale"
        )
    top, left = ((wanted - side) // 2 for side, wanted in zip(image.shape[:2], size, strict=True))
    padded = np.zeros((*size, image.shape[2]), image.dtype)
    padded[top : top + image.shape[0], left : left + image.shape[1]] = image
    return padded
