"""The members of GapNet's family, as options of one builder."""

from types import MappingProxyType
from typing import Any

from keras_hpa.atlas import CHANNELS

_REPORT: dict[str, Any] = {
    "stem_strides": 1,
    "filters": (32, 64, 128),
    "depths": (1, 3, 3),
    "padding": "valid",
    "activation": "relu",
    "normalization": "batch",
    "dropout": 0.25,
    "texture": (),
    "head_units": (256, 256),
    "head_dropout": (0.25, 0.1),
}
# The report's network on half the resolution from its first convolution on: 0.29 times the multiply-adds.
_LIGHT = _REPORT | {"stem_strides": 2, "padding": "same", "normalization": "batch-warm-up"}

VARIANTS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "report": _REPORT,
        "gapnet-pl": {
            "stem_strides": 2,
            "filters": (32, 64, 128),
            "depths": (1, 4, 3),
            "padding": "symmetric",
            "activation": "selu",
            "normalization": "none",
            "dropout": 0.0,
            "texture": (),
            "head_units": (256, 256),
            "head_dropout": (0.3, 0.3),
        },
        "light": _LIGHT,
        # What the weights "drawn" are for.
        "textured": _LIGHT | {"texture": (CHANNELS.index("green"),), "dropout": 0.0, "head_dropout": (0.0, 0.0)},
    }
)
"""Options of `GapNet` by the name of a variant."""


def block_strides(block: int, number: int, options: dict[str, Any]) -> int:
    """Strides of a convolution: the stem's is an option, the second block halves the image, deeper ones keep it."""
    if number > 1:
        return 1
    return {1: options["stem_strides"], 2: 2}.get(block, 1)


def smallest_size(options: dict[str, Any]) -> int:
    """How many pixels an image must have a side so that every feature map has at least one."""
    if options["padding"] != "valid":
        return 1
    smallest = 1
    num_blocks = len(options["filters"])
    for block in range(num_blocks, 0, -1):
        smallest *= 2 if block < num_blocks else 1
        for number in range(options["depths"][block - 1], 0, -1):
            smallest = block_strides(block, number, options) * (smallest - 1) + 3
    return smallest
