"""From counts to F-beta, for NumPy arrays and Keras tensors alike."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt


def f_beta(
    true_positives: Any,
    predicted: Any,
    present: Any,
    *,
    beta: float = 1.0,
    zero_division: float = math.nan,
    where: Callable[..., Any] = np.where,
) -> Any:
    """F-beta from how often a class was predicted, was present, and both; counts may be weighted.

    F-beta of a class that is neither present nor predicted is 0 / 0. `zero_division` says what it scores, here and in
    everything that computes F-beta:

    * NaN, the default: nothing; the mean is over the other classes. A perfect predictor scores 1 on any data, also on
      a validation set that lacks the rarest classes, and a model gains nothing from them. Predicting such a class even
      once scores it 0 and does count.
    * 0: as Keras and scikit-learn do by default. A set that lacks 3 of 28 classes then caps macro-F1 at 25 / 28.
    * 1: silence about an absent class is rewarded like a class that was found, which flatters small sets.

    Args:
        true_positives: what the samples count that have the class and are predicted to.
        predicted: what the samples count that are predicted to have it.
        present: what the samples count that have it.
        beta: the weight of recall against precision.
        zero_division: 0, 1 or NaN, as above.
        where: `keras.ops.where` for Keras tensors.

    Returns:
        F-beta, of the shape of the counts; NaN where a count is NaN.

    Example:
        >>> f_beta(np.array([2, 0, 0]), np.array([3, 1, 0]), np.array([3, 0, 0])).round(3).tolist()
        [0.667, 0.0, nan]
    """
    denominator = beta**2 * present + predicted
    undefined = denominator == 0
    return where(undefined, zero_division, (1 + beta**2) * true_positives / where(undefined, 1, denominator))


def f_beta_per_class(
    labels: npt.ArrayLike, predicted: npt.ArrayLike, *, beta: float = 1.0, zero_division: float = math.nan
) -> npt.NDArray[np.float64]:
    """F-beta of every class from labels (1, 0, or -1 for unknown, which counts for nothing) and predicted labels.

    Example:
        >>> f_beta_per_class([[1, 0], [-1, 0]], [[1, 0], [1, 1]]).tolist()
        [1.0, 0.0]
    """
    labels, positive = np.asarray(labels), np.asarray(predicted) == 1
    counts = [(part & (labels >= 0)).sum(axis=0) for part in (positive & (labels == 1), positive, labels == 1)]
    return np.asarray(f_beta(*counts, beta=beta, zero_division=zero_division), np.float64)


def mean_f_beta(per_class: npt.ArrayLike) -> float:
    """The mean over the classes whose F-beta is defined; NaN where none is.

    Example:
        >>> mean_f_beta([1.0, 0.5, np.nan])
        0.75
    """
    values = np.asarray(per_class, np.float64)
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


def check_zero_division(zero_division: float | str) -> float:
    """Returns 0, 1 or NaN as a float; the text `"nan"`, which JSON can hold, is read as NaN.

    Raises:
        ValueError: if it is none of them.

    Example:
        >>> check_zero_division("nan")
        nan
    """
    is_nan = isinstance(zero_division, Real) and zero_division != zero_division  # NaN alone differs from itself
    if not is_nan and not (isinstance(zero_division, Real | str) and zero_division in (0, 1, "nan")):
        raise ValueError(f"`zero_division` must be 0, 1 or NaN. Received: {zero_division!r}")
    return float(zero_division)
