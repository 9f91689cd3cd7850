"""The gradient of chosen logits with respect to features, on any backend."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

Array = npt.NDArray[np.float32]


def logit_gradients(
    head: Callable[[list[Any]], Any], features: Sequence[Array], chosen: npt.NDArray[np.float32]
) -> list[Array]:
    """The gradient of `sum(chosen * head(features))` with respect to each of the features.

    Keras has no function for gradients, but it trains on every backend. The features get a shift that starts at zero
    and is the only thing that can be trained: after one step of plain gradient descent it is the gradient.

    Args:
        head: features to logits; its layers are used, not changed.
        features: arrays whose first axis is the batch.
        chosen: the weight of each logit, `(batch, classes)`.
    """
    shifted = _Shifted(head, [feature.shape for feature in features])
    shifted.compile(keras.optimizers.SGD(1.0), run_eagerly=True, jit_compile=False, auto_scale_loss=False)
    shifted.train_on_batch(list(features), chosen)
    return [ops.convert_to_numpy(shift.value) for shift in shifted.shifts]


def run(function: Callable[[Any], Any], images: npt.NDArray[Any]) -> Any:
    """The values of a function of tensors for these images, as arrays, computed without gradients."""
    model = _Forward(function)
    model.compile(run_eagerly=True, jit_compile=False)
    return model.predict_on_batch(images)


class _Forward(keras.Model):
    def __init__(self, function: Callable[[Any], Any]) -> None:
        # Inputs are not cast here: the layers of the function do that themselves.
        super().__init__(dtype="float32", autocast=False)
        self._function = function
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self._function(inputs)


class _Shifted(_Forward):
    def __init__(self, function: Callable[[Any], Any], shapes: Sequence[tuple[int, ...]]) -> None:
        super().__init__(function)
        self.shifts = [
            self.add_weight(shape=shape, initializer="zeros", name=f"shift{n}") for n, shape in enumerate(shapes)
        ]

    def call(self, inputs: Any) -> Any:
        return self._function([feature + shift for feature, shift in zip(inputs, self.shifts, strict=True)])

    def compute_loss(  # a loss given to `compile` would be computed in Keras's default float type
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return -ops.sum(ops.cast(y, "float32") * ops.cast(y_pred, "float32"))
