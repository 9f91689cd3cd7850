"""The scores of one batch of images."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import apply_symmetry
from keras_hpa.graphs import scales_integers
from keras_hpa.inference.tiling import tile_starts
from keras_hpa.inference.transforms import Transform, transform_name
from keras_hpa.layers import is_integer

REDUCTIONS: dict[str, Callable[..., npt.NDArray[Any]]] = {"mean": np.mean, "median": np.median, "max": np.max}
"""The ways to combine several scores."""


class BatchScorer:
    """Computes the scores of a batch of images: cuts tiles, applies every transform and model, reduces.

    The arguments are those of `predict_scores`, checked and resolved.
    """

    def __init__(
        self,
        models: list[keras.Model],
        transforms: list[Transform],
        reduce: str,
        *,
        tile_overlap: float | None,
        tile_size: tuple[int, int] | None,
        tile_reduce: str,
        batch_size: int,
        num_samples: int,
    ):
        self.models = models
        self.transforms = transforms
        self.reduce = reduce
        self.tile_overlap = tile_overlap
        self.input_size = input_size(models)
        self.tile_size = tile_size
        if tile_overlap is not None and tile_size is None:
            if None in self.input_size:
                raise ValueError("`tile_size` must be given where the model takes images of any size. Received: None")
            self.tile_size = self.input_size  # type: ignore[assignment]
        self.tile_reduce = tile_reduce
        self.batch_size = batch_size
        self.num_samples = num_samples
        self._scales_integers = functools.cache(scales_integers)

    def __call__(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Gives float32 scores of shape `(len(images), num_classes)`."""
        self._check_channels(images.shape[-1])
        height, width = self.tile_size or images.shape[1:3]
        if images.shape[1] < height or images.shape[2] < width:
            raise ValueError(
                f"`sequence` must give images as large as a tile, {(height, width)}. Received: {images.shape[1:3]}"
            )
        overlap = self.tile_overlap or 0.0
        tops = tile_starts(images.shape[1], height, overlap)
        lefts = tile_starts(images.shape[2], width, overlap)
        places = [(number, top, left) for number in range(len(images)) for top in tops for left in lefts]
        # Batches have one length, the last too, or TensorFlow and JAX would compile the network once more.
        length = min(self.batch_size, self.num_samples * len(tops) * len(lefts))
        scores = []
        for begin in range(0, len(places), length):
            chunk = places[begin : begin + length]
            if images.shape[1:3] == (height, width) and len(chunk) == length:
                batch = images[begin : begin + length]  # whole images as they are, without a copy
            else:
                padded = chunk + chunk[-1:] * (length - len(chunk))
                batch = np.stack([images[n, top : top + height, left : left + width] for n, top, left in padded])
            scores.append(self._reduced(batch)[: len(chunk)])
        per_tile = np.concatenate(scores).reshape(len(images), len(tops) * len(lefts), -1)
        return REDUCTIONS[self.tile_reduce](per_tile, axis=1).astype(np.float32)

    def _check_channels(self, given: int) -> None:
        """A normalization would spread one channel over all that a model takes, and nobody would know."""
        for model in self.models:
            taken = input_channels(model)
            if taken not in (None, given):
                raise ValueError(
                    f"`sequence` must give the {taken} channels that model {model.name!r} takes. "
                    f"Received: images with {given}"
                )

    def _reduced(self, batch: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        views = [self._predict(model, self._view(batch, t)) for t in self.transforms for model in self.models]
        classes = {view.shape[1] for view in views}
        if len(classes) != 1:
            raise ValueError(f"`model` must be models of the same classes. Received: {sorted(classes)} classes")
        return REDUCTIONS[self.reduce](np.stack(views), axis=0)

    def _view(self, batch: npt.NDArray[Any], transform: Transform) -> npt.NDArray[Any]:
        if not callable(transform):
            view = apply_symmetry(batch, transform)
        else:
            view = np.asarray(transform(batch))
            kept = view.ndim == 4 and (len(view), view.shape[-1]) == (len(batch), batch.shape[-1])
            if not kept or view.dtype != batch.dtype:
                raise ValueError(
                    f"`transforms` must keep the number of images, the channels and the type of a {batch.dtype} batch "
                    f"of shape {batch.shape}. "
                    f"Received: {view.dtype} of shape {view.shape} from {transform_name(transform)!r}"
                )
        if any(size not in (None, own) for size, own in zip(self.input_size, view.shape[1:3], strict=True)):
            advice = "" if self.tile_size else "; resize by `image_size`, or cut larger ones by `tile_overlap`"
            raise ValueError(
                f"`sequence` and `transforms` must give images of the network's size {self.input_size}{advice}. "
                f"Received: {view.shape[1:3]} under transform {transform_name(transform)!r}"
            )
        return np.ascontiguousarray(view)

    def _predict(self, model: keras.Model, images: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        expected, given = input_dtype(model), images.dtype.name  # Keras would cast without a warning
        if expected and is_integer(expected) and given != expected:
            raise ValueError(
                f"`sequence` must give the {expected} images that model {model.name!r} takes: dtype='source'. "
                f"Received: {given}"
            )
        if expected and is_integer(given) and not is_integer(expected) and not self._scales_integers(model):
            raise ValueError(
                f"`sequence` must give the floats that model {model.name!r} takes: dtype='float32', and `max_value=1` "
                f"if the model scales them itself. Received: {given}"
            )
        scores = model.predict_on_batch(images)
        if hasattr(scores, "shape") and len(scores.shape) == 2 and len(scores) and len(scores) % len(images) == 0:
            # Where the model is spread over devices, Keras gives the rows of one batch once for each of them.
            copies = np.asarray(scores).reshape(-1, len(images), scores.shape[1])
            scores = copies[0] if np.allclose(copies, copies[:1], equal_nan=True) else scores
        if not hasattr(scores, "shape") or len(scores.shape) != 2 or len(scores) != len(images):
            received = scores.shape if hasattr(scores, "shape") else type(scores).__name__
            raise ValueError(
                f"`model` must have one output of shape (batch, num_classes), here ({len(images)}, num_classes). "
                f"Received: {received} from {model.name!r}"
            )
        return np.asarray(scores).astype(np.float64)


def input_size(models: list[keras.Model]) -> tuple[int | None, int | None]:
    """The height and width that all models take; `None` is any."""
    shapes = [getattr(model, "input_shape", None) for model in models]
    sizes: list[int | None] = []
    for axis in (1, 2):
        found = {shape[axis] for shape in shapes if isinstance(shape, tuple) and len(shape) == 4} - {None}
        if len(found) > 1:
            raise ValueError(f"`model` must be models of one input size. Received: {shapes}")
        sizes.append(found.pop() if found else None)
    return sizes[0], sizes[1]


def input_channels(model: keras.Model) -> int | None:
    """How many channels a model of images takes; `None` is any, or not known."""
    shape = getattr(model, "input_shape", None)
    return shape[-1] if isinstance(shape, tuple) and len(shape) == 4 else None


def input_dtype(model: keras.Model) -> str | None:
    try:
        (only,) = model.inputs
    except (AttributeError, TypeError, ValueError):
        return None  # a subclass of Model whose inputs are not known, or a model of several
    return keras.backend.standardize_dtype(only.dtype)
