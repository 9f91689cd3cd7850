"""A cell's pixels as a text."""

import base64
import zlib

import numpy as np
import numpy.typing as npt


def encode_mask(mask: npt.ArrayLike) -> str:
    """Writes the mask of a cell as the 2021 challenge of the Human Protein Atlas takes it.

    The lengths of runs of 0 and of 1, column after column, in COCO's text form, compressed by zlib, in base64.
    `pycocotools.mask.decode` reads it back, after base64 and zlib.

    Args:
        mask: booleans, or 0 and 1, of shape `(height, width)`, of the whole image.

    Raises:
        ValueError: if the mask has another shape, or holds anything else.

    Example:
        >>> encode_mask([[0, 1, 1], [0, 0, 1]])
        'eNozMjQ0BAAB8gDG'

    References:
        `rleEncode` and `rleToString` in `maskApi.c` of github.com/cocodataset/cocoapi.
    """
    array = np.asarray(mask)
    if array.ndim != 2 or not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"`mask` must be 0 and 1 of shape (height, width). Received: {array.dtype} of shape {array.shape}"
        )
    return encode_cell(array.astype(bool), (0, 0), array.shape)


def encode_cell(cell: npt.NDArray[np.bool_], start: tuple[int, int], shape: tuple[int, ...]) -> str:
    """Writes the mask of a cell that is given by its box, whose upper left corner is `start`, as `encode_mask` does."""
    columns, rows = cell.T.nonzero()
    places = (columns + start[1]) * shape[0] + rows + start[0]
    is_first = np.ones(len(places), bool)
    is_first[1:] = np.diff(places) > 1
    is_last = np.roll(is_first, -1)
    bounds = np.stack([places[is_first], places[is_last] + 1], axis=1).ravel()
    counts = np.diff(bounds, prepend=0, append=shape[0] * shape[1])
    if not counts[-1] and len(counts) > 1:
        counts = counts[:-1]
    return base64.b64encode(zlib.compress(_to_text(counts), zlib.Z_BEST_COMPRESSION)).decode("ascii")


def _to_text(counts: npt.NDArray[np.integer]) -> bytes:
    """COCO's text: groups of five bits, the lowest first, of differences from the last run but one."""
    differences = counts.copy()
    differences[3:] -= counts[1:-2]
    text = bytearray()
    for rest in differences.tolist():
        while True:
            group, rest = rest & 31, rest >> 5
            is_end = rest == (-1 if group & 16 else 0)
            text.append(48 + group + (0 if is_end else 32))
            if is_end:
                break
    return bytes(text)
