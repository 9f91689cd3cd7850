"""Samples as a model takes them: images of its size and type."""

from typing import Any

import keras

from keras_hpa.data import MultiChannelSequence, Source
from keras_hpa.inference.batch_scorer import input_dtype, input_size


def batches_for(
    model: keras.Model | list[keras.Model], source: Source, *, resize: bool = True, **options: Any
) -> MultiChannelSequence:
    """Makes batches of a source at the size and of the type that a model takes: integers where it takes integers.

    Args:
        model: a model of images, or several that take the same.
        source: what to read: `Samples`, or any source.
        resize: whether to bring images to the size of the model, where it has one; without, they keep theirs.
        options: what else `MultiChannelSequence` takes; `image_size` and `dtype` stand in place of the model's.

    Raises:
        ValueError: if models take images of different sizes.

    Example:
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((48, 48, 4), 28, input_dtype="uint8")
        >>> images, labels = batches_for(model, keras_hpa.SyntheticAtlas(5, image_size=64))[0]
        >>> images.shape, images.dtype.name
        ((5, 48, 48, 4), 'uint8')
    """
    models = model if isinstance(model, list) else [model]
    height, width = input_size(models) if resize else (None, None)
    taken: dict[str, Any] = {
        "image_size": (height, width) if height and width else None,
        "dtype": "source" if "int" in (input_dtype(models[0]) or "") else "float32",
    }
    return MultiChannelSequence(source, **(taken | options))
