"""One sample of any source, a user's own too, held against what a source promises."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.byte_order import to_native
from keras_hpa.data.source import Source


def read_sample(source: Source, index: int) -> npt.NDArray:
    """Reads one sample, in this machine's byte order; whatever goes wrong is an error that names the sample."""
    with naming_sample(source, index, "`source.read`"):
        return to_native(check_image(source.read(index), len(source.channels)))


def check_image(image: Any, num_channels: int) -> npt.NDArray:
    """Gives the image; refuses what is not an array of numbers of this many channels."""
    is_array = isinstance(image, np.ndarray) and not np.ma.is_masked(image)
    if is_array and image.ndim == 3 and image.size and image.shape[2] == num_channels and image.dtype.kind in "iuf":
        return np.asarray(image)
    received = f"{image.dtype} of shape {image.shape}" if is_array else type(image).__name__
    raise ValueError(
        f"`source.read` must give an array of integers or floats of shape (height, width, {num_channels}). "
        f"Received: {received}"
    )


@contextmanager
def naming_sample(source: Source, index: int, what: str) -> Iterator[None]:
    """Lets an error say which sample it is about; Keras hands no more of it on than the message."""
    try:
        yield
    except Exception as error:
        name = f"sample {source.ids[index]!r}"
        if name in str(error).replace("Sample", "sample"):
            raise
        kinds = (FileNotFoundError, OSError, MemoryError)  # what is not the sample's fault stays what it is
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        if isinstance(error, ValueError) and "Received: " in str(error):
            raise kind(f"{error} for {name}") from error
        raise kind(f"{what} must not fail. Received: {type(error).__name__}: {error} for {name}") from error
