"""Macro-F1 over everything seen, whatever the batches."""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops

from keras_hpa.f_beta import check_zero_division, f_beta
from keras_hpa.floats import as_floats, round_up
from keras_hpa.losses import label_weights
from keras_hpa.metrics.class_mean import class_mean

_Average = Literal["macro", "micro", "weighted"]


@keras.saving.register_keras_serializable("keras_hpa")
class MacroF1(keras.metrics.Metric):
    """F1 per class, averaged over classes: what the Human Protein Atlas challenge scored.

    The state is three counts per class (true positives, predicted, present), summed over everything seen, so the value
    is exact and does not depend on batch size, order, `steps_per_execution` or the number of devices. It equals
    `sklearn.metrics.f1_score` of all labels at once; counts are float32, exact up to 16.7 million samples.

    A class is predicted where its probability is **at least** its threshold, as `ThresholdCalibrator` decides.

    F1 of a class that was neither present nor predicted is 0 / 0. `zero_division` says what it scores: NaN, the
    default, counts for nothing, so that a perfect predictor scores 1 on any data; predicting such a class even once
    scores it 0. See [absent classes](../explanation/batch-averaged-f1.md#absent-classes) for the choice.

    Where every class is undefined, the NaN rule gives NaN. A prediction or a label of NaN makes the value NaN.

    `EarlyStopping` and `ModelCheckpoint` find by themselves that more is better; KerasTuner goes by names and must be
    told: `keras_tuner.Objective("val_macro_f1", "max")`.

    Args:
        threshold: one for all classes or one per class, compared with `>=`; infinity never predicts. Where
            `from_logits` is true it is still a probability. (The thresholds of a calibrator that was itself fitted on
            logits are logits: leave `from_logits` false then, and logits are compared as they are.)
        zero_division: 0, 1 or NaN. The text `"nan"`, which JSON can hold, is read as NaN.
        num_classes: how many classes; by default read from the first batch.
        average: `"macro"`, the mean over classes; `"weighted"`, the mean weighted by how often a class is present;
            `"micro"`, F1 of all labels thrown together.
        from_logits: whether predictions are logits, to be turned into probabilities first.
        name: name of the metric, under which Keras logs it.
        dtype: dtype of the counts; never less than float32.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing;
        a softened label counts as present above 0.5. `sample_weight`: `(batch,)`, or `(batch, num_classes)` where the
        metric is called directly (`fit` cannot pass it on).

    Output:
        A scalar; `per_class()` gives F1 of every class.

    Raises:
        ValueError: if an argument is not as above, thresholds and `num_classes` differ, or a batch has another shape.

    Example:
        >>> import keras_hpa
        >>> metric = keras_hpa.MacroF1(threshold=0.5)
        >>> metric.update_state([[1, 0, 0], [0, 1, 0]], [[0.9, 0.2, 0.1], [0.6, 0.5, 0.0]])
        >>> [round(float(f1), 3) for f1 in metric.per_class()]  # the third class is absent
        [0.667, 1.0, nan]
        >>> round(float(metric.result()), 3)
        0.833
    """

    def __init__(
        self,
        threshold: float | Sequence[float] = 0.5,
        *,
        zero_division: float | str = math.nan,
        num_classes: int | None = None,
        average: _Average = "macro",
        from_logits: bool = False,
        name: str = "macro_f1",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"  # where Keras's callbacks look
        thresholds = as_floats(threshold)
        if thresholds.ndim > 1 or not thresholds.size or np.isnan(thresholds).any():
            raise ValueError(f"`threshold` must be a number, or one number per class. Received: {threshold!r}")
        if num_classes is not None and not (isinstance(num_classes, int | np.integer) and num_classes >= 1):
            raise ValueError(f"`num_classes` must be at least 1. Received: {num_classes!r}")
        if thresholds.ndim == 1 and num_classes not in (None, len(thresholds)):
            raise ValueError(
                f"`threshold` must have one value per class. Received: {len(thresholds)} thresholds "
                f"and num_classes={num_classes}"
            )
        if not isinstance(average, str) or average not in get_args(_Average):
            raise ValueError(f"`average` must be one of {get_args(_Average)}. Received: {average!r}")
        self.threshold = thresholds.tolist()
        self.zero_division = check_zero_division(zero_division)
        self.num_classes = None if num_classes is None else int(num_classes)
        self.average = average
        self.from_logits = from_logits
        self.counts: Any = None
        if thresholds.ndim == 1 or num_classes is not None:
            self._add_counts(num_classes or len(thresholds))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if isinstance(y_true, np.ma.MaskedArray):
            y_true = np.where(np.ma.getmaskarray(y_true), -1.0, y_true.data)  # masked is unknown
        if isinstance(y_pred, np.ma.MaskedArray) and np.ma.is_masked(y_pred):
            raise ValueError("`y_pred` must not be masked; a label that is unknown is -1. Received: a masked array")
        y_pred = ops.convert_to_tensor(y_pred)
        wide = keras.backend.standardize_dtype(y_pred.dtype) == "float64"
        y_pred = ops.cast(y_pred, "float64" if wide else "float32")
        y_true = ops.convert_to_tensor(y_true, self._count_dtype)
        weights = label_weights(y_true, y_pred, sample_weight)
        num_classes = y_pred.shape[-1]
        if self.counts is None:
            self._add_counts(num_classes)
        if num_classes != self.counts.shape[-1]:
            raise ValueError(
                f"`y_pred` must have {self.counts.shape[-1]} classes, as `num_classes`, `threshold` or the first batch "
                f"said. Received: shape {tuple(y_pred.shape)}"
            )
        probabilities = ops.sigmoid(y_pred) if self.from_logits else y_pred
        exact = np.asarray(self.threshold, "float64")
        threshold = ops.convert_to_tensor(round_up(exact, "float64" if wide else "float32"))
        predicted = _as_number(probabilities >= threshold, probabilities, weights)
        present = _as_number(y_true > 0.5, y_true, weights)
        batch = (weights * predicted * present, weights * predicted, weights * present)
        self.counts.assign_add(ops.stack([ops.sum(part, axis=0) for part in batch]))

    def per_class(self) -> Any:
        """F1 of every class, `zero_division` where it is undefined: a tensor of shape `(num_classes,)`.

        Raises:
            ValueError: if the number of classes is not known yet.
        """
        if self.counts is None:
            raise ValueError("`per_class` needs `num_classes` or a first batch. Received: neither")
        return self._f1(self.counts)

    def result(self) -> Any:
        if self.counts is None:
            return ops.convert_to_tensor(self.zero_division, self._count_dtype)
        if self.average == "micro":
            return self._f1(ops.sum(self.counts, axis=-1))
        counts = ops.convert_to_tensor(self.counts)
        return class_mean(self._f1(counts), counts[2], counts, is_weighted=self.average == "weighted")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "threshold": _to_json(self.threshold),
            "zero_division": _to_json(self.zero_division),
            "num_classes": self.num_classes,
            "average": self.average,
            "from_logits": self.from_logits,
        }

    @property
    def _count_dtype(self) -> str:
        return "float64" if self.dtype == "float64" else "float32"

    def _add_counts(self, num_classes: int) -> None:
        self.counts = self.add_variable((3, num_classes), "zeros", dtype=self._count_dtype, name="counts")

    def _f1(self, counts: Any) -> Any:
        return f_beta(counts[0], counts[1], counts[2], zero_division=self.zero_division, where=ops.where)


def _as_number(condition: Any, values: Any, weights: Any) -> Any:
    """1 or 0; NaN for values that are NaN and count."""
    number = ops.cast(condition, weights.dtype)
    return ops.where(ops.logical_and(ops.isnan(values), weights != 0), math.nan, number)


def _to_json(value: Any) -> Any:
    """Numbers that JSON lacks, NaN and infinity, as text, which the constructor reads."""
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    return value if math.isfinite(value) else str(value)
