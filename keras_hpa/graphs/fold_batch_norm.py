"""The same function with fewer operations: BatchNormalization folded into neighbouring weights."""

from collections import Counter
from typing import Any

import keras
import numpy as np

from keras_hpa.graphs.channel_affine import (
    ChannelAffine,
    of_batch_norm,
    scale_inputs,
    scale_outputs,
    takes_outputs,
    why_not_inputs,
)
from keras_hpa.graphs.folded_model import FoldedModel
from keras_hpa.graphs.model_graph import Call, Changes, ModelGraph, is_functional, rebuild, trace

_COMMUTING = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
    keras.layers.Cropping1D,
    keras.layers.Cropping2D,
    keras.layers.Cropping3D,
)
"""Layers that do nothing at inference, or average or select positions."""
_MAXIMA = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)
_MEANS = (keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D)


def fold_batch_norm(model: keras.Model) -> FoldedModel:
    """Folds BatchNormalization into the neighbouring convolutions and dense layers, wherever the outputs stay the same.

    At inference BatchNormalization is a scale and a shift per channel. An adjacent linear layer can apply both with its
    own weights, which saves a pass over the feature maps; in a network such as GapNet these passes take much of the
    time. Folded are

    - layers that follow a convolution or dense layer with no activation in between, whether it pads or not;
    - layers before a convolution without padding, or before a dense layer, also across dropout, average pooling, global
      average pooling, flattening, concatenation of channels, and across max pooling in the channels whose scale is not
      negative;
    - layers before another BatchNormalization, which absorbs them.

    Before a zero-padded convolution a layer is kept, because the border would change. It is also kept where anything
    else (an activation, a sum, a nested model, an output) uses its values; `kept` lists the reasons. A network without
    BatchNormalization comes back as a copy.

    The folded model is for inference: train the original.

    Args:
        model: a functional or sequential model; nested models are folded too. It is not changed, and shares nothing
            with the result. A subclass of BatchNormalization is folded if it declares
            `batch_norm_at_inference = True`: that at inference it normalises by `moving_mean` and `moving_variance`
            exactly as its parent does.

    Returns:
        A `FoldedModel`: `model`, and the names of the layers `folded` and `kept`. Names and dtypes are the same, and
        the model can be saved. Outputs differ by rounding only.

    Raises:
        TypeError: if `model` is not a functional or sequential model.

    Example:
        >>> from keras_hpa.models import GapNet
        >>> folded = fold_batch_norm(GapNet((76, 76, 4), 28, variant="report"))
        >>> folded
        FoldedModel of 'gapnet': 11 of 11 BatchNormalization layers folded
        >>> fold_batch_norm(GapNet((76, 76, 4), 28)).kept["block1_norm1"]
        "feeds the zero-padded 'block1_conv1'"

    References:
        Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only inference,
        CVPR 2018 (section 3.2).
    """
    if not is_functional(model):
        raise TypeError(f"`model` must be a functional or sequential model. Received: {model!r}")
    return _fold(model)


def _fold(model: keras.Model) -> FoldedModel:
    graph = trace(model)
    plan = _Plan(graph)
    folded, kept, changes = plan.folded, plan.kept, plan.changes
    in_training = {call.layer for call in graph.calls if call.trains}
    for layer in dict.fromkeys(call.layer for call in graph.calls):
        if is_functional(layer) and layer not in in_training:
            inner = _fold(layer)
            changes.layers[layer] = inner.model
            folded.extend(f"{layer.name}/{name}" for name in inner.folded)
            kept.update({f"{layer.name}/{name}": reason for name, reason in inner.kept.items()})
    return FoldedModel(rebuild(model, graph, changes), tuple(folded), kept)


