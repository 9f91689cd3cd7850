"""One threshold for all classes."""

from collections.abc import Sequence

import numpy as np

from keras_hpa.thresholds.class_scores import ClassScores

_NUM_CUTS = 1000


def global_threshold(classes: Sequence[ClassScores], *, beta: float = 1.0) -> float:
    """The one threshold with the best mean F-beta over the classes that have positives; infinity where none has.

    Looks at the scores of all positives, or at 1,000 quantiles of them where there are more. Hard to over-fit, and
    blind to what tells the classes apart.
    """
    present = [one for one in classes if one.num_positives]
    if not present:
        return np.inf
    cuts = np.unique(np.concatenate([one.positive_scores for one in present]))
    if len(cuts) > _NUM_CUTS:
        cuts = cuts[np.linspace(0, len(cuts) - 1, _NUM_CUTS).round().astype(int)]
    mean = np.mean([one.f_beta(cuts, beta) for one in present], axis=0)
    return float(cuts[len(cuts) - 1 - int(mean[::-1].argmax())])
