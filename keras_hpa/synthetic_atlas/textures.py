"""Random textures, drawn once in a process and then cut, turned and scaled for every sample."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

_BANK_PIXEL = 0.32  # micrometres
_BANK_SIZE = 1024
_GRAINS = {"grain": 0.32, "fine": 0.55, "medium": 1.1, "coarse": 2.8}  # correlation length, micrometres


def texture(kind: str, rng: np.random.Generator, shape: tuple[int, int], pixel: float) -> npt.NDArray[np.float32]:
    """A piece of texture with mean 0 and, where the pixels resolve it, standard deviation 1.

    Coarser pixels average the texture, as they do in a microscope, so its contrast falls.

    Args:
        kind: `"grain"`, `"fine"`, `"medium"` or `"coarse"`.
        rng: decides where the piece is cut and how it is turned.
        shape: height and width in pixels.
        pixel: the width of a pixel in micrometres.
    """
    level = max(0, round(np.log2(pixel / _BANK_PIXEL)))
    bank = _bank(kind, level)
    scale = pixel / (_BANK_PIXEL * 2**level)
    height, width = (min(max(2, round(size * scale)), len(bank)) for size in shape)
    top, left = (rng.random(2) * (len(bank) - np.array([height, width]) + 1)).astype(int)
    piece = bank[top : top + height, left : left + width]
    piece = cv2.resize(piece, shape[::-1]) if piece.shape != shape else piece
    turn = int(rng.integers(0, 4))
    return np.ascontiguousarray(piece[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1])


@cache
def _bank(kind: str, level: int) -> npt.NDArray[np.float32]:
    if level:
        return np.asarray(cv2.resize(_bank(kind, level - 1), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    noise = np.random.default_rng([list(_GRAINS).index(kind)]).standard_normal((_BANK_SIZE, _BANK_SIZE), np.float32)
    margin = 64
    padded = np.pad(noise, margin, mode="wrap")
    smooth = cv2.GaussianBlur(padded, (0, 0), _GRAINS[kind] / _BANK_PIXEL)[margin:-margin, margin:-margin]
    return np.asarray((smooth - smooth.mean()) / smooth.std(), np.float32)
