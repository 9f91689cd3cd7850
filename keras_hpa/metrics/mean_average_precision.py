"""Mean average precision over everything seen, from counts in bins of the score."""

import math
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops

from keras_hpa.f_beta import check_zero_division
from keras_hpa.losses import label_weights
from keras_hpa.metrics.class_mean import class_mean

_Average = Literal["macro", "micro", "weighted"]
_LARGEST_LOGIT = 17.0  # float32 has no probability between 1 and that of a logit of 16.6


@keras.saving.register_keras_serializable("keras_hpa")
class MeanAveragePrecision(keras.metrics.Metric):
    """Average precision per class, averaged over classes: how well each class is ranked, without any threshold.

    The state is counts per class and bin of the score, summed over everything seen, so the value does not depend on
    batch size, order, `steps_per_execution` or the number of devices. It is `sklearn.metrics.average_precision_score`
    of all labels at once, with scores of one bin taken as ties. The bins are equally wide in the logit, from -17 to 17:
    with the default 1,024 a bin is 0.033 wide.

    `bounds()` gives what scikit-learn's value of the scores themselves lies between, whatever the order within each
    bin. Both are the value where no bin with a positive has a second score.

    Average precision of a class without positives is 0 / 0. `zero_division` says what it scores: NaN, the default,
    counts for nothing. Where every class is undefined, the NaN rule gives NaN. A prediction or a label of NaN, or a
    probability below 0 or above 1, makes the value NaN.

    `EarlyStopping` and `ModelCheckpoint` find by themselves that more is better.

    Args:
        num_bins: how many bins of the score each class has; at least 2.
        zero_division: 0, 1 or NaN. The text `"nan"`, which JSON can hold, is read as NaN.
        num_classes: how many classes; by default read from the first batch.
        average: `"macro"`, the mean over classes; `"weighted"`, the mean weighted by how often a class is present;
            `"micro"`, average precision of all labels thrown together.
        from_logits: whether predictions are logits.
        name: name of the metric, under which Keras logs it.
        dtype: dtype of the counts; never less than float32, which is exact up to 16.7 million samples.

    Input shape:
        `y_true` and `y_pred`: `(batch, num_classes)`. Labels are 1, 0, or -1 for unknown, which counts for nothing;
        a softened label counts as present above 0.5. `sample_weight`: `(batch,)`, or `(batch, num_classes)` where the
        metric is called directly (`fit` cannot pass it on).

    Output:
        A scalar; `per_class()` gives average precision of every class.

    Raises:
        ValueError: if an argument is not as above, or a batch has another number of classes than the first.

    Example:
        >>> import keras_hpa
        >>> metric = keras_hpa.MeanAveragePrecision()
        >>> metric.update_state([[1, 0, 0], [0, 1, 0]], [[0.9, 0.2, 0.1], [0.6, 0.5, 0.0]])
        >>> metric.update_state([[1, 1, 0]], [[0.4, 0.1, 0.3]])
        >>> [round(float(value), 3) for value in metric.per_class()]  # the third class is absent
        [0.833, 0.833, nan]
        >>> round(float(metric.result()), 3), [round(float(value), 3) for value in metric.bounds()]
        (0.833, [0.833, 0.833])
    """

    def __init__(
        self,
        num_bins: int = 1024,
        *,
        zero_division: float | str = math.nan,
        num_classes: int | None = None,
        average: _Average = "macro",
        from_logits: bool = False,
        name: str = "mean_average_precision",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._direction = "up"  # where Keras's callbacks look
        if not (isinstance(num_bins, int | np.integer) and num_bins >= 2):
            raise ValueError(f"`num_bins` must be at least 2. Received: {num_bins!r}")
        if num_classes is not None and not (isinstance(num_classes, int | np.integer) and num_classes >= 1):
            raise ValueError(f"`num_classes` must be at least 1. Received: {num_classes!r}")
        if not isinstance(average, str) or average not in get_args(_Average):
            raise ValueError(f"`average` must be one of {get_args(_Average)}. Received: {average!r}")
        self.num_bins = int(num_bins)
        self.zero_division = check_zero_division(zero_division)
        self.num_classes = None if num_classes is None else int(num_classes)
        self.average = average
        self.from_logits = from_logits
        edges = np.linspace(-_LARGEST_LOGIT, _LARGEST_LOGIT, self.num_bins + 1)[1:-1]
        self._edges = np.asarray(edges if from_logits else 1 / (1 + np.exp(-edges)), "float32")
        self.counts: Any = None
        if num_classes is not None:
            self._add_counts(num_classes)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = ops.cast(ops.convert_to_tensor(y_pred), "float32")
        y_true = ops.convert_to_tensor(y_true, self._count_dtype)
        weights = label_weights(y_true, y_pred, sample_weight)
        num_classes = y_pred.shape[-1]
        if self.counts is None:
            self._add_counts(num_classes)
        if num_classes != self.counts.shape[1]:
            raise ValueError(
                f"`y_pred` must have {self.counts.shape[1]} classes, as `num_classes` or the first batch said. "
                f"Received: shape {tuple(y_pred.shape)}"
            )
        wrong = ops.logical_or(ops.isnan(y_pred), ops.isnan(y_true))
        if not self.from_logits:
            wrong = ops.logical_or(wrong, ops.logical_or(y_pred < 0, y_pred > 1))
        values = ops.where(ops.logical_and(wrong, weights != 0), math.nan, weights)
        bins = ops.searchsorted(
            ops.convert_to_tensor(self._edges), ops.reshape(ops.where(wrong, 0.0, y_pred), (-1,)), side="right"
        )
        bins = ops.cast(ops.reshape(bins, ops.shape(y_pred)), "int32") + self.num_bins * ops.arange(num_classes)
        present = ops.cast(y_true > 0.5, values.dtype)
        parts = ((1 - present) * values, present * values, present * ops.cast(weights != 0, values.dtype))
        size, bins = num_classes * self.num_bins, ops.reshape(bins, (-1,))
        sums = [ops.segment_sum(ops.reshape(part, (-1,)), bins, num_segments=size) for part in parts]
        self.counts.assign_add(ops.reshape(ops.stack(sums), self.counts.shape))

    def per_class(self) -> Any:
        """Average precision of every class, `zero_division` without positives: a tensor of shape `(num_classes,)`.

        Raises:
            ValueError: if the number of classes is not known yet.
        """
        if self.counts is None:
            raise ValueError("`per_class` needs `num_classes` or a first batch. Received: neither")
        return self._per_class(self.counts, _with_ties)

    def bounds(self) -> tuple[Any, Any]:
        """The lowest and the highest value that `result()` would have, were scores not put into bins."""
        return self._mean(_at_worst), self._mean(_at_best)

    def result(self) -> Any:
        return self._mean(_with_ties)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "zero_division": "nan" if math.isnan(self.zero_division) else self.zero_division,
            "num_classes": self.num_classes,
            "average": self.average,
            "from_logits": self.from_logits,
        }

    @property
    def _count_dtype(self) -> str:
        return "float64" if self.dtype == "float64" else "float32"

    def _add_counts(self, num_classes: int) -> None:
        shape = (3, num_classes, self.num_bins)  # absent, present, and how many samples the present are
        self.counts = self.add_variable(shape, "zeros", dtype=self._count_dtype, name="counts")

    def _mean(self, within_bins: Any) -> Any:
        if self.counts is None:
            return ops.convert_to_tensor(self.zero_division, self._count_dtype)
        counts = ops.convert_to_tensor(self.counts)
        if self.average == "micro":
            counts = ops.sum(counts, axis=1, keepdims=True)
        precision = self._per_class(counts, within_bins)
        return class_mean(precision, ops.sum(counts[1], axis=-1), counts, is_weighted=self.average == "weighted")

    def _per_class(self, counts: Any, within_bins: Any) -> Any:
        counts = ops.flip(ops.convert_to_tensor(counts), axis=-1)  # the highest score first
        sums = ops.cumsum(counts, axis=-1)
        found = ops.sum(within_bins(counts, sums), axis=-1)
        num_present = sums[1, :, -1]
        undefined = num_present == 0
        return ops.where(undefined, self.zero_division, found / ops.where(undefined, 1, num_present))


def _with_ties(counts: Any, sums: Any) -> Any:
    """The precisions of the positives of each bin, summed: that at the end of the bin, as all its scores are ties."""
    return counts[1] * _ratio(sums[1], sums[1] + sums[0])


def _at_best(counts: Any, sums: Any) -> Any:
    """The same if the positives of a bin are ties, and stand before its negatives: no order gives more."""
    return counts[1] * _ratio(sums[1], sums[1] + sums[0] - counts[0])


def _at_worst(counts: Any, sums: Any) -> Any:
    """The same if they stand behind the negatives, one by one: no order gives less.

    Precision is 1 - false / (true + false), and its integral over `true` is less than the sum at the positives.
    """
    integral = counts[1] - sums[0] * ops.log1p(_ratio(counts[1], sums[1] - counts[1] + sums[0]))
    return ops.where(counts[2] > 1, integral, _with_ties(counts, sums))


def _ratio(numerator: Any, denominator: Any) -> Any:
    return ops.where(denominator == 0, 0, numerator / ops.where(denominator == 0, 1, denominator))
