"""From a Keras model to the formats of other programs by TensorFlow, in a process of its own for another backend.

Keras has converters for JAX and Torch too, but they fail on layers that networks of this field have, and fix the size
of the images.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Literal

import keras

Format = Literal["onnx", "litert", "saved_model"]
OUTPUTS = ("probabilities", "labels")


def convert(model: keras.Model, path: Path, format: Format) -> None:
    """Writes a model whose outputs are the first of `OUTPUTS`, and which has been called.

    Raises:
        RuntimeError: if the model cannot be loaded, or converted, by TensorFlow.
    """
    if keras.backend.backend() == "tensorflow":
        with contextlib.redirect_stdout(io.StringIO()):  # what converters print
            _WRITERS[format](model, path)
        return
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "model.keras")
        model.save(saved)
        done = subprocess.run(
            [sys.executable, "-c", _IN_ANOTHER_PROCESS, saved, path, format],
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(
            "`model` must be one that TensorFlow loads and converts; layers of your own must be registered by a module "
            f"that keras_hpa's does not need. Received: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
        )


def _write_onnx(model: keras.Model, path: Path) -> None:
    model.export(path, format="onnx", verbose=False)


def _write_saved_model(model: keras.Model, path: Path) -> None:
    def serve(images: Any) -> dict[str, Any]:
        answers = model(images, training=False)
        return dict(zip(OUTPUTS, answers if isinstance(answers, list | tuple) else [answers], strict=False))

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = keras.InputSpec(shape=model.input_shape, dtype=model.inputs[0].dtype, name="images")
    archive.add_endpoint("serve", serve, input_signature=[signature])
    archive.write_out(path, verbose=False)


def _write_litert(model: keras.Model, temporary: Path) -> None:
    import tensorflow

    with tempfile.TemporaryDirectory() as folder:
        _write_saved_model(model, Path(folder))
        converter = tensorflow.lite.TFLiteConverter.from_saved_model(folder)
        temporary.write_bytes(converter.convert())


_WRITERS = {"onnx": _write_onnx, "litert": _write_litert, "saved_model": _write_saved_model}

_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import keras
import keras_hpa
from keras_hpa.export.convert import convert
model = keras.saving.load_model(sys.argv[1], compile=False)
model(keras.ops.zeros([1] + [size or 64 for size in model.input_shape[1:]], model.inputs[0].dtype))
convert(model, Path(sys.argv[2]), sys.argv[3])
"""
