"""Thresholds as the last layer of a model."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.floats import round_up
from keras_hpa.thresholds.apply_thresholds import nearness_terms


@keras.saving.register_keras_serializable("keras_hpa")
class ThresholdLayer(keras.layers.Layer):
    """Turns scores into labels inside a model, so that an exported model answers with labels.

    `ThresholdCalibrator.as_layer()` makes one that gives exactly the labels of its `predict`.

    Args:
        thresholds: one threshold per class, in the unit of the scores; `None` or infinity is never passed. A sample is
            given a class where `score >= threshold`.
        at_least_one: whether a sample that passes no threshold gets the class nearest to its threshold: by the ratio
            of the two, by their difference with `from_logits`.
        from_logits: whether scores are logits.

    Shapes:
        Scores and labels have shape `(..., num_classes)`; labels are uint8.

    Raises:
        ValueError: if `thresholds` is not a list of numbers, or the last axis of the scores has another length.

    Example:
        >>> layer = ThresholdLayer([0.2, 0.5])
        >>> keras.ops.convert_to_numpy(layer(np.array([[0.2, 0.4]], "float32")))
        array([[1, 0]], dtype=uint8)
    """

    def __init__(
        self,
        thresholds: Sequence[float | None],
        *,
        at_least_one: bool = False,
        from_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        if np.ndim(np.array(thresholds, object)) != 1 or len(thresholds) == 0:
            raise ValueError(f"`thresholds` must be a list of one number per class. Received: {thresholds!r}")
        if not all(one is None or (isinstance(one, Real) and not np.isnan(one)) for one in thresholds):
            raise ValueError(f"`thresholds` must hold numbers or None. Received: {thresholds!r}")
        values = np.array([np.inf if one is None else one for one in thresholds], np.float64)
        super().__init__(**{"dtype": "float32", "autocast": False, "trainable": False} | kwargs)
        self.thresholds = [None if np.isposinf(one) else float(one) for one in values]
        self.at_least_one = at_least_one
        self.from_logits = from_logits
        self._rounded = round_up(values, np.float32)

    def build(self, input_shape: Sequence[int | None]) -> None:
        if input_shape[-1] != len(self.thresholds):
            raise ValueError(
                f"The last axis of the scores must have length {len(self.thresholds)}, one for each of `thresholds`. "
                f"Received: shape {tuple(input_shape)}"
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        scores = ops.cast(inputs, "float32")
        scores = ops.where(ops.abs(scores) < np.finfo(np.float32).tiny, 0.0, scores)  # as some backends do
        passed = ops.cast(ops.greater_equal(scores, self._rounded), "float32")
        if self.at_least_one and np.isfinite(self._rounded).any():
            factor, shift = nearness_terms(self._rounded, from_logits=self.from_logits)
            nearness = ops.add(ops.multiply(scores, factor), shift)
            # Comparisons of floats alone: ONNX Runtime and LiteRT lack others, of booleans and of whole numbers.
            columns, beyond = np.arange(len(self.thresholds), dtype="float32"), np.float32(len(self.thresholds))
            is_highest = ops.greater_equal(nearness, ops.max(nearness, axis=-1, keepdims=True))
            first = ops.min(ops.where(is_highest, columns, beyond), axis=-1, keepdims=True)
            is_nearest = ops.cast(ops.equal(columns, first), "float32")
            nothing = ops.subtract(1.0, ops.max(passed, axis=-1, keepdims=True))
            passed = ops.maximum(passed, ops.multiply(nothing, is_nearest))
        return ops.cast(passed, "uint8")

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype="uint8")

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "thresholds": self.thresholds,
            "at_least_one": self.at_least_one,
            "from_logits": self.from_logits,
        }