class _Plan:
    """What happens to every layer of one graph.

    Attributes:
        folded: names of the BatchNormalization layers that are removed.
        kept: names of those that remain, and why.
        changes: the new configs and weights of the layers, and what replaces the removed ones.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._outputs = set(graph.outputs)
        self._uses = Counter(call.layer for call in graph.calls)
        self._producer = {tensor: call for call in graph.calls for tensor in call.outputs}
        self._consumers: dict[keras.KerasTensor, list[Call]] = {}
        for call in graph.calls:
            for tensor in call.inputs:
                self._consumers.setdefault(tensor, []).append(call)
        # The scale and shift that turn a tensor of the new model into that of the old one.
        self._pending: dict[keras.KerasTensor, ChannelAffine] = {}
        self.folded: list[str] = []
        self.kept: dict[str, str] = {}
        self.changes = Changes()
        for call in graph.calls:
            if isinstance(call.layer, keras.layers.BatchNormalization):
                self._place(call)
            elif any(tensor in self._pending for tensor in call.inputs):
                self._pass_on(call)

    def _place(self, call: Call) -> None:
        """Decides about one BatchNormalization."""
        layer = call.layer
        obstacle = self._why_not_plain(call)
        if obstacle is not None:
            self.kept[layer.name] = obstacle
            return
        before, after = call.inputs[0], call.outputs[0]
        own = of_batch_norm(layer)
        source = self._producer.get(before)
        if (
            source is not None
            and takes_outputs(source.layer)
            and self._uses[source.layer] == 1
            and len(self._consumers[before]) == 1
            and before not in self._outputs
        ):
            self.changes.weights[source.layer] = scale_outputs(source.layer, self._weights_of(source.layer), own)
            self._producer[after] = source
            self._remove(layer)
            return
        whole = self._pending[before].then(own) if before in self._pending else own
        obstacle, maximum = self._why_not_beyond(after, False), self._why_not_beyond(after, True)
        movable = np.full(len(whole.scale), obstacle is None)
        if obstacle is None and maximum is not None:
            movable = whole.scale >= 0
            obstacle = None if movable.all() else f"{(~movable).sum()} of {len(movable)} channels {maximum}"
        if movable.any():
            self._pending[after] = whole.where(movable)
        if obstacle is None:
            self._remove(layer)
            return
        self.kept[layer.name] = obstacle
        if movable.any() or before in self._pending:
            self.changes.layers[layer] = _as_batch_norm(whole.where(~movable), call)

    def _remove(self, layer: keras.layers.BatchNormalization) -> None:
        self.folded.append(layer.name)
        self.changes.layers[layer] = lambda inputs, **_: inputs

    def _why_not_plain(self, call: Call) -> str | None:
        layer = call.layer
        if type(layer) is not keras.layers.BatchNormalization and not getattr(layer, "batch_norm_at_inference", False):
            return f"is of another class, {type(layer).__name__}"
        if call.trains:
            return "normalises by the batch, also at inference"
        if self._uses[layer] > 1:
            return f"is used {self._uses[layer]} times"
        if layer.axis not in (-1, len(call.inputs[0].shape) - 1):
            return f"has its channels on axis {layer.axis}, not the last"
        return None

    def _why_not_beyond(self, tensor: keras.KerasTensor, has_negative: bool) -> str | None:
        """Why the layers after a tensor cannot absorb a scale and shift of it; `None` if all of them can."""
        if tensor in self._outputs:
            return "is an output of the model"
        for call in self._consumers.get(tensor, []):
            layer = call.layer
            if isinstance(layer, keras.layers.BatchNormalization) and self._why_not_plain(call) is None:
                continue
            if isinstance(layer, _MAXIMA) and has_negative and _commutes(call):
                return f"have a negative scale before the max pooling {layer.name!r}"
            if _commutes(call):
                reason = self._why_not_beyond(call.outputs[0], has_negative)
            else:
                reason = why_not_inputs(layer)
                if reason is None and self._uses[layer] > 1:
                    reason = f"feeds {layer.name!r}, which is used {self._uses[layer]} times"
            if reason is not None:
                return reason
        return None

    def _pass_on(self, call: Call) -> None:
        """Moves the pending scale and shift past a layer, or into it."""
        layer = call.layer
        if not _commutes(call):
            affine = self._pending[call.inputs[0]]
            self.changes.weights[layer] = scale_inputs(layer, self._weights_of(layer), affine)
            return
        if isinstance(layer, keras.layers.Concatenate):
            ones = [np.ones(tensor.shape[-1]) for tensor in call.inputs]
            parts = [
                self._pending.get(tensor, ChannelAffine(one, 0 * one))
                for tensor, one in zip(call.inputs, ones, strict=True)
            ]
            moved = ChannelAffine(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        else:
            moved = self._pending[call.inputs[0]]
            if isinstance(layer, keras.layers.Flatten):
                positions = int(np.prod(call.inputs[0].shape[1:-1]))
                moved = ChannelAffine(*(np.tile(values, positions) for values in moved))
        self._pending[call.outputs[0]] = moved

    def _weights_of(self, layer: Any) -> list[np.ndarray]:
        """The weights with the changes so far, and with a bias."""
        if layer in self.changes.weights:
            return self.changes.weights[layer]
        weights = [np.asarray(weight, np.float64) for weight in layer.get_weights()]
        if not layer.use_bias:
            self.changes.configs[layer] = {"use_bias": True}
            weights.append(np.zeros(1))
        return weights


def _as_batch_norm(affine: ChannelAffine, call: Call) -> keras.layers.BatchNormalization:
    """A BatchNormalization that applies this scale and shift, to replace the one that is called."""
    old = call.layer
    new = keras.layers.BatchNormalization(name=old.name, dtype=old.dtype_policy, trainable=old.trainable)
    new.build(call.inputs[0].shape)
    zeros = np.zeros_like(affine.scale)
    new.set_weights([affine.scale, affine.shift, zeros, zeros + 1 - new.epsilon])
    return new


def _commutes(call: Call) -> bool:
    """Whether a scale (not negative, for maxima) and shift per channel before this layer equals the same after it."""
    layer = call.layer
    if call.trains or getattr(layer, "data_format", None) == "channels_first":
        return False
    kind = type(layer)
    if kind is keras.layers.Concatenate:
        return layer.axis in (-1, len(call.outputs[0].shape) - 1)
    if kind is keras.layers.Flatten:
        return None not in call.inputs[0].shape[1:]
    if kind is keras.layers.Activation:
        return layer.activation is keras.activations.linear
    if kind in _MEANS:
        return layer.padding == "valid"
    return kind in _COMMUTING + _MAXIMA
