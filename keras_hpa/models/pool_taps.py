"""The heart of GapNet: feature maps of several depths, pooled over the image and joined."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras

Pooling = Literal["avg", "max", "avg+max"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


def pool_taps(taps: Sequence[Any], pooling: Pooling, others: Sequence[Any] = ()) -> Any:
    """Pools feature maps `(batch, height, width, channels)` over the image and concatenates them and other vectors.

    The pooling layers are named `tap1`, `tap2`, ...; with `"avg+max"`, `tap1_avg` and `tap1_max`.
    """
    pooled = []
    for number, tap in enumerate(taps, start=1):
        for kind in pooling.split("+"):
            pool = {"avg": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}[kind]
            name = f"tap{number}_{kind}" if pooling == "avg+max" else f"tap{number}"
            pooled.append(pool(data_format="channels_last", name=name)(tap))
    pooled += others
    return keras.layers.Concatenate(name="taps")(pooled) if len(pooled) > 1 else pooled[0]
