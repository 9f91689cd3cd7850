"""How sure a probability is, sample by sample."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from keras_hpa.evaluation.units import Units
from keras_hpa.thresholds import ProbabilityCalibrator


def probability_intervals(
    calibrator: ProbabilityCalibrator,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    new_scores: npt.ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    num_draws: int = 200,
    seed: int = 0,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Gives for each new score the interval of its probability: what other samples to calibrate on would say.

    A score of .8 of a class that was seen five times is less sure than one of a class that was seen five thousand
    times. The calibrator is fitted to as many groups, or samples, drawn with replacement, again and again, and the
    interval is what all but the rest of these fits say. It knows nothing of samples that come from elsewhere.

    Args:
        calibrator: says how; it is not changed, and need not be fitted.
        scores: of samples whose labels are known, and on which the network was not trained: `(num_samples,
            num_classes)`.
        labels: of these, of the same shape: 1, 0, or -1 where unknown.
        new_scores: of any samples, cells for example: `(num_new, num_classes)`.
        groups: one hashable per known sample: what another experiment would draw anew, a field or an antibody.
        confidence: the share of the fits that an interval spans.
        num_draws: how often to draw.
        seed: of the draws.

    Returns:
        The lower and the upper ends, float64 of shape `(num_new, num_classes)`.

    Raises:
        ValueError: if an argument is not as above.

    Example:
        >>> from keras_hpa.thresholds import ProbabilityCalibrator
        >>> rng = np.random.default_rng(0)
        >>> scores = rng.uniform(size=(300, 1))
        >>> labels = (rng.uniform(size=scores.shape) < scores).astype(int)
        >>> low, high = probability_intervals(ProbabilityCalibrator(), scores, labels, [[0.2], [0.8]])
        >>> [(float(a.round(1)), float(b.round(1))) for a, b in zip(low[:, 0], high[:, 0])]
        [(0.1, 0.2), (0.7, 0.9)]

    References:
        Efron & Tibshirani, An introduction to the bootstrap, 1993: percentile intervals.
    """
    if not isinstance(calibrator, ProbabilityCalibrator):
        raise ValueError(f"`calibrator` must be a ProbabilityCalibrator. Received: {calibrator!r}")
    if not isinstance(confidence, float) or not 0 < confidence < 1:
        raise ValueError(f"`confidence` must be a number between 0 and 1. Received: {confidence!r}")
    if isinstance(num_draws, bool) or not isinstance(num_draws, int | np.integer) or num_draws < 20:
        raise ValueError(f"`num_draws` must be a whole number, at least 20. Received: {num_draws!r}")
    known, truth = np.asarray(scores), np.asarray(labels)
    clone(calibrator).fit(known, truth, groups=groups).transform(new_scores)  # refuses what is wrong, by name
    units = Units.of(groups, len(known))
    found = []
    for counts in units.draws(num_draws, seed):
        copies = counts.astype(np.intp)[units.codes]
        rows = np.repeat(np.arange(len(known)), copies)
        # A group that was drawn twice is two groups.
        copy = np.concatenate([np.arange(number) for number in copies]) if groups is not None else None
        drawn = None if copy is None else (units.codes[rows] + units.count * copy).tolist()
        found.append(clone(calibrator).fit(known[rows], truth[rows], groups=drawn).transform(new_scores))
    tail = (1 - confidence) / 2
    low, high = np.quantile(found, (tail, 1 - tail), axis=0)
    return low, high
