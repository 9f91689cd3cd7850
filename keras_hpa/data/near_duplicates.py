"""Groups of samples that show nearly the same."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import read_sample
from keras_hpa.data.progress import Progress
from keras_hpa.data.resizing import resize_image
from keras_hpa.data.source import Source

_SIZE, _FREQUENCIES, _CHUNK = 32, 8, 256


Groups = npt.NDArray[np.intp]


@overload
def near_duplicate_groups(
    source: Source, *, max_distance: float = 0.1, workers: int | None = None, verbose: int = 1
) -> Groups: ...


@overload
def near_duplicate_groups(
    source: Sequence[Source], *, max_distance: float = 0.1, workers: int | None = None, verbose: int = 1
) -> list[Groups]: ...


def near_duplicate_groups(
    source: Source | Sequence[Source], *, max_distance: float = 0.1, workers: int | None = None, verbose: int = 1
) -> Groups | list[Groups]:
    """Finds samples that are nearly the same image, by perceptual hash, and puts them into one group.

    Public sets hold the same field more than once: saved again, or imaged again a moment later. On two sides of a
    split they reward a network that memorises. `Samples(samples, groups=...)` keeps each group on one side.

    A channel's hash has 64 bits: for each of the lowest 8 x 8 frequencies of its cosine transform, at 32 x 32 pixels,
    whether it is above their median. It does not change with brightness and hardly with scale, noise or compression.
    It does with turning, flipping and shifting. A channel that shows nothing, all its values equal, has no hash: it
    counts for nothing where it is blank in both samples, and as unlike where it is blank in one.

    Args:
        source: any source; or a list of sources with the same number of channels, such as what was trained on and what
            is tested on, to find what is in both.
        max_distance: the largest share of the bits of all channels by which two samples of a group may differ; two
            that have nothing in common differ in about half. Groups are closed: of two neighbours' neighbours too.
        workers: threads that read; one per core unless given.
        verbose: 1 shows a progress bar, 0 does not.

    Returns:
        The group number of each sample, from 0 on in the order of the source; of several sources a list of these, in
        which one number is one group.

    Raises:
        ValueError: if `max_distance` does not lie between 0, included, and 0.5; if a sample cannot be read.

    References:
        Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010).

    Example:
        >>> from keras_hpa import ArraySource
        >>> images = np.random.default_rng(0).integers(256, size=(3, 64, 64, 4)).astype("uint8")
        >>> images[2] = images[0] // 2  # the same field with half the light
        >>> near_duplicate_groups(ArraySource(images), verbose=0).tolist()
        [0, 1, 0]
    """
    if not 0 <= max_distance < 0.5:
        raise ValueError(f"`max_distance` must lie between 0, included, and 0.5. Received: {max_distance}")
    sources = [source] if isinstance(source, Source) else list(source)
    if not sources or len({len(one.channels) for one in sources}) > 1:
        channels = [one.channels for one in sources]
        raise ValueError(f"`source` must be one, or several with as many channels each. Received: channels {channels}")
    places = [(one, index) for one in sources for index in range(len(one))]
    progress = Progress(len(places), verbose)
    hashes = []
    with ThreadPoolExecutor(workers or os.cpu_count()) as executor:
        for number, bits in enumerate(executor.map(lambda place: _hash(read_sample(*place)), places)):
            hashes.append(bits)
            progress.update(number + 1)
    groups = _number_groups(hashes, max_distance)
    if isinstance(source, Source):
        return groups
    ends = np.cumsum([len(one) for one in sources])[:-1]
    return np.split(groups, ends)


def _number_groups(hashes: list[npt.NDArray[np.int8]], max_distance: float) -> Groups:
    """Numbers the groups in the order in which they occur."""
    if not hashes:
        return np.zeros(0, np.intp)
    # Each hash once: of samples that are equal, the blank ones above all, there may be many.
    unique, inverse = np.unique(np.array(hashes), axis=0, return_inverse=True)
    labels = _groups(unique.reshape(len(unique), -1, _FREQUENCIES**2), max_distance)[inverse.ravel()]
    first = {label: number for number, label in enumerate(dict.fromkeys(labels.tolist()))}
    return np.array([first[label] for label in labels.tolist()])


def _groups(hashes: npt.NDArray[np.int8], max_distance: float) -> npt.NDArray[Any]:
    """Labels connected samples, a few rows at a time: all pairs at once could be more than memory holds."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(hashes)
    signs = hashes.reshape(count, -1).astype(np.float32)
    shown = (hashes != 0).any(axis=2).astype(np.float32)
    labels = np.arange(count)
    for start in range(0, count, _CHUNK):
        rows = slice(start, start + _CHUNK)
        # As many bits differ as the product of two rows of -1 and 1 says; where one row has 0, half do.
        both = shown[rows] @ shown[start:].T
        either = shown[rows].sum(axis=1)[:, None] + shown[start:].sum(axis=1) - both
        least = either * _FREQUENCIES**2 * (1 - 2 * max_distance)
        row, column = np.nonzero(signs[rows] @ signs[start:].T >= least - 0.5)
        joined = np.concatenate([row + start, np.arange(count)]), np.concatenate([column + start, labels])
        graph = coo_matrix((np.ones(len(joined[0]), bool), joined), shape=(count, count))
        found = connected_components(graph, directed=False)[1]
        labels = np.unique(found, return_index=True)[1][found]  # the first sample of each group
    return labels


def _hash(image: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    import cv2

    small = resize_image(image.astype(np.float32), (_SIZE, _SIZE))
    bits = []
    for channel in range(image.shape[2]):
        frequencies = cv2.dct(np.ascontiguousarray(small[..., channel]))[:_FREQUENCIES, :_FREQUENCIES]
        is_blank = image[..., channel].min() == image[..., channel].max()
        is_above = frequencies > np.median(frequencies)
        bits.append(np.where(is_above, 1, -1).ravel() * (not is_blank))
    return np.concatenate(bits).astype(np.int8)
