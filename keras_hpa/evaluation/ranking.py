"""Average precision and area under the ROC curve, with what each sample contributes to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Ranked:
    """A statistic and its influence function: by how much each sample moves it.

    Attributes:
        value: as scikit-learn has it; NaN where it is not defined.
        influence: of each sample; the sum is 0, and the sum of squares estimates the variance for independent samples.
        centre: the value less what it is too high by on few positives.
    """

    value: float
    influence: npt.NDArray[np.float64]
    centre: float


def average_precision(scores: npt.NDArray[Any], positive: npt.NDArray[np.bool_]) -> Ranked:
    """Average precision, `sum (recall_k - recall_(k-1)) * precision_k` over the distinct scores, highest first.

    It is too high on average: each positive counts where its own precision is taken. `centre` leaves it out.
    """
    num_positives = np.count_nonzero(positive)
    if not num_positives:
        return Ranked(np.nan, np.zeros(len(scores)), np.nan)
    order, last = _descending(scores)
    present = positive[order].astype(np.float64)
    true, false = np.cumsum(present)[last], np.cumsum(1 - present)[last]
    total = true + false
    precision = true / total
    value = float(present @ precision) / num_positives
    # The derivative of all the precisions below a score with respect to one more positive, or negative, there.
    gain, loss = (_sum_from(present * part / total**2, last) for part in (false, true))
    moved = np.where(present == 1, precision - value + gain, -loss)
    influence = np.empty(len(scores))
    influence[order] = moved / num_positives
    centre = value
    if num_positives > 1:
        others = (true - 1) * num_positives / (num_positives - 1)
        below = others + false
        shares = np.divide(others, below, out=np.ones_like(below), where=below > 0)
        # Where nothing else lies above, the share of positives there is what was seen: it stays.
        shares = np.where(true > 1, shares, precision)
        centre = float(present @ shares) / num_positives
    return Ranked(value, influence, centre)


def roc_auc(scores: npt.NDArray[Any], positive: npt.NDArray[np.bool_]) -> Ranked:
    """The area under the ROC curve; equal scores count half. The influence is that of DeLong et al. (1988)."""
    num_positives = np.count_nonzero(positive)
    num_negatives = len(scores) - num_positives
    if not num_positives or not num_negatives:
        return Ranked(np.nan, np.zeros(len(scores)), np.nan)
    highs, lows = np.sort(scores[positive]), np.sort(scores[~positive])
    won = _rank(lows, scores[positive]) / num_negatives
    lost = 1 - _rank(highs, scores[~positive]) / num_positives
    value = float(won.mean())
    influence = np.empty(len(scores))
    influence[positive] = (won - value) / num_positives
    influence[~positive] = (lost - value) / num_negatives
    return Ranked(value, influence, value)


def _descending(scores: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The order from the highest score down and, for each place in it, the last place with an equal score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return order, ends[np.searchsorted(ends, np.arange(len(scores)))]


def _sum_from(values: npt.NDArray[np.float64], last: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """For each place the sum of the values at its score and below."""
    below = np.append(np.cumsum(values[::-1])[::-1], 0.0)
    first = np.searchsorted(last, last)
    return below[first]


def _rank(ascending: npt.NDArray[Any], scores: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    return (np.searchsorted(ascending, scores) + np.searchsorted(ascending, scores, side="right")) / 2
