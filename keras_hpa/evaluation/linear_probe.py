"""How well a linear probe tells sets of samples apart, beside what it would if membership were drawn by chance."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

_NUM_FOLDS, _RIDGE = 5, 0.01  # the ridge, beside the variance of each feature


class Probed(NamedTuple):
    """How well each set is told apart from all others.

    Attributes:
        auc: of each set, cross-validated.
        chance: the AUC that chance exceeds in 1 of 100 draws, for each set.
        p_value: of each set, corrected for the number of sets by the largest of each draw.
    """

    auc: npt.NDArray[np.float64]
    chance: npt.NDArray[np.float64]
    p_value: npt.NDArray[np.float64]


def linear_probe(
    features: npt.NDArray[np.floating],
    member: npt.NDArray[np.intp],
    units: npt.NDArray[np.intp],
    *,
    num_draws: int = 400,
    seed: int = 0,
) -> Probed:
    """Tells each set from the others by ridge regression on features, cross-validated over units.

    Args:
        features: shape `(num_samples, num_features)`.
        member: which set each sample belongs to, from 0 on.
        units: the unit of each sample, from 0 on. A unit lies in one set; chance exchanges units.
        num_draws: how often sets are drawn by chance.
        seed: of folds and draws.
    """
    rng = np.random.default_rng([seed, 19])
    num_units, num_sets = int(units.max()) + 1, int(member.max()) + 1
    of_unit = np.zeros(num_units, np.intp)
    of_unit[units] = member
    folds = rng.permutation(np.arange(num_units) % _NUM_FOLDS)[units]
    regressions = _regressions(features.astype(np.float64), folds)
    true = _aucs(regressions, member, num_sets)
    drawn = np.array([_aucs(regressions, rng.permutation(of_unit)[units], num_sets) for _ in range(num_draws)])
    centre, spread = drawn.mean(axis=0), drawn.std(axis=0)
    spread[spread == 0] = np.inf  # one unit against one: every draw is alike
    largest = ((drawn - centre) / spread).max(axis=1)
    as_far = largest[:, None] >= (true - centre) / spread - 1e-9
    return Probed(true, np.quantile(drawn, 0.99, axis=0), (1 + as_far.sum(axis=0)) / (1 + num_draws))


def _regressions(
    features: npt.NDArray[np.float64], folds: npt.NDArray[np.intp]
) -> list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """For each fold: its samples, their features, and the matrix from the targets of all others to weights."""
    found = []
    for fold in np.unique(folds):
        held = folds == fold
        if held.all():
            continue
        centre, spread = features[~held].mean(axis=0), features[~held].std(axis=0)
        scaled = (features - centre) / np.where(spread > 1e-12, spread, np.inf)
        inside = scaled[~held]
        gram = inside.T @ inside + _RIDGE * len(inside) * np.eye(features.shape[1])
        found.append((held, scaled[held], np.linalg.solve(gram, inside.T)))
    return found


def _aucs(
    regressions: list[tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]],
    member: npt.NDArray[np.intp],
    num_sets: int,
) -> npt.NDArray[np.float64]:
    """The AUC of each set, over the pairs of a sample of it and one of others that lie in the same fold."""
    target = (member[:, None] == np.arange(num_sets)).astype(np.float64)
    won, pairs = np.zeros(num_sets), np.zeros(num_sets)
    for held, features, solved in regressions:
        outside = target[~held]
        guessed = features @ (solved @ (outside - outside.mean(axis=0)))
        inside = target[held]
        positives = inside.sum(axis=0)
        negatives = len(inside) - positives
        ranks = (rankdata(guessed, axis=0) * inside).sum(axis=0)
        won += ranks - positives * (positives + 1) / 2
        pairs += positives * negatives
    return np.divide(won, pairs, out=np.full(num_sets, 0.5), where=pairs > 0)
