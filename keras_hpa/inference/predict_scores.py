"""Scores of all samples: in order, averaged over transforms and models, in tiles, resumed after interruptions."""

import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import MultiChannelSequence, Source
from keras_hpa.files import hold
from keras_hpa.inference.batch_scorer import REDUCTIONS, BatchScorer
from keras_hpa.inference.batches_for import batches_for
from keras_hpa.inference.model_scale import warn_of_scale
from keras_hpa.inference.score_folder import ScoreFolder, image_digests, weights_digest
from keras_hpa.inference.transforms import Transform, resolve_transforms, transform_name


def predict_scores(
    model: keras.Model | Sequence[keras.Model],
    sequence: MultiChannelSequence | Source,
    transforms: str | Sequence[Transform] | None = None,
    reduce: Literal["mean", "median", "max"] = "mean",
    *,
    tile_overlap: float | None = None,
    tile_size: int | tuple[int, int] | None = None,
    tile_reduce: Literal["mean", "max"] = "mean",
    path: str | os.PathLike[str] | None = None,
    verbose: int | str = "auto",
) -> npt.NDArray[np.float32]:
    """Predicts the scores of all samples, in the order of their source.

    Each image is read once. With `transforms` the network sees it in several orientations, and with several models,
    such as those of the folds, several networks see it; the scores are averaged. A cell has no preferred orientation on
    the slide, so the eight symmetries show a network the same cell eight times, at eight times the cost. What is
    averaged is what the model returns: probabilities, or logits where it ends in logits, which is a different average.
    Fit thresholds on scores that were computed in the same way.

    Beside the scores, memory holds a few batches, however many samples there are. Scores do not depend on the batch
    size, within the precision of float32. Where a model records its scale by a layer `PixelSize`, images that are known
    to be more than a fifth off it are warned of.

    Args:
        model: a model with one output of shape `(batch, num_classes)`, or a list of them.
        sequence: what to read, at which size and type, and how many images at a time. Its labels, `shuffle` and epochs
            do not matter: every sample is read once, in order. A model that takes integers needs images of that type
            (`dtype="source"`), and a model that takes floats needs floats, unless it scales integers itself by a
            `Rescaling` such as 1/255. `Samples`, or any source, are read 32 at a time, at the size and type of the
            model's input; at their own size where there are tiles.
        transforms: `None` takes images as they are; `"dihedral"` in all eight symmetries of the square; or a list, each
            entry the number of a symmetry as in `apply_symmetry` or a callable. A callable is given a batch of images
            `(batch, height, width, channels)`, a NumPy array that it must not change, and returns one with as many
            images and the same channels and type. `[0, 4]` is the image and its mirror image; 0 must be in the list if
            the unchanged image is to count. Where there are tiles, the tiles are transformed.
        reduce: `"mean"`, `"median"` or `"max"` over all transforms of all models.
        tile_overlap: the fraction of a tile, from 0 to less than 1, that neighbours share at least. It is required
            where images are larger than the network's input: they are cut into tiles of that size, at full resolution,
            that cover every pixel, and a structure smaller than the overlap is whole in at least one of them.
        tile_size: height and width of tiles, or one number for both; by default the size of the network's input.
            A network that takes any size needs it.
        tile_reduce: `"mean"` or `"max"` over the tiles of an image, after `reduce` has made one score per tile.
            The mean is what a network that pools over the whole image computes, and stays near its scale. The maximum
            finds what only one cell shows, such as a mitotic spindle, and rises with the number of tiles.
        path: a folder in which scores are kept as they are computed: `scores.npy`, with NaN for missing ones, and
            `manifest.json`, with the ids and settings. After an interruption the same call continues there and ends
            with the same scores; if all are present they are read. The images of the first batch are compared and
            predicted again, to detect changes. While one process computes, others that want the same scores wait, and
            read them then.
        verbose: 1 or `"auto"` shows a progress bar, 0 does not.

    Returns:
        A float32 array of shape `(num_samples, num_classes)`.

    Raises:
        TypeError: if `model` or `sequence` is not as described.
        ValueError: if an argument is not as described; `sequence` augments, has a sampler or is a shard, and so would
            not give every image unchanged; images do not fit the model; the model's output does not have one row of
            classes per image; a score is NaN or infinite, with the id of the sample; or `path` holds damaged scores,
            or those of another model, other samples, changed images or other settings.

    Example:
        >>> import keras_hpa
        >>> source = keras_hpa.SyntheticAtlas(5, image_size=(96, 96))
        >>> sequence = keras_hpa.MultiChannelSequence(source, batch_size=2)
        >>> models = [keras_hpa.GapNet((96, 96, 4), 28, filters=(4, 4, 4)) for fold in range(2)]
        >>> keras_hpa.predict_scores(models, sequence, "dihedral", verbose=0).shape
        (5, 28)
    """
    models = _check_models(model)
    sequence = _check_sequence(sequence, models, resize=tile_overlap is None)
    for argument, value, choices in (("reduce", reduce, REDUCTIONS), ("tile_reduce", tile_reduce, ("mean", "max"))):
        if value not in choices:
            raise ValueError(f"`{argument}` must be one of {list(choices)}. Received: {value!r}")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"`verbose` must be 'auto', 0 or 1. Received: {verbose!r}")
    chosen = resolve_transforms(transforms)
    scorer = BatchScorer(
        models,
        chosen,
        reduce,
        tile_overlap=_check_overlap(tile_overlap),
        tile_size=_check_tile_size(tile_size, tile_overlap),
        tile_reduce=tile_reduce,
        batch_size=sequence.batch_size,
        num_samples=len(sequence.source),
    )
    warn_of_scale(models, sequence)
    verbose = 0 if verbose == 0 else 1
    if path is None:
        return _run(scorer, sequence, None, verbose)
    settings = {
        "models": [weights_digest(one) for one in models],
        "channels": sequence.source.channels,
        **{name: getattr(sequence, name) for name in ("image_size", "dtype", "max_value", "interpolation")},
        **({} if sequence.fit == "stretch" else {"fit": sequence.fit}),
        **({} if sequence.pixel_size is None else {"pixel_size": sequence.pixel_size}),
        "transforms": [transform_name(transform) for transform in chosen],
        "reduce": reduce,
        "tile_overlap": tile_overlap,
        "tile_size": scorer.tile_size,
        "tile_reduce": tile_reduce,
    }
    folder = ScoreFolder(path, ids=sequence.source.ids, settings=settings)
    with nullcontext() if folder.is_finished else hold(folder.path, wait=True):
        folder = ScoreFolder(folder.path, ids=sequence.source.ids, settings=settings)  # another may have written it
        _compare_first_batch(scorer, sequence, folder)
        return _run(scorer, sequence, folder, verbose)


