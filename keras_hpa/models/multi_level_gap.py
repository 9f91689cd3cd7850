"""GapNet's idea on any network: every depth of it pooled over the image."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_hpa.graphs import check_channels_last
from keras_hpa.models.pool_taps import POOLINGS, Pooling, pool_taps

_SMALLEST_STRIDE = 4


def multi_level_gap(
    backbone: keras.Model,
    taps: Sequence[str | int] | None = None,
    *,
    pooling: Pooling = "avg",
    squeeze_excite: int | None = None,
    name: str = "multi_level_gap",
) -> keras.Model:
    """Pools feature maps of several depths of a network over the image and joins them to one vector.

    A classifier on top of the last feature maps sees what is large; fine textures, by which filaments and vesicles are
    told apart, are gone by then. This gives it all of them. The backbone's layers are shared, not copied.

    Layers are named as in `GapNet`: `tap1`, `tap2`, ... (`tap1_avg`, `tap1_max` with both poolings) and `taps`.

    Args:
        backbone: any functional model of images, such as one of `keras.applications` without its top.
        taps: which feature maps: a layer's name, or a stride (8 for the last layer whose maps are an eighth of the
            image); several, in the order in which they are joined. `None` takes the last layer at every stride from
            4 to that of the deepest maps.
        pooling: `"avg"`, `"max"` or `"avg+max"`.
        squeeze_excite: before pooling, weigh the channels of each tap by what the whole image shows, through a
            bottleneck this many times narrower; `None` does without.
        name: the model's name.

    Input shape:
        The backbone's.

    Output shape:
        `(batch, features)`: the channels of all taps together, twice with `"avg+max"`.

    Returns:
        A functional `keras.Model`.

    Raises:
        TypeError: if `backbone` is not a functional model of one image.
        ValueError: if the backbone has no feature maps, takes channels first, or ends in tokens, as a vision
            transformer does, and the taps are not named; if a tap does not exist, is no feature map, or is asked for by
            stride where the image has no size.

    Example:
        >>> backbone = keras.applications.MobileNetV2((96, 96, 3), include_top=False, weights=None)
        >>> multi_level_gap(backbone, taps=[8, 16, 32]).output_shape
        (None, 2048)

    References:
        - Rumetshofer et al., Human-level protein localization with convolutional neural networks, ICLR 2019.
        - Hu et al., Squeeze-and-excitation networks, CVPR 2018.
    """
    if not isinstance(backbone, keras.Model) or len(getattr(backbone, "inputs", None) or ()) != 1:
        raise TypeError(f"`backbone` must be a functional model of one image. Received: {backbone!r}")
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {list(POOLINGS)}. Received: {pooling!r}")
    if squeeze_excite is not None and squeeze_excite < 1:
        raise ValueError(f"`squeeze_excite` must be at least 1 or None. Received: {squeeze_excite!r}")
    check_channels_last(backbone, "backbone")
    maps = find_taps(backbone, taps)
    if squeeze_excite is not None:
        maps = [_squeeze_and_excite(x, int(squeeze_excite), f"tap{number}") for number, x in enumerate(maps, start=1)]
    return keras.Model(backbone.inputs[0], pool_taps(maps, pooling), name=name)


def find_taps(backbone: keras.Model, taps: Sequence[str | int] | None) -> list[Any]:
    """The feature maps of a functional model that `taps` asks for."""
    maps = {
        layer.name: layer.output
        for layer in backbone.layers
        # Borders that the next convolution needs are no features.
        if not isinstance(layer, keras.layers.InputLayer | keras.layers.ZeroPadding2D | keras.layers.Cropping2D)
        and len(getattr(layer.output, "shape", ())) == 4
    }
    if not maps:
        raise ValueError(f"`backbone` must have feature maps, of rank 4. Received: {backbone.name!r}, which has none")
    if taps is not None:
        if isinstance(taps, str) or not np.iterable(taps) or not len(taps):
            raise ValueError(f"`taps` must be a list of at least one layer's name or stride. Received: {taps!r}")
        taps = [tap.item() if isinstance(tap, np.integer) else tap for tap in taps]
    if taps is not None and all(isinstance(tap, str) for tap in taps):
        by_stride: dict[int, Any] = {}
    else:
        by_stride = _last_of_each_stride(backbone, maps)
    if taps is None:
        taps = [stride for stride in by_stride if stride >= _SMALLEST_STRIDE] or list(by_stride)[-1:]
    chosen = []
    for tap in taps:
        known: dict[Any, Any] = maps if isinstance(tap, str) else by_stride
        if tap not in known:
            what = f"a layer of {backbone.name!r} with feature maps" if isinstance(tap, str) else "a stride of the maps"
            raise ValueError(f"Every tap must be {what}: {list(known)}. Received: {tap!r}")
        chosen.append(known[tap])
    return chosen


def _last_of_each_stride(backbone: keras.Model, maps: dict[str, Any]) -> dict[int, Any]:
    height = backbone.inputs[0].shape[1]
    ranks = [len(getattr(layer.output, "shape", ())) for layer in backbone.layers]
    if 3 in ranks[-1 - ranks[::-1].index(4) :] and len({x.shape[1:3] for x in maps.values()}) == 1:
        raise ValueError(
            "`taps` must be names of layers where the backbone goes on with tokens, as a vision transformer does: only "
            f"its patches are feature maps, {list(maps)}. Received: {backbone.name!r}"
        )
    if height is None:
        raise ValueError(
            "`taps` must be names of layers where the backbone's image has no fixed size. "
            f"Received: input shape {tuple(backbone.inputs[0].shape)}"
        )
    deepest = list(maps.values())[-1].shape[1]
    # Maps smaller than the last ones belong to side branches, such as squeeze-and-excite.
    strides = {name: 2 ** round(math.log2(height / x.shape[1])) for name, x in maps.items() if x.shape[1] >= deepest}
    return dict(sorted({stride: maps[name] for name, stride in strides.items()}.items()))


def _squeeze_and_excite(x: Any, ratio: int, name: str) -> Any:
    channels = x.shape[-1]
    weights = keras.layers.GlobalAveragePooling2D(data_format="channels_last", keepdims=True, name=f"{name}_squeeze")(x)
    weights = keras.layers.Dense(max(1, channels // ratio), activation="relu", name=f"{name}_reduce")(weights)
    weights = keras.layers.Dense(channels, activation="sigmoid", name=f"{name}_excite")(weights)
    return keras.layers.Multiply(name=f"{name}_weigh")([x, weights])
