"""Splits a field into cells without a trained network."""

import operator
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.cells.component_tree import Labels, Picture
from keras_hpa.cells.find_nuclei import estimate_diameter, find_nuclei, noise_of, reduce, working_scale
from keras_hpa.cells.grow_bodies import grow_bodies, merge_stains
from keras_hpa.cells.scikit_image import load

_LARGEST = 1e300  # differences of larger numbers may be infinite


def split_cells(
    image: npt.ArrayLike,
    *,
    nuclei: int | str,
    bodies: int | str | Sequence[int | str] = (),
    channels: Sequence[str] | None = None,
    diameter: float | None = None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Finds the nuclei of a field, and the cell around each: for when there are no masks from a trained network.

    Nuclei are the regions above a threshold that are most like ellipses with a steep edge. Each nucleus has a threshold
    of its own, so a background that is uneven, a camera's offset, and bright neighbours make no difference. Regions in
    which nuclei touch are cut at their waists. What is much fainter, smaller or more blurred than the other nuclei of
    the field is left out. Cells are grown from the nuclei by a watershed on the mean of the channels that stain
    bodies; without such channels a cell is what lies within half a nuclear diameter of its nucleus.

    All lengths inside are in diameters of a nucleus, so nothing needs tuning to an objective; only nuclei of fewer
    than eight pixels are too small. The method knows fluorescence, not brightfield: nuclei are brighter than what
    surrounds them. Where a network made for the purpose can be run (Cellpose, StarDist, HPA-Cell-Segmentation), prefer
    its masks for crowded tissue.

    Args:
        image: a field of shape `(height, width, channels)`, integers or finite floats of any range.
        nuclei: the channel in which nuclei are stained: its index, or its name where `channels` are given.
        bodies: the channels that fill the cells (microtubules and endoplasmic reticulum in the atlas): an index or a
            name, or several.
        channels: the names of the channels, `source.channels`.
        diameter: of a typical nucleus in pixels; estimated from the field where not given.

    Returns:
        Two label images, int32 of shape `(height, width)`: the nuclei and the cells, 0 where there is none, and 1, 2,
        ... in the order in which they are met from the top. A nucleus lies inside the cell of the same number. Both
        are 0 everywhere if no nucleus is found, as in an image that is constant or nothing but noise.

    Raises:
        ImportError: if scikit-image is not installed.
        TypeError: if `nuclei` or `bodies` are neither indices nor names, or `image` does not hold numbers.
        ValueError: if `image` has another number of dimensions or holds NaN or infinity in one of these channels, a
            channel does not exist, `channels` do not fit the image, or `diameter` is not above 0.

    Example:
        >>> from keras_hpa import SyntheticAtlas
        >>> drawn = SyntheticAtlas(1, image_size=256)
        >>> nuclei, cells = split_cells(
        ...     drawn.read(0), nuclei="blue", bodies=("red", "yellow"), channels=drawn.channels
        ... )
        >>> nuclei.shape, bool((cells[nuclei > 0] == nuclei[nuclei > 0]).all())
        ((256, 256), True)
    """
    pixels = np.asarray(image)
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(f"`image` must have shape (height, width, channels). Received: shape {pixels.shape}")
    if pixels.dtype.kind not in "biuf":
        raise TypeError(f"`image` must hold integers or floats. Received: dtype {pixels.dtype}")
    names = _check_channels(channels, pixels.shape[-1])
    nucleus = _index_of("nuclei", nuclei, names, pixels.shape[-1])
    several = [bodies] if isinstance(bodies, str) or not isinstance(bodies, Sequence) else bodies
    body = [_index_of("bodies", one, names, pixels.shape[-1]) for one in several]
    is_number = isinstance(diameter, (int, float, np.integer, np.floating)) and not isinstance(diameter, bool)
    if diameter is not None and not (is_number and 0 < diameter < np.inf):
        raise ValueError(f"`diameter` must be a number of pixels above 0. Received: {diameter!r}")
    used = {index: _stretched(pixels[..., index], index) for index in {nucleus, *body}}
    noise = noise_of(used[nucleus])
    used = {index: cv2.medianBlur(picture, 3) for index, picture in used.items()}  # no hot pixels

    if diameter is None:
        diameter = estimate_diameter(used[nucleus])
    if diameter is None:
        nothing = np.zeros(pixels.shape[:2], np.int32)
        return nothing, nothing.copy()
    scale = working_scale(diameter)
    nucleus_labels = find_nuclei(used[nucleus], diameter, noise)
    stained = np.stack([reduce(used[index], scale) for index in body], -1) if body else None
    cell_labels = grow_bodies(nucleus_labels, None if stained is None else merge_stains(stained), diameter * scale)
    return _agreeing(_enlarge(nucleus_labels, pixels.shape[:2]), _enlarge(cell_labels, pixels.shape[:2]))


def _check_channels(channels: Sequence[str] | None, count: int) -> list[str] | None:
    if channels is None:
        return None
    names = list(channels)
    if len(names) != count:
        raise ValueError(f"`channels` must hold {count} names, one per channel. Received: {names}")
    return names


def _index_of(argument: str, channel: int | str, names: list[str] | None, count: int) -> int:
    if isinstance(channel, str):
        if names is None:
            raise ValueError(f"`{argument}` can hold names only where `channels` are given. Received: {channel!r}")
        if channel not in names:
            raise ValueError(f"`{argument}` must name one of {names}. Received: {channel!r}")
        return names.index(channel)
    try:
        index = operator.index(channel)
    except TypeError:
        raise TypeError(f"`{argument}` must be indices or names of channels. Received: {channel!r}") from None
    if not 0 <= index < count:
        raise ValueError(f"`{argument}` must lie in 0 to {count - 1}. Received: {channel!r}")
    return index


def _stretched(pixels: npt.NDArray[np.generic], index: int) -> Picture:
    """A channel as float32 from 0 to 1."""
    if not np.isfinite(pixels).all():
        raise ValueError(f"`image` must not hold NaN or infinity. Received: one or more in channel {index}")
    # Differences count, not levels: float32 has 24 bits of them, and float64 has 53.
    if pixels.dtype.kind == "i":
        pixels = (pixels.astype(np.int64) - np.int64(pixels.min())).view(np.uint64)  # 2**63 and more come out right
    elif pixels.dtype.kind == "u":
        pixels = pixels - pixels.min()
    picture = pixels.astype(np.float64)
    if np.abs(picture).max() > _LARGEST:
        picture /= _LARGEST
    picture -= picture.min()
    picture /= picture.max() or 1.0
    return np.asarray(picture, np.float32)


def _enlarge(labels: Labels, shape: tuple[int, int]) -> Labels:
    """Labels at another size, their outlines without steps."""
    if labels.shape == shape:
        return labels
    size = shape[::-1]
    inside = cv2.resize((labels > 0).astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
    spread = load("skimage.segmentation").expand_labels(labels, 2)
    large = cv2.resize(spread.astype(np.float32), size, interpolation=cv2.INTER_NEAREST_EXACT).astype(np.int32)
    return np.where(inside, large, 0)


def _agreeing(nuclei: Labels, cells: Labels) -> tuple[Labels, Labels]:
    """Numbers both alike and without gaps, each in one piece, every nucleus inside its cell."""
    nuclei = _in_one_piece(nuclei, nuclei)
    cells = np.where(nuclei > 0, nuclei, cells)
    cells = _in_one_piece(cells, nuclei)
    numbers, first = np.unique(nuclei, return_index=True)
    there = numbers > 0
    order = np.zeros(int(cells.max()) + 1, np.int32)
    order[numbers[there][np.argsort(first[there])]] = np.arange(1, there.sum() + 1)
    return order[nuclei], order[cells]


def _in_one_piece(labels: Labels, kept: Labels) -> Labels:
    """Leaves of each label the piece that has most pixels of the same label in `kept`."""
    whole = labels.copy()
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            own = labels[box] == number
            count, numbered = cv2.connectedComponents(own.astype(np.uint8), connectivity=8)
            if count > 2:
                sizes = np.bincount(numbered[own & (kept[box] == number)], minlength=count)
                whole[box][own & (numbered != np.argmax(sizes[1:]) + 1)] = 0
    return whole
