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
from keras_hpa.export.whole_model import whole_model
from keras_hpa.layers import GapNetPLPreprocessing
from keras_hpa.thresholds import Fixed

_NAMES = ["Golgi", "Nucleus", "Cytosol"]
_FILES = {"onnx": "model.onnx", "litert": "model.tflite", "saved_model": "model.folder"}
_RUN = {
    "onnx": """
import json, sys
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
scores, labels = session.run(["probabilities", "labels"], {"images": np.load(sys.argv[2])})
about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
""",
    "litert": """
import json, sys, zipfile
import numpy as np
from ai_edge_litert.interpreter import Interpreter
answers = Interpreter(sys.argv[1]).get_signature_runner()(images=np.load(sys.argv[2]))
scores, labels = answers["probabilities"], answers["labels"]
about = json.loads(zipfile.ZipFile(sys.argv[1]).read("keras_hpa.json"))
""",
    "saved_model": """
import json, pathlib, sys
import numpy as np, tensorflow
loaded = tensorflow.saved_model.load(sys.argv[1])
answers = loaded.serve(np.load(sys.argv[2]))
scores, labels = answers["probabilities"].numpy(), answers["labels"].numpy()
about = json.loads(pathlib.Path(sys.argv[1], "assets.extra", "keras_hpa.json").read_text())
""",
}
_END = """
np.savez(sys.argv[3], scores=scores, labels=labels)
print(json.dumps({"about": about, "modules": [*sys.modules]}))
"""

pytestmark = pytest.mark.filterwarnings("ignore")  # the converters'


def _images(size):
    """Five that networks tell apart, from dark to bright."""
    values = np.random.default_rng(1).random((5, size, size, 4)) ** np.array([4, 2, 1, 0.5, 0.25]).reshape(-1, 1, 1, 1)
    return (values * 255).astype(np.uint8)


def _calibrator(scores):
    """A threshold in the widest gap between the scores of each class, so that some have it and some have it not."""
    order = np.sort(scores, axis=0)
    gap = np.diff(order, axis=0).argmax(axis=0)
    thresholds = (order[gap, range(3)] + order[gap + 1, range(3)]) / 2
    calibrator = keras_hpa.ThresholdCalibrator(Fixed(thresholds), at_least_one=True, class_names=_NAMES)
    return calibrator.fit(scores, np.eye(5, 3, dtype=int))


def _build(name):
    if name == "stretched":  # the layers whose operations are the least common
        stretch = keras.Sequential([keras_hpa.PercentileNormalization(1, 99), GapNetPLPreprocessing(2)], name="stretch")
        return keras_hpa.GapNet((40, 40, 4), 3, variant="light", input_dtype="uint8", preprocessing=stretch)
    if name == "pretrained":
        return keras_hpa.PretrainedClassifier("MobileNetV2", (32, 32, 4), 3, weights=None, input_dtype="uint8")
    if name == "folded":
        return keras_hpa.fold_batch_norm(keras_hpa.GapNet((80, 80, 4), 3, variant="light", input_dtype="uint8"))
    return keras_hpa.GapNet((80, 80, 4), 3, variant=name, input_dtype="uint8")


_ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
only_here = pytest.mark.skipif(not _ON_TENSORFLOW, reason="TensorFlow converts for all backends")
_NETWORKS = {
    "onnx": ["gapnet-pl", "light", "report", "folded", "pretrained", "stretched", "textured"],
    "litert": ["gapnet-pl", "textured", "pretrained", "stretched"],
    "saved_model": ["stretched"],
}
# On another backend TensorFlow converts in a process of its own, which takes long: one of all in every run.
_CASES = [
    pytest.param(kind, name, marks=() if _ON_TENSORFLOW or kind + name == "onnxgapnet-pl" else pytest.mark.slow)
    for kind, names in _NETWORKS.items()
    for name in names
]


@pytest.mark.parametrize(("kind", "name"), _CASES)
def test_a_file_answers_as_the_model_in_a_process_without_keras(kind, name, tmp_path):
    if kind == "litert":
        pytest.importorskip("ai_edge_litert")
    exported, path = _build(name), tmp_path / _FILES[kind]
    model = getattr(exported, "model", exported)
    images = _images(model.input_shape[1])
    scores = model.predict(images, verbose=0)
    calibrator = _calibrator(scores)
    getattr(export, kind)(exported, path, calibrator, channels=keras_hpa.atlas.CHANNELS, pixel_size=0.08)

    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", _RUN[kind] + _END, path, tmp_path / "images.npy", tmp_path / "answers.npz"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answers = np.load(tmp_path / "answers.npz")
    np.testing.assert_allclose(answers["scores"], scores, atol=1e-5)
    np.testing.assert_array_equal(answers["labels"], calibrator.predict(scores))
    assert np.ptp(answers["labels"], axis=0).any()
    printed = json.loads(done.stdout)
    # TensorFlow itself imports the Keras that is installed.
    foreign = {"keras_hpa"} if kind == "saved_model" else {"keras", "tensorflow", "torch", "jax", "keras_hpa"}
    assert not foreign & {*printed["modules"]}
    about = printed["about"]
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
@pytest.mark.parametrize("kind", ["onnx", "litert", "saved_model"])
def test_what_answers_otherwise_never_appears(kind, tmp_path, monkeypatch):
    if kind == "litert":
        pytest.importorskip("ai_edge_litert")
    module = importlib.import_module(f"keras_hpa.export.{kind}")
    arguments = dict.fromkeys(["input_dtype", "max_value", "channels", "class_names", "pixel_size"])
    other = whole_model(keras_hpa.GapNet((64, 64, 2), 3), None, **arguments)
    monkeypatch.setattr(module, "convert", lambda _, path, format: convert(other.model, path, format))
    with pytest.raises(RuntimeError, match=r"model\.\w+' must give the model's scores"):
        getattr(export, kind)(keras_hpa.GapNet((64, 64, 2), 3), tmp_path / _FILES[kind])
    assert not list(tmp_path.iterdir())
