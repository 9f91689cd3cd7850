"""A model, and the thresholds of its classes, as a folder of TensorFlow's own format."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras

from keras_hpa.export.convert import OUTPUTS, convert
from keras_hpa.export.whole_model import whole_model
from keras_hpa.files import flush, replacing
from keras_hpa.graphs import FoldedModel

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator


def saved_model(
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
    """Writes a model as a SavedModel, the folder that TensorFlow reads where keras-hpa is not installed.

    After `loaded = tensorflow.saved_model.load(path)`, `loaded.serve(images)` gives a dictionary of `probabilities` and
    `labels`. What is known of the model is in the folder too, as `assets.extra/keras_hpa.json`. Before it appears it
    is run on random images beside Keras.

    TensorFlow converts, in a process of its own where the model runs on JAX or Torch.

    Args:
        model: as for `export.onnx`.
        path: the folder to make; there must be nothing yet.
        calibrator: as for `export.onnx`.
        input_dtype: as for `export.onnx`.
        max_value: as for `export.onnx`.
        channels: as for `export.onnx`.
        class_names: as for `export.onnx`.
        pixel_size: as for `export.onnx`.

    Raises:
        ValueError: if an argument is not as above, or the numbers of names are not those of the model.
        RuntimeError: if the folder's answers differ from the model's; nothing is written.

    Example:
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((128, 128, 4), 28, input_dtype="uint8")
        >>> keras_hpa.export.saved_model(model, "model", channels=keras_hpa.atlas.CHANNELS)  # doctest: +SKIP
    """
    path = Path(path)
    if path.exists():
        raise ValueError(f"`path` must be a folder that is not there yet. Received: {os.fspath(path)!r}")
    whole = whole_model(
        model,
        calibrator,
        input_dtype=input_dtype,
        max_value=max_value,
        channels=channels,
        class_names=class_names,
        pixel_size=pixel_size,
    )
    import tensorflow

    with replacing(path) as temporary:
        convert(whole.model, temporary, "saved_model")
        (temporary / "assets.extra").mkdir()
        (temporary / "assets.extra" / "keras_hpa.json").write_text(json.dumps(whole.about, indent=1), encoding="utf-8")
        loaded = tensorflow.saved_model.load(os.fspath(temporary))
        names = OUTPUTS[: len(whole.model.outputs)]
        whole.check(lambda images: [loaded.serve(images)[name].numpy() for name in names], path)
        for written in temporary.rglob("*"):
            flush(written)
