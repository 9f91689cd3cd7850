"""A model, and the thresholds of its classes, as one ONNX file."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

import keras_hpa
from keras_hpa.export.convert import convert
from keras_hpa.files import replacing
from keras_hpa.graphs import FoldedModel
from keras_hpa.layers import ScaleIntegers

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator

_ANY_SIZE = 64  # pixels a side of the images that are tried where the network takes any size
_TOLERANCE = 1e-4


def onnx(
    model: keras.Model | FoldedModel,
    path: str | os.PathLike[str],
    calibrator: ThresholdCalibrator | None = None,
    *,
    input_dtype: str | None = None,
    max_value: float | None = None,
    channels: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    pixel_size: float | None = None,
) -> None:
    """Writes a model as one ONNX file: images in, probabilities out, and labels where there is a calibrator.

    What the model does to the images before its first convolution is in the file too. The file holds, as metadata, the
    names of channels and classes, the thresholds, the pixel size and versions, each as JSON. Before it appears it is
    run by ONNX Runtime on random images, one batch of two and one of three, beside Keras.

    Needs `pip install "keras-hpa[export]"`. TensorFlow converts, in a process of its own where the model runs on JAX or
    Torch: layers of your own must then be ones that TensorFlow can run too.

    Args:
        model: a model with one input of shape `(batch, height, width, channels)` and one output of shape
            `(batch, classes)`: scores as `calibrator` was fitted to. Or what `fold_batch_norm` made of it.
        path: where to write, a name that ends in `.onnx`.
        calibrator: a fitted calibrator, whose `predict` is the output `labels`.
        input_dtype: an integer type of the images that the file takes where the model takes floats from 0 to 1, such as
            "uint8"; they are divided by `max_value` in the file.
        max_value: the integer that becomes 1; `None` for the maximum of `input_dtype`.
        channels: the names of the channels, in the order of the last axis.
        class_names: the names of the classes; those of `calibrator` unless given.
        pixel_size: of the images that the model was trained on, in micrometres.

    Raises:
        ImportError: if a package is missing.
        ValueError: if an argument is not as above, or the numbers of names are not those of the model.
        RuntimeError: if the file's answers differ from the model's; nothing is written.

    Example:
        >>> model = keras_hpa.GapNet((128, 128, 4), 28, input_dtype="uint8")
        >>> keras_hpa.export.onnx(model, "model.onnx", channels=keras_hpa.atlas.CHANNELS)  # doctest: +SKIP
    """
    library, runtime = _libraries()
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ValueError(f'`path` must end in ".onnx". Received: {os.fspath(path)!r}')
    model = model.model if isinstance(model, FoldedModel) else model
    _check_model(model)
    about = _metadata(model, calibrator, channels, class_names, pixel_size)
    whole = _whole(model, calibrator, input_dtype, max_value)
    images = [_random_images(whole, seed, 2 + seed) for seed in range(2)]
    expected = [_outputs(whole(batch)) for batch in images]  # Keras writes no model that was never called
    with replacing(path) as temporary:
        convert(whole, temporary)
        file = library.load(temporary)
        _rename(file, ["images"], ["probabilities", "labels"][: len(expected[0])])
        library.helper.set_model_props(file, {key: json.dumps(value) for key, value in about.items()})
        library.save(file, temporary)
        session = runtime.InferenceSession(temporary, providers=["CPUExecutionProvider"])
        for batch, answers in zip(images, expected, strict=True):
            _compare(session.run(None, {"images": batch}), answers, calibrator, path)


def _libraries() -> tuple[Any, Any]:
    names = ["onnx", "onnxruntime", "tf2onnx"]
    try:
        library, runtime, _ = [importlib.import_module(name) for name in names]
    except ImportError as error:
        raise ImportError(
            f'`export.onnx` needs {", ".join(names)}: pip install "keras-hpa[export]". Received: {error}'
        ) from error
    return library, runtime


def _check_model(model: keras.Model) -> None:
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        received = f"{model.name!r}" if isinstance(model, keras.Model) else type(model).__name__
        raise ValueError(f"`model` must be a Keras model of one input and one output. Received: {received}")
    if len(model.input_shape) != 4 or len(model.output_shape) != 2:
        raise ValueError(
            "`model` must take (batch, height, width, channels) and give (batch, classes). "
            f"Received: {model.input_shape} to {model.output_shape}"
        )


def _metadata(
    model: keras.Model,
    calibrator: ThresholdCalibrator | None,
    channels: Sequence[str] | None,
    class_names: Sequence[str] | None,
    pixel_size: float | None,
) -> dict[str, Any]:
    num_channels, num_classes = model.input_shape[-1], model.output_shape[-1]
    thresholds = None
    if calibrator is not None:
        if not hasattr(calibrator, "thresholds_") or len(calibrator.thresholds_) != num_classes:
            raise ValueError(f"`calibrator` must be fitted to {num_classes} classes. Received: {calibrator!r}")
        thresholds = [float(one) if np.isfinite(one) else None for one in calibrator.thresholds_]
        class_names = calibrator.class_names if class_names is None else class_names
    for name, values, number in (("channels", channels, num_channels), ("class_names", class_names, num_classes)):
        if values is not None and (isinstance(values, str) or len(values) != number or len(set(values)) != number):
            raise ValueError(f"`{name}` must be {number} different names. Received: {values!r}")
    if pixel_size is not None and not 0 < pixel_size < np.inf:
        raise ValueError(f"`pixel_size` must be a number of micrometres above 0. Received: {pixel_size!r}")
    return {
        "channels": None if channels is None else [str(name) for name in channels],
        "class_names": None if class_names is None else [str(name) for name in class_names],
        "thresholds": thresholds,
        "pixel_size": None if pixel_size is None else float(pixel_size),
        "versions": {"keras_hpa": keras_hpa.__version__, "keras": keras.__version__},
    }


def _whole(
    model: keras.Model, calibrator: ThresholdCalibrator | None, input_dtype: str | None, max_value: float | None
) -> keras.Model:
    """The model with the scaling of integers before it and the thresholds behind it."""
    if input_dtype is None:
        inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="images")
        x = inputs
    else:
        taken = np.dtype(keras.backend.standardize_dtype(model.inputs[0].dtype).replace("bfloat16", "float16"))
        if taken.kind != "f" or np.dtype(input_dtype).kind not in "iu":
            raise ValueError(
                "`input_dtype` must be an integer type, for a model that takes floats. "
                f"Received: {input_dtype!r}, and a model that takes {taken}"
            )
        inputs = keras.Input(model.input_shape[1:], dtype=input_dtype, name="images")
        top = np.iinfo(input_dtype).max if max_value is None else max_value
        x = ScaleIntegers(top, name="scale_images")(inputs)
    scores = model(x, training=False)
    outputs = {"probabilities": scores}
    if calibrator is not None:
        outputs["labels"] = calibrator.as_layer(name="labels")(scores)
    return keras.Model(inputs, list(outputs.values()), name="exported")


def _random_images(model: keras.Model, seed: int, batch_size: int) -> npt.NDArray:
    shape = [_ANY_SIZE if size is None else size for size in model.input_shape[1:]]
    dtype = np.dtype(model.inputs[0].dtype)
    values = np.random.default_rng(seed).random((batch_size, *shape), np.float32)
    return (values * np.iinfo(dtype).max).astype(dtype) if dtype.kind in "iu" else values.astype(dtype)


def _outputs(answers: Any) -> list[npt.NDArray]:
    return [keras.ops.convert_to_numpy(one) for one in (answers if isinstance(answers, list | tuple) else [answers])]


def _rename(file: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Gives inputs and outputs their names, whatever a converter made of them."""
    new: Mapping[str, str] = {
        old.name: name
        for values, names in ((file.graph.input, inputs), (file.graph.output, outputs))
        for old, name in zip(values, names, strict=True)
    }
    for value in (*file.graph.input, *file.graph.output):
        value.name = new[value.name]
    for node in file.graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]


def _compare(
    found: Sequence[npt.NDArray], expected: Sequence[npt.NDArray], calibrator: ThresholdCalibrator | None, path: Path
) -> None:
    difference = float(np.abs(found[0] - expected[0]).max())
    if not difference <= _TOLERANCE:
        raise RuntimeError(
            f"{os.fspath(path)!r} must give the model's scores. Received: scores that differ by {difference:.2g}"
        )
    if calibrator is not None:
        # ONNX Runtime's own scores through the thresholds: what differs then is the labels' doing.
        labels = calibrator.predict(found[0].astype(np.float64))
        if not np.array_equal(found[1], labels):
            raise RuntimeError(f"{os.fspath(path)!r} must give the calibrator's labels. Received: others")
