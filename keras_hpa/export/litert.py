"""A model, and the thresholds of its classes, as one LiteRT file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_hpa.data import needs
from keras_hpa.export.convert import OUTPUTS, convert
from keras_hpa.export.whole_model import whole_model
from keras_hpa.files import replacing
from keras_hpa.graphs import FoldedModel

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator


def litert(
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
    """Writes a model as one LiteRT (TensorFlow Lite) file: images in, probabilities and labels out, as `export.onnx`.

    For telephones, microscopes and small computers. The file has one signature, with the input `images` and the
    outputs `probabilities` and `labels`, and needs LiteRT's own operations only, none of TensorFlow's (Flex). What is
    known of the model is in the file too, as `keras_hpa.json`: `zipfile` opens it. Before it appears it is run by
    LiteRT on random images beside Keras.

    Needs `pip install "keras-hpa[litert]"`. TensorFlow converts, in a process of its own where the model runs on JAX
    or Torch.

    Args:
        model: as for `export.onnx`.
        path: where to write, a name that ends in `.tflite`.
        calibrator: as for `export.onnx`.
        input_dtype: as for `export.onnx`.
        max_value: as for `export.onnx`.
        channels: as for `export.onnx`.
        class_names: as for `export.onnx`.
        pixel_size: as for `export.onnx`.

    Raises:
        ImportError: if a package is missing.
        ValueError: if an argument is not as above, or the numbers of names are not those of the model.
        RuntimeError: if the file's answers differ from the model's; nothing is written.

    Example:
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((128, 128, 4), 28, input_dtype="uint8")
        >>> keras_hpa.export.litert(model, "model.tflite", channels=keras_hpa.atlas.CHANNELS)  # doctest: +SKIP
    """
    path = Path(path)
    if path.suffix.lower() != ".tflite":
        raise ValueError(f'`path` must end in ".tflite". Received: {os.fspath(path)!r}')
    whole = whole_model(
        model,
        calibrator,
        input_dtype=input_dtype,
        max_value=max_value,
        channels=channels,
        class_names=class_names,
        pixel_size=pixel_size,
    )
    runtime = needs("ai_edge_litert.interpreter", "`export.litert` tries its files in LiteRT", extra="litert")
    with replacing(path) as temporary:
        convert(whole.model, temporary, "litert")
        with zipfile.ZipFile(temporary, "a") as archive:  # which LiteRT reads past
            archive.writestr("keras_hpa.json", json.dumps(whole.about, indent=1))
        run = runtime.Interpreter(model_path=os.fspath(temporary)).get_signature_runner()
        names = OUTPUTS[: len(whole.model.outputs)]
        whole.check(lambda images: [run(images=images)[name] for name in names], path)