def _run(
    scorer: BatchScorer, sequence: MultiChannelSequence, folder: ScoreFolder | None, verbose: int
) -> npt.NDArray[np.float32]:
    num_samples, step = len(sequence.source), sequence.batch_size
    done = 0 if folder is None else folder.num_done
    # The batches are those of an uninterrupted run, so that the scores are the same to the last bit.
    start = done if done == num_samples else done // step * step
    progress = keras.utils.Progbar(num_samples, unit_name="sample", verbose=verbose)
    if start:
        progress.update(start)
    kept: list[npt.NDArray[np.float32]] = []
    rest = sequence.in_order(start) if start < num_samples else ()
    for number in range(len(rest)):
        first = start + number * step
        images = rest[number]
        rows = _checked(scorer(images), sequence.source.ids[first : first + step])
        if folder is None:
            kept.append(rows)
        else:
            if first == 0:
                folder.settings["first_images"] = image_digests(images)
            folder.write(first, rows)
        progress.update(first + len(rows))
    return np.concatenate(kept) if folder is None else folder.read()


def _compare_first_batch(scorer: BatchScorer, sequence: MultiChannelSequence, folder: ScoreFolder) -> None:
    """Detects what the settings do not record: other pixels, activations, or transforms of the same name."""
    num_rows = min(folder.num_done, sequence.batch_size)
    if not num_rows:
        return
    images, there = sequence.in_order(0, num_rows)[0], folder.read(num_rows)
    before, now = folder.settings.get("first_images", []), image_digests(images)
    place = next((place for place, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), None)
    if place is not None:
        raise ValueError(
            f"`path` must hold scores of these images, but their pixels have changed since. "
            f"Received: {os.fspath(folder.path)!r}; the first changed sample is {sequence.source.ids[place]!r}"
        )
    here = scorer(images)
    # Relative to the scores, which may all be small; not exact, because processors differ in the last digits.
    if there.shape != here.shape or not np.allclose(there, here, rtol=1e-2, atol=1e-2 * np.abs(there).max()):
        raise ValueError(
            f"`path` must hold scores of these images and this model, but those of the first batch differ. "
            f"Received: {os.fspath(folder.path)!r}"
        )


def _checked(scores: npt.NDArray[np.float32], ids: Sequence[str]) -> npt.NDArray[np.float32]:
    for row, column in np.argwhere(~np.isfinite(scores))[:1]:
        raise ValueError(
            f"`model` must give finite scores. Received: {scores[row, column]} for sample {ids[row]!r}, class {column}"
        )
    return scores


def _check_models(model: Any) -> list[keras.Model]:
    models = list(model) if isinstance(model, (list, tuple)) else [model]
    if not models or not all(isinstance(one, keras.Model) for one in models):
        received = ", ".join(type(one).__name__ for one in models) or "an empty list"
        raise TypeError(f"`model` must be a keras.Model or a list of them, at least one. Received: {received}")
    return models


def _check_sequence(sequence: Any, models: list[keras.Model], resize: bool) -> MultiChannelSequence:
    if isinstance(sequence, Source):
        return batches_for(models, sequence, resize=resize)
    if not isinstance(sequence, MultiChannelSequence):
        raise TypeError(
            "`sequence` must be Samples, another source or a MultiChannelSequence; arrays become a source by "
            f"ArraySource. Received: {type(sequence).__name__}"
        )
    for name in ("augment", "sampler", "shard"):
        if getattr(sequence, name) is not None:
            raise ValueError(
                f"`sequence` must read every sample once and as it is; make one without `{name}`. "
                f"Received: {name}={getattr(sequence, name)!r}"
            )
    return sequence


def _check_overlap(tile_overlap: float | None) -> float | None:
    if tile_overlap is not None and not 0 <= tile_overlap < 1:
        raise ValueError(f"`tile_overlap` must be a fraction of a tile, 0 up to but not 1. Received: {tile_overlap!r}")
    return tile_overlap


def _check_tile_size(tile_size: Any, tile_overlap: float | None) -> tuple[int, int] | None:
    if tile_size is None:
        return None
    sizes = np.ravel(tile_size)
    if tile_overlap is None or sizes.dtype.kind not in "iu" or len(sizes) > 2 or sizes.min() < 1:
        raise ValueError(
            "`tile_size` must be (height, width), or one number for both, and `tile_overlap` be given with it. "
            f"Received: {tile_size!r}, tile_overlap={tile_overlap!r}"
        )
    return int(sizes[0]), int(sizes[-1])
