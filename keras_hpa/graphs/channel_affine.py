"""A scale and a shift per channel, and the layers whose weights can take them over."""

from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
_SEPARABLE = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)


class ChannelAffine(NamedTuple):
    """`x * scale + shift`, one number per channel."""

    scale: Array
    shift: Array

    def then(self, other: "ChannelAffine") -> "ChannelAffine":
        """Both, one after the other."""
        return ChannelAffine(self.scale * other.scale, self.shift * other.scale + other.shift)

    def where(self, mask: npt.NDArray[np.bool_]) -> "ChannelAffine":
        """The same in the channels of `mask`; nothing happens in the others."""
        return ChannelAffine(np.where(mask, self.scale, 1.0), np.where(mask, self.shift, 0.0))


def identity(channels: int) -> ChannelAffine:
    """What changes nothing."""
    return ChannelAffine(np.ones(channels), np.zeros(channels))


def of_batch_norm(layer: keras.layers.BatchNormalization) -> ChannelAffine:
    """What a BatchNormalization does at inference."""
    weights = [np.asarray(weight, np.float64) for weight in layer.get_weights()]
    gamma = weights.pop(0) if layer.scale else 1.0
    beta = weights.pop(0) if layer.center else 0.0
    mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return ChannelAffine(scale, beta - mean * scale)


def takes_outputs(layer: Any) -> bool:
    """Whether a scale and shift of its outputs can be part of a layer's weights: it is linear, whatever it pads."""
    return (
        _is_plain(layer, (keras.layers.Dense, *_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE, *_TRANSPOSED))
        and layer.activation is keras.activations.linear
    )


def why_not_inputs(layer: Any) -> str | None:
    """Why a scale and shift of its inputs cannot be part of a layer's weights; `None` if they can."""
    if _is_plain(layer, (keras.layers.Dense,)):
        return None
    if not _is_plain(layer, (*_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE)):
        return f"feeds {layer.name!r} ({type(layer).__name__})"
    if layer.padding != "valid" and max(layer.kernel_size) > 1:
        return f"feeds the zero-padded {layer.name!r}"
    return None


def scale_outputs(layer: Any, weights: list[Array], affine: ChannelAffine) -> list[Array]:
    """The weights, a bias among them, with which a layer gives `affine` of what it gave."""
    *kernels, bias = weights
    last = kernels[-1]
    if isinstance(layer, _DEPTHWISE):
        last = last * affine.scale.reshape(last.shape[-2:])
    elif isinstance(layer, _TRANSPOSED):
        last = last * affine.scale[:, None]
    else:
        last = last * affine.scale
    return [*kernels[:-1], last, bias * affine.scale + affine.shift]


def scale_inputs(layer: Any, weights: list[Array], affine: ChannelAffine) -> list[Array]:
    """The weights, a bias among them, with which a layer gives for `x` what it gave for `affine` of `x`."""
    kernel, *others, bias = weights
    window = tuple(range(kernel.ndim - 2))
    if isinstance(layer, _DEPTHWISE + _SEPARABLE):
        shift = (kernel * affine.shift[:, None]).sum(window).ravel()
        if others:  # of a separable convolution: what mixes the channels afterwards
            shift = shift @ others[0].reshape(len(shift), -1)
        return [kernel * affine.scale[:, None], *others, bias + shift]
    groups = getattr(layer, "groups", 1)
    split = kernel.reshape(*kernel.shape[:-1], groups, -1)  # window, channels of a group, groups, filters of a group
    scale, shift = (values.reshape(groups, -1).T[..., None] for values in affine)
    total = (split * shift).sum((*window, kernel.ndim - 2)).ravel()
    return [(split * scale).reshape(kernel.shape), bias + total]


def _is_plain(layer: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a layer is one of Keras's own with weights that are what they seem to be, channels last."""
    return (
        type(layer) in kinds
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )
