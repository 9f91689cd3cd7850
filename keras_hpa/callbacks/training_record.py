"""What a training is of, as text: a backup records it, so that the training goes on with the same."""

import hashlib
import json
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import MultiChannelSequence


def describe_optimizer(optimizer: keras.optimizers.Optimizer) -> dict[str, Any]:
    """Gives kind and settings of an optimizer, without names and a learning rate that is a number: it may fall."""
    return _settled(json.loads(json.dumps(keras.saving.serialize_keras_object(optimizer), default=str)))


def describe_data(x: Any, y: Any) -> dict[str, Any]:
    """Gives what is trained on: a sequence of ours or arrays; nothing of anything else.

    Of the images the first, the middle and the last are looked at.
    """
    if isinstance(x, MultiChannelSequence):
        return {
            "ids": _digest(np.array(x.source.ids)),
            "channels": list(x.source.channels),
            "class_names": list(getattr(x.source, "class_names", None) or ()),
            "labels": None if x.labels is None else _digest(x.labels),
            "images": [_digest(np.asarray(x.source.read(index))) for index in _looked_at(len(x.source))],
        }
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return {"labels": _digest(y), "images": [_digest(x[index]) for index in _looked_at(len(x))]}
    return {}


def _looked_at(num_samples: int) -> list[int]:
    return sorted({0, num_samples // 2, num_samples - 1})


def _digest(array: npt.NDArray[Any]) -> str:
    about = f"{array.dtype.str} {array.shape}".encode()
    return hashlib.sha256(about + np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def _settled(value: Any) -> Any:
    if isinstance(value, list):
        return [_settled(one) for one in value]
    if not isinstance(value, dict):
        return value
    may_differ = {"name"} | ({"learning_rate"} if isinstance(value.get("learning_rate"), int | float) else set())
    return {key: _settled(one) for key, one in value.items() if key not in may_differ}
