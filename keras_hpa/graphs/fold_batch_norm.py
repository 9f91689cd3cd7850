"""The same function with fewer operations: BatchNormalization moved into the weights beside it."""

from collections import Counter
from typing import Any

import keras
import numpy as np

from keras_hpa.graphs.channel_affine import (
    ChannelAffine,
    identity,
    of_batch_norm,
    scale_inputs,
    scale_outputs,
    takes_outputs,
    why_not_inputs,
)
from keras_hpa.graphs.folded_model import FoldedModel
from keras_hpa.graphs.model_graph import Call, ModelGraph, Slot, is_functional, new_inputs, replay, trace

_AT_INFERENCE_NOTHING = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.AlphaDropout,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
)
_MAXIMA = (
    keras.layers.MaxPooling1D,
    keras.layers.MaxPooling2D,
    keras.layers.MaxPooling3D,
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)
_MEANS = (keras.layers.AveragePooling1D, keras.layers.AveragePooling2D, keras.layers.AveragePooling3D)
_GLOBAL_MEANS = (keras.layers.GlobalAveragePooling2D, keras.layers.GlobalAveragePooling3D)
_CROPPINGS = (keras.layers.Cropping1D, keras.layers.Cropping2D, keras.layers.Cropping3D)


def fold_batch_norm(model: keras.Model) -> FoldedModel:
    """Moves BatchNormalization into neighbouring convolutions and dense layers, wherever that changes nothing.

    At inference BatchNormalization is a scale and a shift per channel. A linear layer beside it can do both by itself:
    one pass over the feature maps less, and the maps are what costs time in a network such as GapNet. Folded is

    - what follows a convolution or dense layer without an activation in between, whatever that layer pads;
    - what comes before a convolution that does not pad, or a dense layer; on the way there it passes through dropout,
      average pooling, global average pooling, flattening, joins of channels, and through max pooling in the channels
      whose scale is not negative;
    - one that meets another, which takes it over.

    Before a convolution that pads with zeros it stays: the border would change. It also stays where something else
    (an activation, a sum, a model within the model, the output) uses its values, and `kept` says what.

    The folded model is for inference: train the original.

    Args:
        model: a functional or sequential model; models within it are folded, each for itself. It is not changed, and
            shares nothing with the result.

    Returns:
        A `FoldedModel`: `model`, and the names of what was `folded` and `kept`. Dtypes and names stay, and the model
        can be saved. Its outputs differ by rounding only.

    Raises:
        TypeError: if `model` is not a functional or sequential model.

    Example:
        >>> from keras_hpa.models import GapNet
        >>> folded = fold_batch_norm(GapNet((76, 76, 4)))
        >>> folded
        FoldedModel of 'gapnet': 11 of 11 BatchNormalization layers folded
        >>> fold_batch_norm(GapNet((76, 76, 4), variant="light")).kept["block1_norm1"]
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
    folded, kept = list(plan.folded), dict(plan.kept)
    new_layers: dict[int, Any] = {}

    def call_folded(call: Call, *args: Any, **kwargs: Any) -> Any:
        layer = call.layer
        if layer.name in plan.folded and isinstance(layer, keras.layers.BatchNormalization):
            return args[0]
        if id(layer) not in new_layers:
            new_layers[id(layer)] = _copy(call, plan, folded, kept)
        new = new_layers[id(layer)]
        outputs = new(*args, **kwargs)
        if id(layer) in plan.weights:
            new.set_weights(plan.weights[id(layer)])
        elif isinstance(layer, keras.layers.Layer) and not is_functional(layer):
            new.set_weights(layer.get_weights())
        return outputs

    inputs = new_inputs(model)
    values = replay(graph, dict(zip(graph.inputs, keras.tree.flatten(inputs), strict=True)), call_folded)
    outputs = keras.tree.map_structure(lambda slot: values[slot], graph.result)
    return FoldedModel(keras.Model(inputs, outputs, name=model.name), tuple(folded), kept)


def _copy(call: Call, plan: "_Plan", folded: list[str], kept: dict[str, str]) -> Any:
    """A new layer in the place of an old one, whose weights are set once it is built."""
    layer = call.layer
    if is_functional(layer) and not call.trains:
        inner = _fold(layer)
        folded.extend(f"{layer.name}/{name}" for name in inner.folded)
        kept.update({f"{layer.name}/{name}": reason for name, reason in inner.kept.items()})
        return inner.model
    new = type(layer).from_config(layer.get_config() | plan.changes.get(id(layer), {}))
    if isinstance(layer, keras.layers.Layer):
        new.trainable = layer.trainable
    return new


class _Plan:
    """What becomes of every layer of one graph.

    Attributes:
        folded: names of the BatchNormalization layers that go.
        kept: names of those that stay, and why.
        changes: what changes in the config of a layer, by the layer's id.
        weights: the new weights of a layer, by the layer's id.
    """

    def __init__(self, graph: ModelGraph) -> None:
        self._outputs = set(graph.outputs)
        self._uses = Counter(id(call.layer) for call in graph.calls)
        self._producer = {slot: call for call in graph.calls for slot in call.outputs}
        self._consumers: dict[Slot, list[Call]] = {}
        for call in graph.calls:
            for slot in call.inputs:
                self._consumers.setdefault(slot, []).append(call)
        # What has to be done to a tensor of the new model to have that of the old one.
        self._pending: dict[Slot, ChannelAffine] = {}
        self.folded: list[str] = []
        self.kept: dict[str, str] = {}
        self.changes: dict[int, dict[str, Any]] = {}
        self.weights: dict[int, list[np.ndarray]] = {}
        for call in graph.calls:
            if isinstance(call.layer, keras.layers.BatchNormalization):
                self._place(call)
            elif any(slot in self._pending for slot in call.inputs):
                self._pass_on(call)

    def _place(self, call: Call) -> None:
        """Decides about one BatchNormalization."""
        layer, name = call.layer, call.layer.name
        obstacle = self._why_not_plain(call)
        if obstacle is not None:
            self.kept[name] = obstacle
            return
        before, after = call.inputs[0], call.outputs[0]
        own = of_batch_norm(layer)
        source = self._producer.get(before)
        if (
            source is not None
            and takes_outputs(source.layer)
            and self._uses[id(source.layer)] == 1
            and len(self._consumers[before]) == 1
            and before not in self._outputs
        ):
            self._set_weights(source.layer, scale_outputs(source.layer, self._weights_of(source.layer), own))
            self._producer[after] = source
            self.folded.append(name)
            return
        whole = self._pending[before].then(own) if before in self._pending else own
        movable = np.ones(len(whole.scale), bool)
        obstacle = self._why_not_beyond(after, False)
        if obstacle is None:
            maximum = self._why_not_beyond(after, True)
            if maximum is not None:
                movable = whole.scale >= 0
                obstacle = None if movable.all() else f"{(~movable).sum()} of {len(movable)} channels {maximum}"
        else:
            movable[:] = False
        if movable.any():
            self._pending[after] = whole.where(movable)
        if obstacle is None:
            self.folded.append(name)
            return
        self.kept[name] = obstacle
        if movable.any() or before in self._pending:
            rest = whole.where(~movable)
            self.changes[id(layer)] = {"scale": True, "center": True}
            zeros = np.zeros_like(rest.scale)
            self._set_weights(layer, [rest.scale, rest.shift, zeros, zeros + 1 - layer.epsilon])

    def _why_not_plain(self, call: Call) -> str | None:
        layer = call.layer
        if type(layer) is not keras.layers.BatchNormalization:
            return f"is of a class of its own, {type(layer).__name__}"
        if call.trains:
            return "normalises by the batch, also at inference"
        if self._uses[id(layer)] > 1:
            return f"is used {self._uses[id(layer)]} times"
        if layer.axis not in (-1, len(call.inputs[0].shape) - 1):
            return f"has its channels on axis {layer.axis}, not the last"
        return None

    def _why_not_beyond(self, slot: Slot, has_negative: bool) -> str | None:
        """Why the layers behind a tensor cannot take a scale and shift of it over; `None` if all of them can."""
        if slot in self._outputs:
            return "is an output of the model"
        for call in self._consumers.get(slot, []):
            layer = call.layer
            if isinstance(layer, keras.layers.BatchNormalization) and self._why_not_plain(call) is None:
                continue
            if isinstance(layer, _MAXIMA) and has_negative and _hands_on(call):
                return f"have a negative scale before the max pooling {layer.name!r}"
            if _hands_on(call):
                reason = self._why_not_beyond(call.outputs[0], has_negative)
            else:
                reason = why_not_inputs(layer)
                if reason is None and self._uses[id(layer)] > 1:
                    reason = f"feeds {layer.name!r}, which is used {self._uses[id(layer)]} times"
            if reason is not None:
                return reason
        return None

    def _pass_on(self, call: Call) -> None:
        """Moves what is pending before a layer behind it, or into it."""
        layer = call.layer
        if not _hands_on(call):
            self._set_weights(layer, scale_inputs(layer, self._weights_of(layer), self._pending[call.inputs[0]]))
            return
        if isinstance(layer, keras.layers.Concatenate):
            parts = [self._pending.get(slot, identity(slot.shape[-1])) for slot in call.inputs]
            moved = ChannelAffine(*(np.concatenate(values) for values in zip(*parts, strict=True)))
        else:
            moved = self._pending[call.inputs[0]]
            if isinstance(layer, keras.layers.Flatten):
                positions = int(np.prod(call.inputs[0].shape[1:-1]))
                moved = ChannelAffine(*(np.tile(values, positions) for values in moved))
        self._pending[call.outputs[0]] = moved

    def _weights_of(self, layer: Any) -> list[np.ndarray]:
        """The weights as they stand, with a bias."""
        weights = [np.asarray(w, np.float64) for w in self.weights.get(id(layer), layer.get_weights())]
        if not layer.use_bias and id(layer) not in self.weights:
            self.changes[id(layer)] = {"use_bias": True}
            weights.append(np.zeros(1))
        return weights

    def _set_weights(self, layer: Any, weights: list[np.ndarray]) -> None:
        self.weights[id(layer)] = [weight.astype(np.float32) for weight in weights]


def _hands_on(call: Call) -> bool:
    """Whether a scale (not negative, for maxima) and shift per channel before this layer equals the same behind it."""
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
    return kind in _AT_INFERENCE_NOTHING + _MAXIMA + _GLOBAL_MEANS + _CROPPINGS
