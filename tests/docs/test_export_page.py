"""The code of docs/how-to/export.md."""

import numpy as np
import pytest

import keras_hpa


@pytest.mark.filterwarnings("ignore")
def test_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    model = keras_hpa.GapNet((64, 64, 4), num_classes=3, input_dtype="uint8")
    calibrator = keras_hpa.ThresholdCalibrator(class_names=["Golgi", "Nucleus", "Cytosol"])
    calibrator.fit(rng.random((60, 3)), rng.integers(0, 2, (60, 3)))
    # --8<-- [start:write]
    keras_hpa.export.onnx(model, "model.onnx", calibrator, channels=keras_hpa.atlas.CHANNELS, pixel_size=0.32)
    # --8<-- [end:write]
    images = rng.integers(0, 256, (2, 64, 64, 4), np.uint8)
    # --8<-- [start:use]
    import onnxruntime

    session = onnxruntime.InferenceSession("model.onnx")
    probabilities, labels = session.run(["probabilities", "labels"], {"images": images})
    # --8<-- [end:use]
    np.testing.assert_allclose(probabilities, model.predict(images, verbose=0), atol=1e-5)
    np.testing.assert_array_equal(labels, calibrator.predict(probabilities))
    # --8<-- [start:ask]
    import json

    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    print(about["channels"], about["class_names"], about["pixel_size"])
    # --8<-- [end:ask]
    assert "['red', 'green', 'blue', 'yellow'] ['Golgi', 'Nucleus', 'Cytosol'] 0.32" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")
def test_other_formats(tmp_path, monkeypatch):
    interpreter = pytest.importorskip("ai_edge_litert.interpreter")
    monkeypatch.chdir(tmp_path)
    model = keras_hpa.GapNet((64, 64, 4), num_classes=3, input_dtype="uint8")
    calibrator = keras_hpa.ThresholdCalibrator().fit(np.eye(3), np.eye(3, dtype=int))
    images = np.zeros((2, 64, 64, 4), np.uint8)
    # --8<-- [start:others]
    keras_hpa.export.litert(model, "model.tflite", calibrator)
    keras_hpa.export.saved_model(model, "saved_model", calibrator)
    # --8<-- [end:others]
    # --8<-- [start:use_litert]
    from ai_edge_litert.interpreter import Interpreter

    answers = Interpreter("model.tflite").get_signature_runner()(images=images)
    # --8<-- [end:use_litert]
    assert Interpreter is interpreter.Interpreter
    np.testing.assert_allclose(answers["probabilities"], model.predict(images, verbose=0), atol=1e-5)
    # --8<-- [start:use_saved_model]
    import tensorflow as tf

    loaded = tf.saved_model.load("saved_model")
    answers = loaded.serve(images)
    # --8<-- [end:use_saved_model]
    np.testing.assert_allclose(answers["probabilities"], model.predict(images, verbose=0), atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_a_package(tmp_path, monkeypatch):
    pytest.importorskip("bioimageio.core")
    monkeypatch.chdir(tmp_path)
    model = keras_hpa.GapNet((64, 64, 4), num_classes=3, input_dtype="uint8")
    calibrator = keras_hpa.ThresholdCalibrator(class_names=["Golgi", "Nucleus", "Cytosol"])
    calibrator.fit(np.eye(3), np.eye(3, dtype=int))
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 4), np.uint8)
    # --8<-- [start:package]
    keras_hpa.export.bioimageio(
        model,
        "model.zip",
        calibrator,
        title="Protein location",
        description="Where in the cell a protein is, from four stains.",
        authors=[{"name": "Your Name", "affiliation": "Your institute"}],
        license="CC-BY-4.0",
        documentation="# Protein location\n\nTrained on ...\n\n## Validation\n\nCompare its labels with yours.\n",
        test_images=images,
        channels=keras_hpa.atlas.CHANNELS,
        pixel_size=0.32,
    )
    # --8<-- [end:package]
    assert (tmp_path / "model.zip").exists()
