"""Whether images are at the physical scale that a model was trained at."""

import warnings
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from keras_hpa.data import MultiChannelSequence
from keras_hpa.layers import GapNetPLPreprocessing, PixelSize

_MOST_OFF = 1.2
_NUM_CHECKED = 8


def warn_of_scale(models: Sequence[keras.Model], sequence: MultiChannelSequence) -> None:
    """Warns once where images are more than a fifth off the scale that a model records; looks at a few samples."""
    recorded = {size for model in models for size in _recorded(model, PixelSize)}
    recorded |= {size for model in models for size in _recorded(model, GapNetPLPreprocessing) if not recorded}
    if not recorded or not len(sequence.source):
        return
    for index in np.unique(np.linspace(0, len(sequence.source) - 1, _NUM_CHECKED).astype(int)).tolist():
        size = sequence.pixel_size_at(index)
        for wanted in sorted(recorded):
            if size is not None and not 1 / _MOST_OFF <= size / wanted <= _MOST_OFF:
                warnings.warn(
                    f"The model was trained at {wanted:.4g} micrometres per pixel, and sample "
                    f"{sequence.source.ids[index]!r} is given at {size:.4g}, so that its cells look "
                    f"{wanted / size:.2f} times as large. `pixel_size={wanted:.4g}` brings images to the model's scale",
                    stacklevel=3,
                )
                return


def _recorded(model: keras.Model, kind: type[keras.layers.Layer]) -> Iterator[float]:
    for layer in getattr(model, "layers", ()):
        if isinstance(layer, kind):
            yield float(layer.micrometres)
        yield from _recorded(layer, kind)
