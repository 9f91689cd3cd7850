"""A BioImage.IO package passes the zoo's own test, without network, and answers as Keras does."""

import json
import socket
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import export
from keras_hpa.thresholds import Fixed

pytestmark = pytest.mark.filterwarnings("ignore")  # the packages'

_SAID = {
    "title": "Protein location",
    "description": "Where in the cell a protein is.",
    "authors": [{"name": "A. Tester", "affiliation": "Nowhere"}],
    "license": "CC-BY-4.0",
    "documentation": "# Protein location\n\nA test.\n\n## Validation\n\nCompare with labels.\n",
}
_NAMES = ["Golgi", "Nucleus", "Cytosol"]
_RUN = """
import json, sys
import numpy as np
import bioimageio.core
from bioimageio.core.digest_spec import get_test_input_sample
from bioimageio.core import create_prediction_pipeline
from bioimageio.spec import load_model_description
model = load_model_description(sys.argv[1])
sample = create_prediction_pipeline(model).predict_sample_without_blocking(get_test_input_sample(model))
print(json.dumps({key: np.asarray(tensor.data.data).tolist() for key, tensor in sample.members.items()}))
"""


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*arguments, **_):
        raise AssertionError(f"the network was asked for {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def _images(dtype):
    values = np.random.default_rng(1).random((2, 64, 64, 4)) ** np.array([3, 0.3]).reshape(2, 1, 1, 1)
    return (values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize(
    ("build", "options", "scaled"),
    [
        ({"input_shape": (64, 64, 4), "input_dtype": "uint8"}, {}, lambda images: images),
        (
            {"input_shape": (None, None, 4)},
            {"input_dtype": "uint16", "max_value": 4095, "pixel_size": 0.32},
            lambda images: images / np.float32(4095),
        ),
    ],
)
def test_a_package_passes_the_test_of_the_zoo(build, options, scaled, tmp_path, no_network):
    pytest.importorskip("bioimageio.core")
    model, path = keras_hpa.GapNet(num_classes=3, **build), tmp_path / "model.zip"
    images = _images(options.get("input_dtype", "uint8"))
    scores = model.predict(scaled(images), verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator(Fixed(scores.mean(axis=0)), class_names=_NAMES)
    calibrator.fit(scores, np.eye(2, 3, dtype=int))
    export.bioimageio(
        model, path, calibrator, test_images=images, channels=keras_hpa.atlas.CHANNELS, **_SAID, **options
    )

    done = subprocess.run([sys.executable, "-c", _RUN, path], check=True, capture_output=True, text=True)
    answers = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(answers["probabilities"], scores, atol=1e-5)
    np.testing.assert_array_equal(answers["labels"], calibrator.predict(scores))
    assert (np.ptp(answers["labels"], axis=0) == 1).all()

    from bioimageio.spec import load_model_description

    described = load_model_description(path)
    assert [author.name for author in described.authors] == ["A. Tester"]
    assert described.license == "CC-BY-4.0"
    assert described.inputs[0].axes[-1].channel_names == list(keras_hpa.atlas.CHANNELS)
    assert described.inputs[0].axes[1].scale == options.get("pixel_size", 1)
    assert [output.axes[1].channel_names for output in described.outputs] == [_NAMES, _NAMES]
    with zipfile.ZipFile(path) as package:
        assert "## Validation" in package.read("README.md").decode()
        assert package.read("cover.png").startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "model.onnx"}, '`path` must end in ".zip"'),
        ({"authors": []}, "`authors` must hold a mapping with a `name`"),
        ({"channels": None}, "`channels` must be the names"),
        ({"class_names": None}, "`class_names` must be given"),
        ({"test_images": np.zeros((1, 64, 64, 2))}, "`test_images` must be of type float32 and shape"),
        ({"test_images": np.zeros((1, 64, 32, 2), "float32")}, "`test_images` must be of type float32 and shape"),
    ],
)
def test_what_does_not_fit_is_refused(options, message, tmp_path):
    arguments = {
        "model": keras_hpa.GapNet((64, 64, 2), 3),
        "path": tmp_path / "model.zip",
        "channels": ["dna", "protein"],
        "class_names": _NAMES,
        "test_images": np.zeros((1, 64, 64, 2), "float32"),
        **_SAID,
    }
    with pytest.raises(ValueError, match=message):
        export.bioimageio(**arguments | options)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the package is not the backend's")
def test_a_licence_that_is_none_is_refused(tmp_path):
    pytest.importorskip("bioimageio.core")
    arguments = {"channels": ["dna"], "class_names": ["a"], "test_images": np.zeros((1, 64, 64, 1), "float32")}
    with pytest.raises(ValueError, match="license"):
        export.bioimageio(
            keras_hpa.GapNet((64, 64, 1), 1), tmp_path / "m.zip", **_SAID | arguments | {"license": "mine"}
        )
    assert not list(tmp_path.iterdir())
