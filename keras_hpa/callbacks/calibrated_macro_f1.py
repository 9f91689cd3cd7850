"""CalibratedMacroF1: during training, the macro-F1 that fitted thresholds will reach."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from keras_hpa.data import stratified_split
from keras_hpa.metrics import MacroF1
from keras_hpa.thresholds import ThresholdCalibrator


class CalibratedMacroF1(keras.callbacks.Callback):
    """Logs after each epoch the macro-F1 at thresholds that were fitted on samples other than those scored.

    What is submitted are labels at fitted thresholds, but macro-F1 at 0.5, the loss, and accuracy each favour other
    epochs. This callback splits the validation set into two halves with the same share of every class, fits thresholds
    on each half, predicts the labels of the other half with them, and scores all predictions at once. The halves are
    the same after every epoch as long as the validation set comes in the same order.

    It predicts the whole validation set once more; where nothing else needs `val_` values, leave `validation_data` out
    of `fit`. Put it before callbacks that watch its value:

        calibrated = keras_hpa.CalibratedMacroF1(validation_batches)
        checkpoint = keras.callbacks.ModelCheckpoint(
            "best.keras", monitor="val_calibrated_macro_f1", mode="max", save_best_only=True
        )
        reduce_lr = keras_hpa.ReduceLR("macro_f1", monitor="val_calibrated_macro_f1")
        model.fit(train_batches, epochs=20, callbacks=[calibrated, checkpoint, reduce_lr])

    Args:
        validation: samples with labels: a pair of arrays `(inputs, labels)`; or batches of such pairs, such as a
            `MultiChannelSequence`, that can be gone through once per epoch.
        calibrator: how thresholds are fitted; it is copied, not fitted itself. `ThresholdCalibrator()` if not given;
            for a model that returns logits give `ThresholdCalibrator(from_logits=True)`.
        zero_division: what a class scores that is neither present nor predicted, as in `MacroF1`.
        batch_size: samples predicted at a time where arrays are given.
        seed: from which the halves follow.
        name: under which the value is logged.

    Labels:
        Shape `(batch, num_classes)`, 1, 0, or -1 for unknown, which counts for nothing. The model must have one output
        of that shape.

    Raises:
        TypeError: if `validation` is not as above, or `calibrator` is no `ThresholdCalibrator`.
        ValueError: if `batch_size` is below 1; after an epoch, if there are fewer than two samples, or scores are NaN.

    Example:
        >>> import keras, keras_hpa
        >>> inputs, labels = np.eye(8), np.tile([[1, 0], [0, 1]], (4, 1))
        >>> model = keras.Sequential([keras.layers.Dense(2, activation="sigmoid")])
        >>> model.compile("sgd", "binary_crossentropy")
        >>> callback = keras_hpa.CalibratedMacroF1((inputs, labels))
        >>> history = model.fit(inputs, labels, verbose=0, callbacks=[callback]).history
        >>> 0 <= history["val_calibrated_macro_f1"][0] <= 1
        True
    """

    def __init__(
        self,
        validation: Any,
        *,
        calibrator: ThresholdCalibrator | None = None,
        zero_division: float | str = math.nan,
        batch_size: int = 32,
        seed: int = 0,
        name: str = "val_calibrated_macro_f1",
    ) -> None:
        is_pair = isinstance(validation, tuple) and len(validation) == 2
        if not is_pair and (isinstance(validation, tuple | np.ndarray | Iterator) or not _is_iterable(validation)):
            raise TypeError(
                "`validation` must be a pair (inputs, labels) or batches that can be gone through again. "
                f"Received: {type(validation).__name__}"
            )
        if calibrator is not None and not isinstance(calibrator, ThresholdCalibrator):
            raise TypeError(f"`calibrator` must be a ThresholdCalibrator. Received: {calibrator!r}")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1. Received: {batch_size!r}")
        super().__init__()
        self.validation = validation
        self.calibrator = calibrator
        self.zero_division = zero_division
        self.batch_size = batch_size
        self.seed = seed
        self.name = name
        self._metric = MacroF1(zero_division=zero_division)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs[self.name] = self._score()

    def _score(self) -> float:
        scores, labels = [], []
        for inputs, targets in self._batches():
            scores.append(np.asarray(self.model.predict_on_batch(inputs)))
            labels.append(keras.ops.convert_to_numpy(targets))
        return self._score_halves(np.concatenate(scores), np.concatenate(labels))

    def _score_halves(self, scores: npt.NDArray, labels: npt.NDArray) -> float:
        calibrator = ThresholdCalibrator() if self.calibrator is None else self.calibrator
        self._metric.reset_state()
        halves = stratified_split(labels, 0.5, seed=self.seed)
        for fitted, scored in (halves, halves[::-1]):
            predicted = clone(calibrator).fit(scores[fitted], labels[fitted]).predict(scores[scored])
            self._metric.update_state(labels[scored], predicted)
        return float(self._metric.result())

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


def _is_iterable(validation: Any) -> bool:
    return isinstance(validation, keras.utils.PyDataset | Iterable)
