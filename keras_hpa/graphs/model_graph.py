"""A functional model read call by call, made again on other tensors, and rebuilt from new layers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Call:
    """One call of one layer.

    Args:
        layer: the model's own layer, or an operation of `keras.ops`.
        path: its name, after those of the models that contain it: `"backbone/stem_conv"`.
        args: its arguments; every tensor is one of the graph's symbolic tensors.
        kwargs: its keyword arguments, likewise.
        result: what it returns, likewise.
    """

    layer: Any
    path: str
    args: Any
    kwargs: dict[str, Any]
    result: Any = None

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """The tensors it takes."""
        return _tensors((self.args, self.kwargs))

    @property
    def outputs(self) -> list[keras.KerasTensor]:
        """The tensors it returns."""
        return _tensors(self.result)

    @property
    def trains(self) -> bool:
        """Whether it always runs in training mode, whatever the model is asked for."""
        return self.kwargs.get("training") is True


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """The calls of a model, in an order in which they can be made.

    Args:
        arguments: the model's input, in the model's own structure.
        calls: all calls.
        result: its output, likewise.
    """

    arguments: Any
    calls: Sequence[Call]
    result: Any

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """The model's inputs."""
        return _tensors(self.arguments)

    @property
    def outputs(self) -> list[keras.KerasTensor]:
        """The model's outputs."""
        return _tensors(self.result)


@dataclass
class Changes:
    """What a rebuilt model has different, by the layers of the original.

    Args:
        configs: entries of a layer's config.
        weights: a layer's weights, in the order of `get_weights`.
        layers: what is called in the place of a layer: another layer, or a function of tensors.
    """

    configs: dict[Any, dict[str, Any]] = field(default_factory=dict)
    weights: dict[Any, list[Any]] = field(default_factory=dict)
    layers: dict[Any, Callable[..., Any]] = field(default_factory=dict)


def is_functional(layer: Any) -> bool:
    """Whether a layer is a model whose graph is known: functional, or sequential and built."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", None)) and bool(layer.outputs)


def trace(model: keras.Model, *, inline: bool = False, prefix: str = "") -> ModelGraph:
    """Reads the graph of a functional or sequential model.

    Args:
        model: the model; it is not changed.
        inline: put the calls of the models within it in their place.
        prefix: goes before every path.
    """
    # A plain model of the same tensors: cloning a compiled model would compile the clone.
    sequential = isinstance(model, keras.Sequential)
    plain = keras.Model(*((model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)))
    names = {layer.output: layer.name for layer in plain.layers if isinstance(layer, keras.layers.InputLayer)}
    inputs = keras.tree.map_structure(lambda tensor: _new_input(tensor, names[tensor]), plain.input)
    calls: list[Call] = []

    def read(layer: Any, *args: Any, **kwargs: Any) -> Any:
        call = Call(layer, prefix + layer.name, args, kwargs)
        if not inline or call.trains or not is_functional(layer):
            return record(call, *args, **kwargs)
        inner = trace(layer, inline=True, prefix=f"{call.path}/")
        values = replay(inner.calls, dict(zip(inner.inputs, call.inputs, strict=False)), record)
        return fill_in(inner.result, values)

    def record(call: Call, *args: Any, **kwargs: Any) -> Any:
        calls.append(replace(call, args=args, kwargs=kwargs, result=_Probe(call.layer)(*args, **kwargs)))
        return calls[-1].result

    # Keras shows the arguments of a call in two public places: the config of the model, which serialises every layer,
    # and `call_function` of `clone_model`, which nothing else in this package uses.
    clone = keras.models.clone_model(
        plain, input_tensors=inputs, clone_function=lambda layer: layer, call_function=read
    )
    return ModelGraph(inputs, calls, clone.output)


def replay(
    calls: Sequence[Call],
    values: dict[keras.KerasTensor, Any],
    call: Callable[..., Any],
    keep: Sequence[keras.KerasTensor] | None = None,
) -> dict[keras.KerasTensor, Any]:
    """Makes calls again, on other tensors.

    Args:
        calls: the calls to make, in order.
        values: the tensors that are known, at least those from which `calls` start.
        call: is given each `Call`, its arguments and its keyword arguments, and returns what the layer would.
        keep: which tensors to return; others are released once no call needs them. All if not given.

    Returns:
        The value of every tensor of the graph.
    """
    values = dict(values)
    last_use = {tensor: number for number, one in enumerate(calls) for tensor in one.inputs}
    for number, one in enumerate(calls):
        args, kwargs = fill_in((one.args, one.kwargs), values)
        values.update(zip(one.outputs, keras.tree.flatten(call(one, *args, **kwargs)), strict=True))
        if keep is not None:
            for tensor in one.inputs:
                if last_use[tensor] == number and tensor not in keep:
                    values.pop(tensor, None)
    return values


def rebuild(model: keras.Model, graph: ModelGraph, changes: Changes, *, channels: int | None = None) -> keras.Model:
    """Makes a new model of new layers, which have the names, configs and weights of the old but for `changes`.

    Args:
        model: the original; it is not changed, and shares nothing with the result.
        graph: its graph, models within it not inlined.
        changes: what differs.
        channels: the number of channels of its inputs, if it differs.
    """
    new_layers = dict(changes.layers)

    def call_new(call: Call, *args: Any, **kwargs: Any) -> Any:
        layer = call.layer
        if layer in new_layers:
            return new_layers[layer](*args, **kwargs)
        new = new_layers[layer] = type(layer).from_config(layer.get_config() | changes.configs.get(layer, {}))
        outputs = new(*args, **kwargs)
        if isinstance(layer, keras.layers.Layer):
            new.set_weights(changes.weights.get(layer) or layer.get_weights())
            _freeze_like(layer, new)
        return outputs

    inputs = keras.tree.map_structure(lambda tensor: _new_input(tensor, tensor.name, channels), graph.arguments)
    values = replay(graph.calls, dict(zip(graph.inputs, keras.tree.flatten(inputs), strict=True)), call_new)
    new_model = keras.Model(inputs, fill_in(graph.result, values), name=model.name)
    _freeze_like(model, new_model)
    return new_model


def fill_in(structure: Any, values: dict[keras.KerasTensor, Any]) -> Any:
    """The structure with a value in the place of every symbolic tensor."""
    return keras.tree.map_structure(
        lambda leaf: values[leaf] if isinstance(leaf, keras.KerasTensor) else leaf, structure
    )


class _Probe(keras.Operation):
    """Stands for a layer in a clone of its model: has the layer's shapes and leaves the layer alone."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._layer = layer

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self._layer.compute_output_spec(*args, **kwargs)


def _new_input(tensor: keras.KerasTensor, name: str, channels: int | None = None) -> keras.KerasTensor:
    shape = (*tensor.shape[:-1], channels or tensor.shape[-1])
    return keras.Input(batch_shape=shape, dtype=tensor.dtype, name=name)


def _freeze_like(old: keras.layers.Layer, new: keras.layers.Layer) -> None:
    """Freezes a layer whose original is frozen; to set `trainable` to true would thaw the layers within it."""
    if not old.trainable:
        new.trainable = False


def _tensors(structure: Any) -> list[keras.KerasTensor]:
    return [leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, keras.KerasTensor)]
