"""What a functional model computes, step by step, without touching the model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras


@dataclass(frozen=True, eq=False)
class Slot:
    """The place of one tensor in a graph, and the tensor's shape."""

    shape: tuple[Any, ...]  # None where an axis has any length


@dataclass(frozen=True, eq=False)
class Call:
    """One use of one layer.

    Args:
        layer: the model's own layer, or an operation of `keras.ops`.
        path: its name, behind those of the models it lies in: `"backbone/stem_conv"`.
        args: what it is called with, a `Slot` for every tensor.
        kwargs: the same, by name.
        result: what it returns, a `Slot` for every tensor.
    """

    layer: Any
    path: str
    args: Any
    kwargs: dict[str, Any]
    result: Any

    @property
    def inputs(self) -> list[Slot]:
        """The tensors it takes."""
        return _slots((self.args, self.kwargs))

    @property
    def outputs(self) -> list[Slot]:
        """The tensors it makes."""
        return _slots(self.result)

    @property
    def trains(self) -> bool:
        """Whether it was built to behave as in training whatever the model is asked for."""
        return self.kwargs.get("training") is True


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """The calls of a model in an order in which they can be made."""

    inputs: list[Slot]
    calls: list[Call] = field(default_factory=list)
    result: Any = None

    @property
    def outputs(self) -> list[Slot]:
        """The model's outputs."""
        return _slots(self.result)


def is_functional(layer: Any) -> bool:
    """Whether a layer is a model whose graph is known: functional, or sequential and built."""
    return isinstance(layer, keras.Model) and bool(getattr(layer, "inputs", None)) and bool(layer.outputs)


def trace(model: keras.Model, *, inline: bool = False, prefix: str = "") -> ModelGraph:
    """The graph of a functional or sequential model; `inline` puts the calls of the models within it in their place."""
    # A plain model over the same tensors: cloning a compiled one would compile the clone.
    sequential = isinstance(model, keras.Sequential)
    plain = keras.Model(*((model.inputs[0], model.outputs[0]) if sequential else (model.input, model.output)))
    graph = ModelGraph([Slot(tensor.shape) for tensor in plain.inputs])
    slots: dict[int, Slot] = {}
    kept: list[Any] = []  # a tensor's id is its own as long as the tensor lives

    def remember(structure: Any, known: Any = None) -> Any:
        found = keras.tree.flatten(structure)
        kept.extend(found)
        for tensor, slot in zip(
            found, [Slot(tensor.shape) for tensor in found] if known is None else known, strict=True
        ):
            slots.setdefault(id(tensor), slot)
        return to_slots(structure)

    def to_slots(structure: Any) -> Any:
        return keras.tree.map_structure(lambda leaf: slots.get(id(leaf), leaf), structure)

    def record(layer: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = _Probe(layer)(*args, **kwargs)
        path = prefix + layer.name
        call = Call(layer, path, to_slots(args), to_slots(kwargs), None)
        if inline and is_functional(layer) and not call.trains:
            inner = trace(layer, inline=True, prefix=path + "/")
            outer = dict(zip(inner.inputs, _slots(call.args), strict=True))
            graph.calls.extend(_substitute(one, outer) for one in inner.calls)
            remember(outputs, [outer.get(slot, slot) for slot in inner.outputs])
        else:
            graph.calls.append(Call(layer, path, call.args, call.kwargs, remember(outputs)))
        return outputs

    inputs = new_inputs(plain)
    remember(inputs, graph.inputs)
    probed = keras.models.clone_model(
        plain, input_tensors=inputs, clone_function=lambda layer: layer, call_function=record
    )
    return ModelGraph(graph.inputs, graph.calls, to_slots(probed.output))


def new_inputs(model: keras.Model) -> Any:
    """Symbolic inputs as the model has them, in the same structure."""
    return keras.tree.map_structure(
        lambda tensor: keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name),
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )


def replay(
    graph: ModelGraph,
    values: dict[Slot, Any],
    call: Callable[..., Any],
    calls: Sequence[Call] | None = None,
    keep: Sequence[Slot] | None = None,
) -> dict[Slot, Any]:
    """Makes the calls again, on other tensors.

    Args:
        graph: the model.
        values: the tensors that are known, at least those that `calls` start from.
        call: is given each `Call`, its arguments and its keyword arguments, and returns what the layer would.
        calls: which calls to make; all if not given.
        keep: which tensors to return; others are let go as soon as no call needs them. All if not given.

    Returns:
        The tensor of every slot.
    """
    values = dict(values)
    made = graph.calls if calls is None else calls
    last_use = {slot: number for number, one in enumerate(made) for slot in one.inputs}
    for number, one in enumerate(made):
        args, kwargs = fill_in((one.args, one.kwargs), values)
        outputs = call(one, *args, **kwargs)
        values.update(zip(one.outputs, keras.tree.flatten(outputs), strict=True))
        if keep is not None:
            for slot in one.inputs:
                if last_use[slot] == number and slot not in keep:
                    values.pop(slot, None)
    return values


def fill_in(structure: Any, values: dict[Slot, Any]) -> Any:
    """The structure with a value in the place of every slot."""
    return keras.tree.map_structure(lambda leaf: values[leaf] if isinstance(leaf, Slot) else leaf, structure)


class _Probe(keras.Operation):
    """Stands for a layer in a clone of its model: knows the layer's shapes, leaves the layer alone."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self._layer = layer

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self._layer.compute_output_spec(*args, **kwargs)


def _substitute(call: Call, outer: dict[Slot, Slot]) -> Call:
    args, kwargs = keras.tree.map_structure(
        lambda leaf: outer.get(leaf, leaf) if isinstance(leaf, Slot) else leaf, (call.args, call.kwargs)
    )
    return Call(call.layer, call.path, args, kwargs, call.result)


def _slots(structure: Any) -> list[Slot]:
    return [leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, Slot)]
