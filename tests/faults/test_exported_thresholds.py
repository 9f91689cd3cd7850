"""Labels of a model in another runtime are those of the calibrator that it was given."""

import keras
import numpy as np
import pytest

from keras_hpa import GapNet, ThresholdCalibrator, ThresholdLayer

_IMAGES = np.random.default_rng(0).uniform(size=(5, 32, 32, 2)).astype("float32")


def _scores(from_logits, shape=(12, 6)):
    scores = np.random.default_rng(1).uniform(0.05, 0.95, shape).astype("float32")
    return np.log(scores) - np.log1p(-scores) if from_logits else scores


def _calibrator(at_least_one, from_logits):
    scores = _scores(from_logits)
    return ThresholdCalibrator("max_f1", at_least_one=at_least_one, from_logits=from_logits).fit(
        scores, np.random.default_rng(2).integers(0, 2, scores.shape)
    )


def _heads():
    """Layers by what they decide, beside scores in which some rows pass nothing and some come equally near."""
    for at_least_one in (False, True):
        for from_logits in (False, True):
            layer = _calibrator(at_least_one, from_logits).as_layer()
            low = _scores(from_logits) - np.float32(3.0 if from_logits else 0.0)
            yield layer, np.concatenate([low, _scores(from_logits) * np.float32(0.1)])
    yield (
        ThresholdLayer([0.5, None, 0.9], at_least_one=True),
        np.float32([[0.1, 0.9, 0.18], [0.2, 0.1, 0.36], [0, 0, 0]]),
    )
    yield ThresholdLayer([None, None], at_least_one=True), np.float32([[0.1, 0.9]])
    yield ThresholdLayer([0.0, 1.0], at_least_one=True), np.float32([[0.0, 1.0], [0.5, 0.5]])


def _lite_rt(model, inputs, path):
    tensorflow = pytest.importorskip("tensorflow")
    model.export(path / "saved", verbose=False)
    content = tensorflow.lite.TFLiteConverter.from_saved_model(str(path / "saved")).convert()
    interpreter = tensorflow.lite.Interpreter(model_content=content)
    place, result = (part[0]["index"] for part in (interpreter.get_input_details(), interpreter.get_output_details()))
    interpreter.resize_tensor_input(place, inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, inputs)
    interpreter.invoke()
    return interpreter.get_tensor(result)


def _onnx(model, inputs, path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model.predict(inputs, verbose=0)  # Keras exports no model that was never called
    model.export(path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path / "model.onnx")
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


_skipped = {
    _lite_rt: pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT is TensorFlow's"),
    _onnx: pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras exports ONNX by TensorFlow and Torch"),
}
_runtimes = pytest.mark.parametrize("run", [pytest.param(run, marks=mark) for run, mark in _skipped.items()])
pytestmark = pytest.mark.filterwarnings("ignore")  # the exporters' own


@_runtimes
@pytest.mark.parametrize("head", range(7))
def test_labels_are_those_of_the_layer(run, head, tmp_path):
    layer, scores = list(_heads())[head]
    model = keras.Sequential([keras.Input(scores.shape[1:]), layer])
    np.testing.assert_array_equal(run(model, scores, tmp_path), model.predict(scores, verbose=0))


@pytest.mark.slow
@_runtimes
@pytest.mark.parametrize("from_logits", [False, True])
def test_a_network_that_ends_in_thresholds(run, from_logits, tmp_path):
    activation = None if from_logits else "sigmoid"
    network = GapNet((32, 32, 2), 6, variant="light", classifier_activation=activation)
    scores = network.predict(_IMAGES, verbose=0)
    calibrator = ThresholdCalibrator("prevalence", at_least_one=True, from_logits=from_logits)
    calibrator.fit(scores, np.random.default_rng(0).integers(0, 2, scores.shape))
    calibrator.thresholds_ += 1e-3  # so that no score lies on a threshold
    model = keras.Model(network.inputs, calibrator.as_layer()(network.outputs[0]))
    labels = run(model, _IMAGES, tmp_path)
    np.testing.assert_array_equal(labels, calibrator.predict(scores))
    assert labels.any(axis=1).all()
