"""A source of arrays in memory."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.byte_order import to_native


class ArraySource:
    """A source of arrays in memory: for images that are loaded already, and for tests.

    Args:
        images: one array of shape `(num_samples, height, width, num_channels)`, or a list of arrays of shape
            `(height, width, num_channels)` whose sizes may differ. They are not copied.
        ids: the samples' ids; "0", "1", ... unless given.
        channels: the names of the channels; "channel1", "channel2", ... unless given.

    Raises:
        ValueError: if the shapes do not fit, or ids or channels are not different or not as many as the images have.

    Example:
        >>> source = ArraySource(np.zeros((2, 8, 8, 3), "uint8"), channels=["red", "green", "blue"])
        >>> source.read(1).shape
        (8, 8, 3)
    """

    def __init__(
        self,
        images: npt.NDArray[Any] | Sequence[npt.NDArray[Any]],
        ids: Sequence[str] | None = None,
        *,
        channels: Sequence[str] | None = None,
    ):
        shapes = [np.shape(image) for image in images]
        num_channels = {shape[-1] for shape in shapes if len(shape) == 3}
        if not shapes or any(len(shape) != 3 for shape in shapes) or len(num_channels) != 1:
            raise ValueError(
                "`images` must be images of shape (height, width, num_channels), all with the same channels. "
                f"Received: shapes {sorted(set(shapes))[:5]}"
            )
        for name, given in (("ids", ids), ("channels", channels)):
            if given is not None and (isinstance(given, str) or not np.iterable(given)):
                raise ValueError(f"`{name}` must be a list of texts. Received: {given!r}")
        self.images = images
        self.ids = tuple(str(index) for index in range(len(images))) if ids is None else tuple(ids)
        if channels is None:
            channels = [f"channel{number}" for number in range(1, max(num_channels) + 1)]
        self.channels = tuple(channels)
        if not all(isinstance(name, str) for name in (*self.ids, *self.channels)):
            raise ValueError(f"`ids` and `channels` must be texts. Received: {self.ids[:3]!r}, {self.channels[:3]!r}")
        if len(self.ids) != len(images) or len(set(self.ids)) != len(self.ids):
            raise ValueError(f"`ids` must be {len(images)} different ids. Received: {ids!r}")
        if {len(self.channels)} != num_channels or len(set(self.channels)) != len(self.channels):
            raise ValueError(f"`channels` must be {max(num_channels)} different names. Received: {channels!r}")

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        return f"ArraySource({len(self)} samples, channels={self.channels})"

    def read(self, index: int) -> npt.NDArray[Any]:
        return to_native(self.images[index])
