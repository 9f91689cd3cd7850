"""A network of single cells that learns from labels of their images."""

import inspect
from typing import Any, Literal

import keras
from keras import ops

from keras_hpa.graphs import Call, is_functional, replay, trace
from keras_hpa.layers import PoolBag

_Pooling = Literal["mean", "max", "noisy_or", "log_mean_exp", "attention"]


@keras.saving.register_keras_serializable("keras_hpa")
class BagOfCells(keras.Model):
    """Scores the cells of an image and the image: learns from labels of images what single cells show.

    The classifier scores every cell of a bag, and `PoolBag` makes the score of the image from these. What is known is
    which classes an image shows, not which of its cells show them; the pool lets the cells share that out. Train on
    `cells.CellBags`, then score single cells with `model.classifier`, which is a model like any other:

        bags = keras_hpa.cells.CellBags(train, bag_size=12, shuffle=True)
        model = keras_hpa.BagOfCells(keras_hpa.GapNet((64, 64, 4), 19))
        loss = keras_hpa.BinaryCrossentropy()
        model.compile("adam", loss={"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.1})
        model.fit(bags, epochs=20)
        scores = keras_hpa.predict_scores(model.classifier, cells)

    A little weight on "cells", whose labels are those of their image, steadies the start. With 0 the cells learn from
    the pool alone.

    Empty places of a bag count for nothing: scores, gradients and the statistics of BatchNormalization are those of the
    cells that are there, whatever stands in the empty places. Only BatchNormalization that is hidden in a layer or in
    a model whose graph is not known sees something there, in training: the first cell of the bag once more.

    Args:
        classifier: a model of single cells that gives one row of scores per cell: `GapNet`, `PretrainedClassifier`, or
            any Keras model. It is used as it is, not copied.
        pooling: of `PoolBag`. `"noisy_or"`, the pool that was measured, wants probabilities: for a classifier that ends
            in logits choose another. `"mean"` of logits is a linear layer on the mean of the cells' features.
        sharpness: of `PoolBag`.
        attention_units: of `PoolBag`.
        name: the model's name.

    Attributes:
        classifier: the model of single cells, whose weights are those of the bag.

    Input shape:
        `{"cells": (batch, places, height, width, channels), "mask": (batch, places)}`, the mask true or 1 where there
        is a cell. Without a mask, or with cells alone, there is one everywhere. Bags of other batches may have another
        number of places.

    Output shape:
        `{"image": (batch, num_classes), "cells": (batch, places, num_classes)}`. Scores in empty places mean nothing;
        give them labels of -1.

    Raises:
        TypeError: if `classifier` is no Keras model.
        ValueError: if it has no known output of shape `(batch, num_classes)`, or a pooling option is wrong.

    Example:
        >>> import keras_hpa
        >>> import numpy as np
        >>> model = keras_hpa.BagOfCells(keras_hpa.GapNet((16, 16, 2), 3), pooling="max")
        >>> cells, mask = np.zeros((1, 4, 16, 16, 2), "float32"), np.array([[1, 1, 1, 0]])
        >>> {name: tuple(scores.shape) for name, scores in model({"cells": cells, "mask": mask}).items()}
        {'image': (1, 3), 'cells': (1, 4, 3)}

    References:
        Le et al., Analysis of the Human Protein Atlas Weakly Supervised Single-Cell Classification competition, Nature
        Methods 2022.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        pooling: _Pooling = "noisy_or",
        sharpness: float = 1.0,
        attention_units: int = 64,
        name: str = "bag_of_cells",
        **kwargs: Any,
    ) -> None:
        if not isinstance(classifier, keras.Model):
            raise TypeError(f"`classifier` must be a keras.Model. Received: {classifier!r}")
        shapes = [tuple(tensor.shape) for tensor in getattr(classifier, "outputs", None) or ()]
        called_with = (classifier.get_build_config() or {}).get("input_shape")
        if not shapes and classifier.built and called_with:
            spec = classifier.compute_output_spec(keras.KerasTensor(called_with))
            shapes = [tuple(tensor.shape) for tensor in keras.tree.flatten(spec)]
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
            raise ValueError(
                "`classifier` must give one output of shape (batch, num_classes), and be called once before if it is "
                f"not functional. Received: {classifier.name!r} with outputs {shapes or 'that are not known'}"
            )
        super().__init__(name=name, **kwargs)
        self.classifier = classifier
        self.pooling = pooling
        self.sharpness = sharpness
        self.attention_units = attention_units
        self.pool = PoolBag(pooling, sharpness=sharpness, attention_units=attention_units, name="pool")
        self.pool.build((None, None, shapes[0][1]))
        self._graph = trace(classifier, inline=True) if is_functional(classifier) else None
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        """Has nothing to do: the classifier is built before."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        cells, mask = (inputs["cells"], inputs.get("mask")) if isinstance(inputs, dict) else (inputs, None)
        if mask is None:
            scores = self.classifier(_flat(cells))
        else:
            mask = ops.cast(mask, "bool")
            scores = self._masked_scores(_flat(_fill(cells, mask)), ops.reshape(mask, (-1,)), training)
        of_cells = ops.reshape(scores, (*ops.shape(cells)[:2], scores.shape[-1]))
        return {"image": self.pool(of_cells, mask=mask), "cells": of_cells}

    def get_config(self) -> dict[str, Any]:
        return {
            "classifier": keras.saving.serialize_keras_object(self.classifier),
            "pooling": self.pooling,
            "sharpness": self.sharpness,
            "attention_units": self.attention_units,
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "BagOfCells":
        classifier = keras.saving.deserialize_keras_object(config["classifier"], custom_objects=custom_objects)
        return cls(**(config | {"classifier": classifier}))

    def _masked_scores(self, cells: Any, is_cell: Any, training: bool | None) -> Any:
        """The classifier's scores, with a BatchNormalization that leaves empty places out of its statistics."""
        if self._graph is None:
            return self.classifier(cells)

        def run(call: Call, *args: Any, **kwargs: Any) -> Any:
            if not call.trains and "training" in inspect.signature(call.layer.call).parameters:
                kwargs["training"] = training
            if not isinstance(call.layer, keras.layers.BatchNormalization):
                return call.layer(*args, **kwargs)
            x = keras.tree.flatten((args, kwargs))[0]
            pixels = ops.ones_like(x[..., 0], dtype="bool")
            mask = ops.logical_and(pixels, _expand(is_cell, len(x.shape) - 1))
            # Another tensor of the same values: Keras ties the mask to this one, and the next layer would refuse it.
            return ops.squeeze(ops.expand_dims(call.layer(*args, **kwargs | {"mask": mask}), 0), 0)

        (output,) = self._graph.outputs
        return replay(self._graph.calls, {self._graph.inputs[0]: cells}, run, keep=[output])[output]


def _fill(cells: Any, mask: Any) -> Any:
    """The bags with their first cell in every empty place, so that what stood there reaches nothing."""
    is_first = ops.logical_and(mask, ops.equal(ops.cumsum(ops.cast(mask, "int32"), axis=1), 1))
    rank, nought = len(cells.shape), ops.zeros((), cells.dtype)
    first = ops.sum(ops.where(_expand(is_first, rank), cells, nought), axis=1, keepdims=True)
    return ops.where(_expand(mask, rank), cells, ops.cast(first, cells.dtype))


def _expand(mask: Any, rank: int) -> Any:
    return ops.reshape(mask, (*ops.shape(mask), *(1,) * (rank - len(mask.shape))))


def _flat(cells: Any) -> Any:
    shape = ops.shape(cells)
    return ops.reshape(cells, (-1, *shape[2:]))
