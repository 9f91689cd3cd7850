"""A scale and a shift per channel, and the layers whose weights can absorb them."""

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
        """The same in the channels of `mask`; the identity in the others."""
        return ChannelAffine(np.where(mask, self.scale, 1.0), np.where(mask, self.shift, 0.0))


def of_batch_norm(layer: keras.layers.BatchNormalization) -> ChannelAffine:
    """What a BatchNormalization does at inference."""
    gamma, beta, mean, variance = (
        np.asarray(0.0 if weight is None else keras.ops.convert_to_numpy(weight), np.float64)
        for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    )
    scale = (gamma if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    return ChannelAffine(scale, beta - mean * scale)


def takes_outputs(layer: Any) -> bool:
    """Whether a layer's weights can absorb a scale and shift of its outputs: it must be linear, and may pad."""
    return (
        _is_plain(layer, (keras.layers.Dense, *_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE, *_TRANSPOSED))
        and layer.activation is keras.activations.linear
    )


def why_not_inputs(layer: Any) -> str | None:
    """Why a layer's weights cannot absorb a scale and shift of its inputs; `None` if they can."""
    if _is_plain(layer, (keras.layers.Dense,)):
        return None
    if not _is_plain(layer, (*_CONVOLUTIONS, *_DEPTHWISE, *_SEPARABLE)):
        return f"feeds {layer.name!r} ({type(layer).__name__})"
    if layer.padding != "valid" and max(layer.kernel_size) > 1:
        return f"feeds the zero-padded {layer.name!r}"
    return None


def scale_outputs(layer: Any, weights: list[Array], affine: ChannelAffine) -> list[Array]:
    """The weights, with a bias, for which a layer returns `affine` of its present outputs."""
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
    """The weights, with a bias, for which a layer returns for `x` what it now returns for `affine` of `x`."""
    kernel, *others, bias = weights
    window = tuple(range(kernel.ndim - 2))
    if isinstance(layer, _DEPTHWISE + _SEPARABLE):
        shift = (kernel * affine.shift[:, None]).sum(window).ravel()
        if others:  # the pointwise kernel of a separable convolution
            shift = shift @ others[0].reshape(len(shift), -1)
        return [kernel * affine.scale[:, None], *others, bias + shift]
    groups = getattr(layer, "groups", 1)
    split = kernel.reshape(*kernel.shape[:-1], groups, -1)  # window, channels of a group, groups, filters of a group
    scale, shift = (values.reshape(groups, -1).T[..., None] for values in affine)
    total = (split * shift).sum((*window, kernel.ndim - 2)).ravel()
    return [(split * scale).reshape(kernel.shape), bias + total]


def _is_plain(layer: Any, kinds: tuple[type, ...]) -> bool:
    """Whether a layer is one of Keras's own, channels last, whose kernel is neither quantised nor adapted by LoRA."""
    return (
        type(layer) in kinds
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )
