"""Where in the image a network saw a class."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.explanation.feature_grid import Axis, axis_of, enlarge
from keras_hpa.explanation.logit_gradients import logit_gradients, run
from keras_hpa.graphs import Call, check_channels_last, is_functional, replay, scales_integers, trace
from keras_hpa.thresholds import ThresholdLayer

Array = npt.NDArray[np.float32]

_AFTER_LOGITS = (keras.layers.Activation, keras.layers.Softmax, ThresholdLayer)
_BORDERS = (keras.layers.ZeroPadding2D, keras.layers.Cropping2D)


def class_activation_maps(
    model: keras.Model,
    images: npt.ArrayLike,
    class_ids: Sequence[int] | None = None,
    *,
    layer: str | None = None,
    batch_size: int = 8,
) -> Array:
    """Shows where in the images a network saw each class: how much every place adds to the class's logit.

    A network that says "Golgi apparatus" should say so because of what lies beside the nucleus. The maps show whether
    it does: they are positive where the image speaks for the class and negative where it speaks against it
    (`plot_activation_maps` draws the positive part).

    Where the classifier sees the feature maps through global average pooling only (every `GapNet` with
    `pooling="avg"` and no `texture`, the heads "gap" and "multi-level" of `PretrainedClassifier`), the maps are exact:
    the gradient of the logit with respect to the pooled features, times the feature maps, summed over all levels. Their
    mean over all positions is the logit, up to a constant, if the head consists of dense layers with ReLU and
    normalisation; with smooth activations such as SELU it is the logit to first order. Every other network gets
    Grad-CAM on its last feature maps, in the same unit: the gradient summed over all positions, times the maps. That is
    an approximation.

    Each cell of a feature map is drawn at its position in the image. A network without padding sees less of the border
    with every layer; there its maps continue the value of the nearest cell. A cell of a deep map has seen a large part
    of the image around it.

    Args:
        model: a functional or sequential model of one image with one score per class; a final sigmoid or softmax is
            left out. It is not changed.
        images: what the model takes, `(batch, height, width, channels)`: floats for a model that takes floats,
            integers for one that takes integers.
        class_ids: which classes, as a list of numbers; `None` for all. Every class needs a float per pixel.
        layer: name of the layer whose feature maps Grad-CAM uses, `"backbone/conv5_block1_out"` in a nested model;
            `None` chooses as described above.
        batch_size: how many images to compute at a time.

    Returns:
        Signed contributions to the logits, float32 of shape `(batch, height, width, len(class_ids))`.

    Raises:
        TypeError: if `model` is not a functional or sequential model of one image.
        ValueError: if the model has no scores per class, no feature maps, or channels first, or an argument is not as
            described.

    Example:
        >>> from keras_hpa.models import GapNet
        >>> model = GapNet((32, 32, 4), num_classes=28, filters=(8, 16), depths=(1, 1))
        >>> class_activation_maps(model, np.zeros((2, 32, 32, 4)), class_ids=[7, 19]).shape
        (2, 32, 32, 2)

    References:
        - Zhou et al., Learning deep features for discriminative localization, CVPR 2016.
        - Selvaraju et al., Grad-CAM: visual explanations from deep networks via gradient-based localization, ICCV 2017.
    """
    if not is_functional(model) or len(model.inputs) != 1 or len(model.inputs[0].shape) != 4:
        raise TypeError(f"`model` must be a functional or sequential model of one image. Received: {model!r}")
    view = View(model, layer)
    pixels = np.asarray(images)
    expected = tuple(model.inputs[0].shape)
    if pixels.ndim != 4 or any(size not in (None, got) for size, got in zip(expected, pixels.shape, strict=True)):
        raise ValueError(f"`images` must have shape {expected}. Received: shape {pixels.shape}")
    dtype = np.dtype(model.inputs[0].dtype)
    if dtype.kind in "iu" and pixels.dtype.kind not in "iu":
        raise ValueError(f"`images` must be integers, as the model takes {dtype}. Received: {pixels.dtype}")
    if dtype.kind not in "iu" and pixels.dtype.kind in "iu" and not scales_integers(model):
        raise ValueError(f"`images` must be floats, 0 to 1, as the model takes {dtype}. Received: {pixels.dtype}")
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size!r}")
    chosen = np.arange(view.num_classes) if class_ids is None else np.array(class_ids)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or not all(0 <= one < view.num_classes for one in chosen):
        raise ValueError(f"`class_ids` must hold numbers from 0 to {view.num_classes - 1}. Received: {class_ids!r}")
    size = pixels.shape[1:3]
    maps = np.zeros((len(pixels), *size, len(chosen)), np.float32)
    for start in range(0, len(pixels), batch_size):
        for level in view.levels(pixels[start : start + batch_size].astype(dtype), chosen.tolist()):
            maps[start : start + batch_size] += enlarge(level.maps, level.axes, size)
    return maps


class Level(NamedTuple):
    """The contributions of one depth of the network, at that depth's own resolution."""

    maps: Array
    axes: tuple[Axis, Axis]


