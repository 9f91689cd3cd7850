"""What exported models give, run by LiteRT and by ONNX Runtime."""

import keras
import pytest


def run_lite_rt(model, inputs, path):
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


def run_onnx(model, inputs, path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model.predict(inputs, verbose=0)  # Keras exports no model that was never called
    model.export(path / "model.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(path / "model.onnx")
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


_SKIPPED = {
    run_lite_rt: pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="LiteRT is TensorFlow's"),
    run_onnx: pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras exports ONNX by TensorFlow and Torch"),
}
RUNTIMES = pytest.mark.parametrize("run", [pytest.param(run, marks=mark) for run, mark in _SKIPPED.items()])
