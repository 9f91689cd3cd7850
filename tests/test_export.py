"""ONNX files answer as Keras does, also where Keras is not installed."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import export

_NAMES = ["Golgi", "Nucleus", "Cytosol"]
_RUN = """
import json, sys
import numpy as np, onnxruntime
assert not {"keras", "tensorflow", "torch", "jax", "keras_hpa"} & {*sys.modules}
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
scores, labels = session.run(["probabilities", "labels"], {"images": np.load(sys.argv[2])})
np.savez(sys.argv[3], scores=scores, labels=labels)
print(json.dumps(session.get_modelmeta().custom_metadata_map))
"""

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the converters'
]
pytest.importorskip("onnxruntime")
pytest.importorskip({"tensorflow": "tf2onnx", "torch": "onnxscript", "jax": "jax2onnx"}[keras.backend.backend()])


@pytest.fixture(scope="module")
def calibrator():
    rng = np.random.default_rng(0)
    return keras_hpa.ThresholdCalibrator("max_f1", at_least_one=True, class_names=_NAMES).fit(
        rng.random((60, 3)), rng.integers(0, 2, (60, 3))
    )


def _build(name):
    if name == "pretrained":
        return keras_hpa.PretrainedClassifier("MobileNetV2", (64, 64, 4), 3, weights=None, input_dtype="uint8")
    if name == "folded":
        return keras_hpa.fold_batch_norm(keras_hpa.GapNet((80, 80, 4), 3, variant="light", input_dtype="uint8"))
    return keras_hpa.GapNet((80, 80, 4), 3, variant=name, input_dtype="uint8")


@pytest.mark.parametrize("name", ["light", "report", "gapnet-pl", "folded", "pretrained"])
def test_a_file_answers_as_the_model_in_a_process_without_keras(name, calibrator, tmp_path):
    model, path = _build(name), tmp_path / "model.onnx"
    export.onnx(model, path, calibrator, channels=keras_hpa.atlas.CHANNELS, pixel_size=0.08)

    size = model.input_shape[1]
    images = np.random.default_rng(1).integers(0, 256, (5, size, size, 4), np.uint8)
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", _RUN, path, tmp_path / "images.npy", tmp_path / "answers.npz"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answers = np.load(tmp_path / "answers.npz")
    scores = model.predict(images, verbose=0)
    np.testing.assert_allclose(answers["scores"], scores, atol=1e-5)
    np.testing.assert_array_equal(answers["labels"], calibrator.predict(scores))
    about = {key: json.loads(value) for key, value in json.loads(done.stdout).items()}
    assert about["channels"] == list(keras_hpa.atlas.CHANNELS)
    assert about["class_names"] == _NAMES
    assert about["thresholds"] == pytest.approx(list(calibrator.thresholds_))
    assert about["pixel_size"] == 0.08
    assert about["versions"]["keras_hpa"] == keras_hpa.__version__
