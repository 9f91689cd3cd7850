"""CrossFittedMacroF1: during training, the macro-F1 that fitted thresholds will reach."""

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_hpa.f_beta import check_zero_division
from keras_hpa.thresholds import Rule, ThresholdCalibrator, cross_fit


class CrossFittedMacroF1(keras.callbacks.Callback):
    """Logs after each epoch the macro-F1 at thresholds that were fitted on samples other than those scored.

    What is submitted are labels at fitted thresholds, but macro-F1 at 0.5, the loss, and accuracy each favour other
    epochs. This callback predicts the validation set and logs the [`cross_fit`](cross_fit.md) of its scores. The
    halves are the same after every epoch as long as the validation set comes in the same order.

    It predicts the whole validation set once more; where nothing else needs `val_` values, leave `validation_data` out
    of `fit`. Put it before callbacks that watch its value:

        cross_fitted = keras_hpa.CrossFittedMacroF1(validation_batches)
        checkpoint = keras.callbacks.ModelCheckpoint(
            "best.keras", monitor="val_cross_fitted_macro_f1", mode="max", save_best_only=True
        )
        reduce_lr = keras_hpa.ReduceLR("macro_f1", monitor="val_cross_fitted_macro_f1")
        model.fit(train_batches, epochs=20, callbacks=[cross_fitted, checkpoint, reduce_lr])

    Args:
        validation: samples with labels: a pair of arrays `(inputs, labels)`; or batches of such pairs, such as a
            `MultiChannelSequence`, that can be gone through once per epoch. It may be the `validation_data` of `fit`.
        rule: how thresholds are fitted: a name, a rule, or a `ThresholdCalibrator`, which is copied, not fitted itself;
            for a model that returns logits give `ThresholdCalibrator(from_logits=True)`.
        groups: one hashable per sample, in the order of the samples: those of one group are never split.
        zero_division: what a class scores that is neither present nor predicted, as in `MacroF1`.
        batch_size: samples predicted at a time where arrays are given.
        seed: from which the halves follow.
        name: under which the value is logged.

    Labels:
        Shape `(batch, num_classes)`, 1, 0, or -1 for unknown, which counts for nothing. The model must have one output
        of that shape.

    Raises:
        TypeError: if `validation` is not as above, or `rule` is no rule.
        ValueError: if `batch_size` is below 1; after an epoch, if there are fewer than two samples, or scores are NaN.

    Example:
        >>> import keras, keras_hpa
        >>> inputs, labels = np.eye(8), np.tile([[1, 0], [0, 1]], (4, 1))
        >>> model = keras.Sequential([keras.layers.Dense(2, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> callback = keras_hpa.CrossFittedMacroF1((inputs, labels))
        >>> history = model.fit(inputs, labels, verbose=0, callbacks=[callback]).history
        >>> 0 <= history["val_cross_fitted_macro_f1"][0] <= 1
        True
    """

    def __init__(
        self,
        validation: Any,
        *,
        rule: str | Rule | ThresholdCalibrator = "auto",
        groups: Sequence[Hashable] | None = None,
        zero_division: float | str = math.nan,
        batch_size: int = 32,
        seed: int = 0,
        name: str = "val_cross_fitted_macro_f1",
    ) -> None:
        is_pair = isinstance(validation, tuple) and len(validation) == 2
        if not is_pair and (isinstance(validation, tuple | np.ndarray | Iterator) or not _is_iterable(validation)):
            raise TypeError(
                "`validation` must be a pair (inputs, labels) or batches that can be gone through again. "
                f"Received: {type(validation).__name__}"
            )
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size!r}")
        super().__init__()
        self.validation = validation
        self.rule = rule if isinstance(rule, ThresholdCalibrator) else ThresholdCalibrator(rule)
        self.groups = groups
        self.zero_division = check_zero_division(zero_division)
        self.batch_size = batch_size
        self.seed = seed
        self.name = name

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is None:
            return
        scores, labels, length = [], [], 0
        for inputs, targets in self._batches():
            targets = ops.convert_to_numpy(targets)
            length = max(length, len(targets))
            if len(targets) < length:  # JAX cannot spread a short batch over devices, and would compile for it
                inputs = keras.tree.map_structure(partial(_fill_up, length=length), inputs)
            # Where the model is spread over devices, Keras gives the rows of one batch once for each of them.
            scores.append(ops.convert_to_numpy(self.model.predict_on_batch(inputs))[: len(targets)])
            labels.append(targets)
        logs[self.name] = cross_fit(
            self.rule,
            np.concatenate(scores),
            np.concatenate(labels),
            self.groups,
            seed=self.seed,
            zero_division=self.zero_division,
        )

    def _batches(self) -> Iterator[tuple[Any, Any]]:
        if isinstance(self.validation, tuple):
            inputs, labels = self.validation
            for start in range(0, len(labels), self.batch_size):
                yield inputs[start : start + self.batch_size], labels[start : start + self.batch_size]
        elif isinstance(self.validation, keras.utils.PyDataset):
            for index in range(len(self.validation)):
                yield self.validation[index][:2]
        else:
            for batch in self.validation:
                yield batch[:2]


def _fill_up(rows: Any, length: int) -> Any:
    rows = ops.convert_to_numpy(rows)
    return np.concatenate([rows, np.repeat(rows[-1:], length - len(rows), axis=0)])


def _is_iterable(validation: Any) -> bool:
    return isinstance(validation, keras.utils.PyDataset | Iterable)
