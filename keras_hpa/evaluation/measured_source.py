"""A source that keeps the levels of what is read from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Source

_PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


class MeasuredSource:
    """The source itself; what has been read stands in `measured`.

    Args:
        source: any source.

    Attributes:
        measured: of each sample and channel seven percentiles and the standard deviation, shape
            `(num_samples, 8 * num_channels)`; NaN where it has not been read.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.measured = np.full((len(source), (len(_PERCENTILES) + 1) * len(source.channels)), np.nan)

    @property
    def ids(self) -> Sequence[str]:
        return self._source.ids

    @property
    def channels(self) -> tuple[str, ...]:
        return self._source.channels

    def __len__(self) -> int:
        return len(self._source)

    def read(self, index: int) -> npt.NDArray[Any]:
        """Reads a sample and keeps its levels."""
        image = self._source.read(index)
        pixels = np.asarray(image, np.float64).reshape(-1, image.shape[-1])
        # Ranks of a few pixels say as much, and sorting a whole image takes longer than decoding it.
        few = pixels[:: max(1, len(pixels) // 16384)]
        levels = np.percentile(few, _PERCENTILES, axis=0)
        self.measured[index] = np.concatenate([levels, few.std(axis=0, keepdims=True)]).ravel()
        return image