class View:
    """A model split at the feature maps that are shown.

    Args:
        model: the model.
        layer: name of the layer whose feature maps are shown; `None` for those that the classifier pools, or the last.
    """

    def __init__(self, model: keras.Model, layer: str | None = None) -> None:
        self._graph = trace(model, inline=True)
        check_channels_last(model)
        self._producer = {tensor: call for call in self._graph.calls for tensor in call.outputs}
        self._logits = self._graph.outputs[0]
        while isinstance(getattr(self._producer.get(self._logits), "layer", None), _AFTER_LOGITS):
            self._logits = self._producer[self._logits].inputs[0]
        if len(self._graph.outputs) != 1 or len(self._logits.shape) != 2 or self._logits.shape[1] is None:
            shapes = [tensor.shape for tensor in self._graph.outputs]
            raise ValueError(f"`model` must give one score per class. Received: outputs of shapes {shapes}")
        self.num_classes: int = self._logits.shape[1]
        self._last = _without_activation(self._producer.get(self._logits))
        # All calls that the logits need, in order.
        self._calls = self._between((), self._logits)
        pooled = self._pooled() if layer is None else None
        self.exact = pooled is not None
        if pooled is None:
            self._cuts = self._maps = [self._feature_maps(layer)]
        else:
            self._cuts, self._maps = [call.outputs[0] for call in pooled], [call.inputs[0] for call in pooled]
        self._head = self._between(self._cuts, self._logits)

    def levels(self, images: npt.NDArray[Any], class_ids: Sequence[int]) -> list[Level]:
        """The contributions to the logits of the classes, one `Level` for each depth that is shown."""
        outside = [tensor for call in self._head for tensor in call.inputs if tensor not in self._made_by(self._head)]
        kept = list(dict.fromkeys([*self._cuts, *self._maps, *outside]))
        sizes: dict[keras.KerasTensor, tuple[int, int]] = {self._graph.inputs[0]: images.shape[1:3]}

        def look(call: Call, *args: Any, **kwargs: Any) -> Any:
            outputs = self._call(call, *args, **kwargs)
            for tensor, value in zip(call.outputs, keras.tree.flatten(outputs), strict=True):
                if len(value.shape) == 4:
                    sizes[tensor] = (int(value.shape[1]), int(value.shape[2]))
            return outputs

        def forward(inputs: Any) -> list[Any]:
            start = {self._graph.inputs[0]: inputs}
            made = self._made_by(self._head) - set(self._cuts)
            before = [call for call in self._calls if not made.intersection(call.outputs)]
            values = replay(before, start, look, keep=kept)
            return [values[tensor] for tensor in kept]

        values = dict(zip(kept, run(forward, images), strict=True))
        levels = []
        for tensor, weights in zip(self._maps, self._weights(values, class_ids), strict=True):
            maps = np.einsum("nhwc,nkc->nhwk", values[tensor].astype(np.float32), weights, optimize=True)
            levels.append(Level(maps, (self._axis(tensor, 0, sizes), self._axis(tensor, 1, sizes))))
        return levels

    def _weights(self, values: dict[keras.KerasTensor, Any], class_ids: Sequence[int]) -> list[Array]:
        """For each level, how much a feature adds to each logit, `(batch, classes, features)`."""
        features = [values[tensor].astype(np.float32) for tensor in self._cuts]
        batch, one_hot = len(features[0]), np.eye(self.num_classes, dtype=np.float32)[list(class_ids)]

        def head(inputs: list[Any]) -> Any:
            known = values | dict(zip(self._cuts, inputs, strict=True))
            return replay(self._head, known, self._call)[self._logits]

        if self.exact:  # pooled features are small: all classes at once
            repeated = [np.repeat(feature, len(class_ids), axis=0) for feature in features]
            gradients = logit_gradients(head, repeated, np.tile(one_hot, (batch, 1)))
            return [one.reshape(batch, len(class_ids), -1) for one in gradients]
        rows = [logit_gradients(head, features, np.tile(row, (batch, 1)))[0].sum((1, 2)) for row in one_hot]
        return [np.stack(rows, axis=1)]

    def _call(self, call: Call, *args: Any, **kwargs: Any) -> Any:
        layer = self._last if self._last is not None and call.outputs[0] is self._logits else call.layer
        if isinstance(layer, keras.layers.Layer) and not call.trains:
            kwargs = kwargs | {"training": False}
        return layer(*args, **kwargs)

    def _pooled(self) -> list[Call] | None:
        """The global average poolings through which alone the logits see the image; `None` if they see more."""
        found: dict[Call, None] = {}
        tensors = [self._logits]
        while tensors:
            tensor = tensors.pop()
            call = self._producer.get(tensor)
            if call is not None and isinstance(call.layer, keras.layers.GlobalAveragePooling2D):
                found[call] = None
            elif call is None or _is_feature_map(tensor):
                return None
            else:
                tensors.extend(call.inputs)
        return sorted(found, key=self._graph.calls.index)

    def _feature_maps(self, layer: str | None) -> keras.KerasTensor:
        """The feature maps of the layer of that name, or the last ones."""
        maps = {
            call.path: call.outputs[0]
            for call in self._calls
            if _is_feature_map(call.outputs[0]) and not isinstance(call.layer, _BORDERS)
        }
        if not maps:
            raise ValueError(f"`model` must have feature maps. Received: a model of {len(self._calls)} layers without")
        if layer is None:
            return list(maps.values())[-1]
        if layer not in maps:
            raise ValueError(f"`layer` must be one of those with feature maps: {list(maps)}. Received: {layer!r}")
        return maps[layer]

    def _between(self, starts: Sequence[keras.KerasTensor], end: keras.KerasTensor) -> list[Call]:
        """The calls that lead from some tensors, or from anywhere, to another."""
        wanted, needed = {end}, []
        for call in reversed(self._graph.calls):
            if wanted.intersection(call.outputs) and not set(starts).intersection(call.outputs):
                needed.append(call)
                wanted.update(call.inputs)
        if not starts:
            return needed[::-1]
        reached, led = set(starts), []
        for call in reversed(needed):
            if reached.intersection(call.inputs):
                led.append(call)
                reached.update(call.outputs)
        return led

    def _axis(self, tensor: keras.KerasTensor, dimension: int, sizes: dict[keras.KerasTensor, tuple[int, int]]) -> Axis:
        """Where the cells of a tensor lie in the image."""
        call = self._producer.get(tensor)
        if call is None:
            return Axis()
        # Of several maps the largest; smaller ones (of squeeze-and-excite) only weigh it.
        source = max((one for one in call.inputs if one in sizes), key=lambda one: sizes[one])
        own = axis_of(call.layer, dimension, sizes[source][dimension], sizes[tensor][dimension])
        return self._axis(source, dimension, sizes).then(own)

    @staticmethod
    def _made_by(calls: Sequence[Call]) -> set[keras.KerasTensor]:
        return {tensor for call in calls for tensor in call.outputs}


def _is_feature_map(tensor: keras.KerasTensor) -> bool:
    return len(tensor.shape) == 4 and tuple(tensor.shape[1:3]) != (1, 1)


def _without_activation(call: Call | None) -> Any:
    """A copy of the last layer without its activation; `None` if it has none."""
    if call is None or getattr(call.layer, "activation", None) in (None, keras.activations.linear):
        return None
    if not hasattr(call.layer, "kernel"):
        return None
    copy = type(call.layer).from_config(call.layer.get_config() | {"activation": "linear"})
    copy.build(call.inputs[0].shape)
    copy.set_weights(call.layer.get_weights())
    return copy
