"""ONNX files answer as Keras does, also where Keras is not installed."""

import importlib
import json
import subprocess
import sys

import keras
import numpy as np
import onnxruntime
import pytest

import keras_hpa
from keras_hpa import export
from keras_hpa.export.convert import convert

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

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters'


@pytest.fixture(scope="module")
def calibrator():
    rng = np.random.default_rng(0)
    return keras_hpa.ThresholdCalibrator("max_f1", at_least_one=True, class_names=_NAMES).fit(
        rng.random((60, 3)), rng.integers(0, 2, (60, 3))
    )


def _build(name):
    if name == "pretrained":
        return keras_hpa.PretrainedClassifier("MobileNetV2", (32, 32, 4), 3, weights=None, input_dtype="uint8")
    if name == "folded":
        return keras_hpa.fold_batch_norm(keras_hpa.GapNet((80, 80, 4), 3, variant="light", input_dtype="uint8"))
    return keras_hpa.GapNet((80, 80, 4), 3, variant=name, input_dtype="uint8")


only_here = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow converts for all backends")
# One of them where TensorFlow converts in a process of its own.
_ALL = ["gapnet-pl", "light", "report", "folded", "pretrained"]


@pytest.mark.parametrize("name", _ALL if keras.backend.backend() == "tensorflow" else _ALL[:1])
def test_a_file_answers_as_the_model_in_a_process_without_keras(name, calibrator, tmp_path):
    model, path = _build(name), tmp_path / "model.onnx"
    keras.utils.set_random_seed(0)
    export.onnx(model, path, calibrator, channels=keras_hpa.atlas.CHANNELS, pixel_size=0.08)

    model = getattr(model, "model", model)
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


@only_here
def test_floats_of_the_model_may_be_integers_of_the_file(tmp_path):
    model = keras_hpa.GapNet((None, None, 2), 3)
    export.onnx(model, tmp_path / "model.onnx", input_dtype="uint16", max_value=4095, class_names=_NAMES)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for size in (64, 96):  # any, as the model takes
        images = np.random.default_rng(1).integers(0, 4096, (3, size, size, 2), np.uint16)
        (scores,) = session.run(None, {"images": images})
        np.testing.assert_allclose(scores, model.predict(images / np.float32(4095), verbose=0), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ["dapi"]}, "`channels` must be 2 different names"),
        ({"class_names": ["a", "b", "a"]}, "`class_names` must be 3 different names"),
        ({"class_names": "abc"}, "`class_names` must be 3 different names"),
        ({"pixel_size": 0}, "`pixel_size` must be a number of micrometres above 0"),
        ({"input_dtype": "float16"}, "`input_dtype` must be an integer type"),
        ({"path": "model.h5"}, '`path` must end in ".onnx"'),
        ({"model": keras.Sequential(name="empty")}, "`model` must be a Keras model"),
        ({"model": 3}, "`model` must be a Keras model of one input and one output. Received: int"),
        ({"calibrator": keras_hpa.ThresholdCalibrator()}, "`calibrator` must be fitted to 3 classes"),
    ],
)
def test_what_does_not_fit_is_refused(options, message, tmp_path):
    arguments = {"model": keras_hpa.GapNet((64, 64, 2), 3), "path": tmp_path / "model.onnx"} | options
    with pytest.raises(ValueError, match=message):
        export.onnx(**arguments)
    assert not list(tmp_path.iterdir())


@only_here
def test_a_file_that_answers_otherwise_never_appears(tmp_path, monkeypatch):
    model, other = keras_hpa.GapNet((64, 64, 2), 3), keras_hpa.GapNet((64, 64, 2), 3)
    module = importlib.import_module("keras_hpa.export.onnx")
    other = module._whole(other, None, None, None)
    other(np.zeros((1, 64, 64, 2), "float32"))
    monkeypatch.setattr(module, "convert", lambda _, path: convert(other, path))
    with pytest.raises(RuntimeError, match=r"model\.onnx' must give the model's scores"):
        export.onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
