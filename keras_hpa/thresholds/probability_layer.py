"""Calibrated probabilities as the last layer of a model."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.thresholds.log_odds import LARGEST, SMALLEST


@keras.saving.register_keras_serializable("keras_hpa")
class ProbabilityLayer(keras.layers.Layer):
    """Turns scores into calibrated probabilities inside a model, so that an exported model answers with them.

    `ProbabilityCalibrator.as_layer()` makes one that gives what its `transform` does, within the precision of float32.
    With z the logit of a score, it gives `sigmoid(offset + slope * z + correction(z))`.

    Args:
        offsets: one number per class.
        slopes: one number per class.
        knots: for each class logits at which a correction is known, ascending, as many for each class.
        corrections: for each class the correction at each knot; between knots it runs straight, beyond them it stays.
        from_logits: whether scores are logits.

    Shapes:
        Scores and probabilities have shape `(..., num_classes)`.

    Raises:
        ValueError: if arguments do not fit each other, or the last axis of the scores has another length.

    Example:
        >>> layer = ProbabilityLayer([0.0, 1.0], [1.0, 0.5], [[0.0], [0.0]], [[0.0], [0.0]])
        >>> keras.ops.convert_to_numpy(layer(np.array([[0.2, 0.5]], "float32"))).round(2).tolist()
        [[0.20000000298023224, 0.7300000190734863]]
    """

    def __init__(
        self,
        offsets: Sequence[float],
        slopes: Sequence[float],
        knots: Sequence[Sequence[float]],
        corrections: Sequence[Sequence[float]],
        *,
        from_logits: bool = False,
        **kwargs: Any,
    ) -> None:
        given = {"offsets": offsets, "slopes": slopes, "knots": knots, "corrections": corrections}
        parts = {}
        for name, value in given.items():
            try:
                parts[name] = np.array(value, np.float64)
            except (TypeError, ValueError):
                parts[name] = np.full(0, np.nan)
            shape = parts["offsets"].shape[:1] if name in ("offsets", "slopes") else (len(parts["offsets"]), -1)
            wanted = parts["knots"].shape if name == "corrections" else shape
            fits = parts[name].ndim == len(wanted) and 0 not in parts[name].shape
            fits = fits and all(want in (-1, has) for want, has in zip(wanted, parts[name].shape, strict=True))
            if not fits or not np.isfinite(parts[name]).all():
                words = "a list of one number per class" if len(shape) == 1 else "as many numbers for each class"
                raise ValueError(f"`{name}` must be {words}. Received: {value!r}")
        if (np.diff(parts["knots"]) < 0).any():
            raise ValueError(f"`knots` must be ascending. Received: {knots!r}")
        super().__init__(**{"dtype": "float32", "autocast": False, "trainable": False} | kwargs)
        self.offsets, self.slopes = parts["offsets"].tolist(), parts["slopes"].tolist()
        self.knots, self.corrections = parts["knots"].tolist(), parts["corrections"].tolist()
        self.from_logits = from_logits
        starts, ends = parts["knots"][:, :-1], parts["knots"][:, 1:]
        steps = np.diff(parts["corrections"])
        # A step whose ends are one is left out, as NumPy's interpolation does.
        self._ramps = np.divide(steps, ends - starts, out=np.zeros_like(steps), where=ends > starts).astype(np.float32)
        self._starts, self._ends = starts.astype(np.float32), ends.astype(np.float32)
        self._base = (parts["offsets"] + parts["corrections"][:, 0]).astype(np.float32)

    def build(self, input_shape: Sequence[int | None]) -> None:
        if input_shape[-1] != len(self.offsets):
            raise ValueError(
                f"The last axis of the scores must have length {len(self.offsets)}, one for each of `offsets`. "
                f"Received: shape {tuple(input_shape)}"
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        logits = ops.cast(inputs, "float32")
        if not self.from_logits:
            clipped = ops.clip(logits, np.float32(SMALLEST), np.float32(LARGEST))
            logits = ops.subtract(ops.log(clipped), ops.log(ops.subtract(1.0, clipped)))  # ONNX has no log1p
        logits = ops.clip(logits, -50.0, 50.0)
        found = ops.add(ops.multiply(logits, np.array(self.slopes, np.float32)), self._base)
        if self._ramps.shape[1]:
            along = ops.subtract(
                ops.minimum(ops.maximum(ops.expand_dims(logits, -1), self._starts), self._ends), self._starts
            )
            found = ops.add(found, ops.sum(ops.multiply(along, self._ramps), axis=-1))
        return ops.sigmoid(found)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs.shape, dtype="float32")

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        names = ("offsets", "slopes", "knots", "corrections", "from_logits")
        return super().get_config() | {name: getattr(self, name) for name in names}
