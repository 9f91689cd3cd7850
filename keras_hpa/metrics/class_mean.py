"""The mean of a score over classes, of which some are undefined."""

import math
from typing import Any

from keras import ops


def class_mean(values: Any, support: Any, counts: Any, *, is_weighted: bool) -> Any:
    """Averages over the classes whose value is not NaN; NaN if a count is.

    Args:
        values: of each class, shape `(num_classes,)`.
        support: how often each class is present, likewise; the weights if `is_weighted`.
        counts: what the values were computed from, of any shape.
        is_weighted: whether frequent classes weigh more.
    """
    weights = support if is_weighted else ops.ones_like(values)
    defined = ops.logical_not(ops.isnan(values))
    weights = ops.where(defined, weights, 0)
    # As scikit-learn has it: where nothing is present, no class outweighs another.
    weights = ops.where(ops.sum(weights) > 0, weights, ops.cast(defined, weights.dtype))
    mean = ops.sum(weights * ops.where(defined, values, 0)) / ops.sum(weights)
    return ops.where(ops.any(ops.isnan(counts)), math.nan, mean)
