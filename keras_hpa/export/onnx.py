"""A model, and the thresholds of its classes, as one ONNX file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_hpa.data import needs
from keras_hpa.export.convert import OUTPUTS, convert
from keras_hpa.export.whole_model import WholeModel, whole_model
from keras_hpa.files import replacing
from keras_hpa.graphs import FoldedModel

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator


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
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((128, 128, 4), 28, input_dtype="uint8")
        >>> keras_hpa.export.onnx(model, "model.onnx", channels=keras_hpa.atlas.CHANNELS)  # doctest: +SKIP
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ValueError(f'`path` must end in ".onnx". Received: {os.fspath(path)!r}')
    whole = whole_model(
        model,
        calibrator,
        input_dtype=input_dtype,
        max_value=max_value,
        channels=channels,
        class_names=class_names,
        pixel_size=pixel_size,
    )
    with replacing(path) as temporary:
        write_onnx(whole, temporary, "onnx", path)


def write_onnx(whole: WholeModel, path: Path, function: str, shown_as: str | os.PathLike[str]) -> int:
    """Writes a file, for a function of this room, compares it with Keras and gives its opset.

    Raises:
        ImportError: if a package is missing.
        RuntimeError: if the file's answers differ from the model's.
    """
    library, runtime, _ = (
        needs(name, f"`export.{function}` writes ONNX", extra="export") for name in ("onnx", "onnxruntime", "tf2onnx")
    )
    convert(whole.model, path, "onnx")
    file = library.load(path)
    _rename(file, ["images"], OUTPUTS[: len(whole.model.outputs)])
    library.helper.set_model_props(file, {key: json.dumps(value) for key, value in whole.about.items()})
    library.save(file, path)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    whole.check(lambda images: session.run(None, {"images": images}), shown_as)
    return max(opset.version for opset in file.opset_import if opset.domain in ("", "ai.onnx"))


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
