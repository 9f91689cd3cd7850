"""Several losses as one."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np

from keras_hpa.floats import as_floats


@keras.saving.register_keras_serializable("keras_hpa")
class WeightedSumLoss(keras.losses.Loss):
    """A weighted sum of losses on the same output, saved with the model as one object.

    A loss per label keeps probabilities calibrated, a loss per batch such as `MacroF1Loss` or `SymmetricLovaszHinge`
    follows the score; the challenge's winners used both at once.

    Args:
        losses: instances of `keras.losses.Loss`, ours or Keras's. Keras's own treat -1 as a number, not as unknown.
        weights: one number per loss; 1 for all if not given.
        name: name of the loss.

    Raises:
        TypeError: if one of `losses` is no `keras.losses.Loss`.
        ValueError: if there is no loss, one has no reduction, or `weights` does not have one finite number per loss.

    Example:
        >>> import keras
        >>> import keras_hpa
        >>> both = keras_hpa.WeightedSumLoss(
        ...     [keras_hpa.AsymmetricLoss(), keras_hpa.MacroF1Loss()], weights=[1.0, 0.1]
        ... )
        >>> again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(both))
        >>> [loss.name for loss in again.losses]
        ['asymmetric_loss', 'macro_f1_loss']
    """

    def __init__(
        self,
        losses: Sequence[keras.losses.Loss],
        weights: Sequence[float] | None = None,
        *,
        name: str = "weighted_sum_loss",
    ) -> None:
        losses = tuple(losses)
        for loss in losses:
            if not isinstance(loss, keras.losses.Loss):
                raise TypeError(f"`losses` must be instances of `keras.losses.Loss`. Received: {loss!r}")
            if loss.reduction in (None, "none"):
                raise ValueError(f"`losses` must each have a reduction. Received: {loss.name!r} without one")
        if not losses:
            raise ValueError(f"`losses` must hold at least one loss. Received: {losses!r}")
        if weights is not None and (np.shape(weights) != (len(losses),) or not np.isfinite(as_floats(weights)).all()):
            raise ValueError(
                f"`weights` must hold one finite number for each of {len(losses)} losses. Received: {weights!r}"
            )
        super().__init__(name=name)
        self.losses = losses
        self.weights = None if weights is None else [float(weight) for weight in weights]

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        weights = self.weights or [1.0] * len(self.losses)
        values = [loss(y_true, y_pred, sample_weight) for loss in self.losses]
        return sum(weight * value for weight, value in zip(weights, values, strict=True))

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        return {
            "losses": [keras.saving.serialize_keras_object(loss) for loss in self.losses],
            "weights": self.weights,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        losses = [keras.saving.deserialize_keras_object(loss) for loss in config["losses"]]
        return cls(**config | {"losses": losses})
