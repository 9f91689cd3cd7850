"""The byte order of arrays."""

from typing import Any

import numpy as np
import numpy.typing as npt


def to_native(array: npt.ArrayLike) -> npt.NDArray[Any]:
    """Gives the same values in this machine's byte order: OpenCV, TensorFlow and JAX take bytes as they are stored."""
    native = np.asarray(array)
    return native.astype(native.dtype.newbyteorder("="), copy=False)
