"""From a Keras model to ONNX by TensorFlow, in a process of its own where the backend is another.

Keras has a converter for each backend, but those for JAX and Torch fail on layers that networks of this field have, and
fix the size of the images.
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import keras


def convert(model: keras.Model, path: Path) -> None:
    """Writes the model as ONNX.

    Raises:
        RuntimeError: if the model cannot be loaded, or converted, by TensorFlow.
    """
    if keras.backend.backend() == "tensorflow":
        with contextlib.redirect_stdout(io.StringIO()):  # what converters print
            model.export(path, format="onnx", verbose=False)
        return
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder, "model.keras")
        model.save(saved)
        done = subprocess.run(
            [sys.executable, "-c", _IN_ANOTHER_PROCESS, saved, path],
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise RuntimeError(
            "`model` must be one that TensorFlow loads and converts; layers of your own must be registered by a module "
            f"that keras_hpa's does not need. Received: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}"
        )


_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import keras
import keras_hpa
from keras_hpa.export.convert import convert
model = keras.saving.load_model(sys.argv[1], compile=False)
model(keras.ops.zeros([1] + [size or 64 for size in model.input_shape[1:]], model.inputs[0].dtype))
convert(model, Path(sys.argv[2]))
"""
