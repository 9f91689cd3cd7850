"""A model with what goes before and behind it in an exported file, what the file says of it, and how it answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

import keras_hpa
from keras_hpa.graphs import FoldedModel
from keras_hpa.layers import ScaleIntegers

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator

_ANY_SIZE = 64  # pixels a side of the images that are tried where the network takes any size
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class WholeModel:
    """From images to probabilities, and to labels where there is a calibrator. It has been called."""

    model: keras.Model
    calibrator: ThresholdCalibrator | None
    about: dict[str, Any]
    """Names of channels and classes, thresholds, pixel size and versions, as JSON can hold them."""
    trials: list[tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]]
    """Random images, and what Keras answers: a batch of two and one of three."""

    def answer(self, images: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Probabilities, and labels, by Keras."""
        return _answers(self.model(images))

    def check(
        self, run: Callable[[npt.NDArray[Any]], Sequence[npt.NDArray[Any]]], path: str | os.PathLike[str]
    ) -> None:
        """Compares a file with Keras.

        Raises:
            RuntimeError: if its scores are not those of the model, or its labels not those of the calibrator.
        """
        for images, expected in self.trials:
            found = run(images)
            difference = float(np.abs(found[0] - expected[0]).max())
            if not difference <= _TOLERANCE:
                raise RuntimeError(
                    f"{os.fspath(path)!r} must give the model's scores. Received: others, by up to {difference:.2g}"
                )
            if self.calibrator is not None:
                # The file's own scores through the thresholds: what differs then is the labels' doing.
                labels = self.calibrator.predict(found[0].astype(np.float64))
                if not np.array_equal(found[1], labels):
                    raise RuntimeError(f"{os.fspath(path)!r} must give the calibrator's labels. Received: others")


def whole_model(
    model: keras.Model | FoldedModel,
    calibrator: ThresholdCalibrator | None,
    *,
    input_dtype: str | None,
    max_value: float | None,
    channels: Sequence[str] | None,
    class_names: Sequence[str] | None,
    pixel_size: float | None,
) -> WholeModel:
    """Checks the arguments of an export and puts the scaling of integers before the model and thresholds behind it.

    Raises:
        ValueError: if an argument is not what `export.onnx` says.
    """
    model = model.model if isinstance(model, FoldedModel) else model
    _check_model(model)
    about = _about(model, calibrator, channels, class_names, pixel_size)
    if input_dtype is None:
        inputs = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name="images")
        x = inputs
    else:
        taken = np.dtype(keras.backend.standardize_dtype(model.inputs[0].dtype).replace("bfloat16", "float16"))
        if taken.kind != "f" or np.dtype(input_dtype).kind not in "iu":
            raise ValueError(
                "`input_dtype` must be an integer type, for a model that takes floats. "
                f"Received: {input_dtype!r}, and a model that takes {taken}"
            )
        inputs = keras.Input(model.input_shape[1:], dtype=input_dtype, name="images")
        x = ScaleIntegers(integer_maximum(input_dtype, max_value), name="scale_images")(inputs)
    outputs = [model(x, training=False)]
    if calibrator is not None:
        outputs.append(calibrator.as_layer(name="labels")(outputs[0]))
    whole = keras.Model(inputs, outputs, name="exported")
    trials = [
        (images, _answers(whole(images))) for images in (_random_images(whole, seed, 2 + seed) for seed in (0, 1))
    ]
    return WholeModel(whole, calibrator, about, trials)


def integer_maximum(input_dtype: str, max_value: float | None) -> float:
    """The integer that becomes 1."""
    return np.iinfo(input_dtype).max if max_value is None else max_value


def _check_model(model: keras.Model) -> None:
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not isinstance(model, keras.Model) or not inputs or not outputs or len(inputs) != 1 or len(outputs) != 1:
        received = f"{model.name!r}" if isinstance(model, keras.Model) else type(model).__name__
        raise ValueError(f"`model` must be a Keras model of one input and one output. Received: {received}")
    if len(model.input_shape) != 4 or len(model.output_shape) != 2:
        raise ValueError(
            "`model` must take (batch, height, width, channels) and give (batch, classes). "
            f"Received: {model.input_shape} to {model.output_shape}"
        )


def _about(
    model: keras.Model,
    calibrator: ThresholdCalibrator | None,
    channels: Sequence[str] | None,
    class_names: Sequence[str] | None,
    pixel_size: float | None,
) -> dict[str, Any]:
    num_channels, num_classes = model.input_shape[-1], model.output_shape[-1]
    thresholds = None
    if calibrator is not None:
        if not hasattr(calibrator, "thresholds_") or len(calibrator.thresholds_) != num_classes:
            raise ValueError(f"`calibrator` must be fitted to {num_classes} classes. Received: {calibrator!r}")
        thresholds = [float(one) if np.isfinite(one) else None for one in calibrator.thresholds_]
        class_names = calibrator.class_names if class_names is None else class_names
    for name, values, number in (("channels", channels, num_channels), ("class_names", class_names, num_classes)):
        if values is not None and (isinstance(values, str) or len(values) != number or len(set(values)) != number):
            raise ValueError(f"`{name}` must be {number} different names. Received: {values!r}")
    if pixel_size is not None and not 0 < pixel_size < np.inf:
        raise ValueError(f"`pixel_size` must be a number of micrometres above 0. Received: {pixel_size!r}")
    return {
        "channels": None if channels is None else [str(name) for name in channels],
        "class_names": None if class_names is None else [str(name) for name in class_names],
        "thresholds": thresholds,
        "pixel_size": None if pixel_size is None else float(pixel_size),
        "versions": {"keras_hpa": keras_hpa.__version__, "keras": keras.__version__},
    }


def _random_images(model: keras.Model, seed: int, batch_size: int) -> npt.NDArray[Any]:
    shape = [_ANY_SIZE if size is None else size for size in model.input_shape[1:]]
    dtype = np.dtype(model.inputs[0].dtype)
    values = np.random.default_rng(seed).random((batch_size, *shape), np.float32)
    return (values * np.iinfo(dtype).max).astype(dtype) if dtype.kind in "iu" else values.astype(dtype)


def _answers(answers: Any) -> list[npt.NDArray[Any]]:
    return [keras.ops.convert_to_numpy(one) for one in (answers if isinstance(answers, list | tuple) else [answers])]
