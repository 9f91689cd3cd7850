"""Gradients of a loss on whichever backend runs, against differences of a NumPy reference in double precision."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


def check_gradient(
    loss: keras.losses.Loss,
    reference: Callable[[np.ndarray], float] | None,
    y_true: np.ndarray,
    y_pred: np.ndarray,
    sample_weight: Any = None,
    atol: float = 1e-5,
) -> np.ndarray:
    """Checks value and gradient against `reference(y_pred)`, where given; returns the gradient."""
    value, gradient = _value_and_gradient(loss, y_true.astype("float32"), y_pred.astype("float32"), sample_weight)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()
    if reference is not None:
        np.testing.assert_allclose(value, reference(y_pred), atol=atol)
        np.testing.assert_allclose(gradient, _differences(reference, y_pred), atol=atol)
    return gradient


def _differences(function: Callable[[np.ndarray], float], point: np.ndarray, step: float = 1e-6) -> np.ndarray:
    gradient = np.zeros_like(point)
    for index in np.ndindex(point.shape):
        offset = np.zeros_like(point)
        offset[index] = step
        gradient[index] = (function(point + offset) - function(point - offset)) / (2 * step)
    return gradient


def _value_and_gradient(
    loss: keras.losses.Loss, y_true: np.ndarray, y_pred: np.ndarray, sample_weight: Any
) -> tuple[float, np.ndarray]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        variable = tf.Variable(y_pred)
        with tf.GradientTape() as tape:
            value = loss(y_true, variable, sample_weight)
        return float(value), np.array(tape.gradient(value, variable))
    if backend == "jax":
        import jax

        value, gradient = jax.value_and_grad(lambda scores: loss(y_true, scores, sample_weight))(y_pred)
        return float(value), np.array(gradient)
    scores = keras.ops.convert_to_tensor(y_pred).detach().requires_grad_()
    value = loss(y_true, scores, sample_weight)
    value.backward()
    return float(value.detach()), np.array(scores.grad.cpu())
