"""What every Keras component must be able to do, checked through Keras's public interface."""

import inspect
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.load_and_predict import load_and_predict

# One process imports `keras_hpa`; each that it is asked for is a copy of it, made before anything was computed.
_fresh = multiprocessing.get_context("forkserver" if hasattr(os, "fork") else "spawn")
if hasattr(os, "fork"):
    _fresh.set_forkserver_preload(["tests.load_and_predict"])


def check_constructor_arguments(component: type, arguments: dict[str, Any]) -> None:
    """Every constructor argument is in `get_config` and survives JSON; `arguments` must give all, none its default."""
    parameters = inspect.signature(component.__init__).parameters.values()
    named = {p.name: p.default for p in parameters if p.name != "self" and p.kind is not p.VAR_KEYWORD}
    assert set(arguments) == set(named), "the test must give every argument of the constructor"
    for name, default in named.items():
        assert repr(arguments[name]) != repr(default), f"the test must give `{name}` a value other than its default"

    config = component(**arguments).get_config()
    assert set(named) <= set(config), f"get_config lacks {set(named) - set(config)}"
    restored = component.from_config(json.loads(json.dumps(config)))
    for name in named:
        assert repr(restored.get_config()[name]) == repr(config[name]), f"`{name}` does not survive JSON"


def check_registration(component: type) -> None:
    """The class is registered as `keras_hpa>Name`."""
    assert keras.saving.get_registered_name(component) == f"keras_hpa>{component.__name__}"


def check_layer(layer: type[keras.layers.Layer], arguments: dict[str, Any], inputs: np.ndarray, path: Path) -> None:
    """A layer with `arguments` infers its shape, trains every weight, computes in half precision, saves and loads."""
    check_registration(layer)
    symbolic = layer(**arguments)(keras.Input(inputs.shape[1:], dtype=str(inputs.dtype)))
    eager = layer(**arguments)(keras.ops.convert_to_tensor(inputs))
    assert tuple(symbolic.shape[1:]) == tuple(eager.shape[1:])
    assert layer(**arguments).compute_output_shape(inputs.shape) == tuple(eager.shape)

    half = layer(**arguments, dtype="mixed_float16")(keras.ops.convert_to_tensor(inputs))
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(half).astype("float32").mean(),
        keras.ops.convert_to_numpy(eager).mean(),
        rtol=0.05,
        atol=0.05,
    )

    model = keras.Sequential([keras.Input(inputs.shape[1:], dtype=str(inputs.dtype)), layer(**arguments)])
    if model.trainable_weights:
        check_every_weight_trains(model, inputs)
    check_loads_in_fresh_process(model, inputs, path)


def check_every_weight_trains(model: keras.Model, inputs: np.ndarray) -> None:
    """One `fit` step changes every trainable weight and leaves each finite."""
    before = [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.trainable_weights]
    targets = np.random.default_rng(0).uniform(size=(len(inputs), *model.output_shape[1:])).astype("float32")
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.fit(inputs, targets, epochs=1, batch_size=len(inputs), verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        new = keras.ops.convert_to_numpy(weight.value)
        assert np.isfinite(new).all(), f"{weight.path} is not finite"
        assert not np.array_equal(new, old), f"no gradient reaches {weight.path}"


def check_loads_in_fresh_process(model: keras.Model, inputs: np.ndarray, path: Path, atol: float = 1e-5) -> None:
    """The saved model, loaded by a new process that only imports `keras_hpa`, gives the same output."""
    model.save(path / "model.keras")
    np.save(path / "inputs.npy", inputs)
    process = _fresh.Process(target=load_and_predict, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    np.testing.assert_allclose(np.load(path / "outputs.npy"), model.predict(inputs, verbose=0), atol=atol)
