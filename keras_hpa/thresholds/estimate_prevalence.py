"""How often classes occur in a population without labels."""

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import split_classes
from keras_hpa.thresholds.prevalence_estimate import PrevalenceEstimate, estimate_shares
from keras_hpa.thresholds.score_checks import as_numbers, check_labels, check_scores


def estimate_prevalence(
    y_score: npt.ArrayLike,
    y_true: npt.ArrayLike,
    from_scores: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    from_logits: bool = False,
) -> PrevalenceEstimate:
    """Estimates how often each class occurs among samples without labels, by their scores.

    Another laboratory stains other proteins, and a class that was rare is frequent. Scores are made probabilities on
    the samples with labels; then the share is sought under which the scores of the others are likeliest, as expectation
    maximisation does. It is drawn to the share of the labels, from which it differs by a factor of e as a rule; the
    less the scores say, the closer it stays. What holds: positives of the class score as they did, and so do negatives.

    Where the scores say less than this expectation does, they cannot tell: of a class that the network hardly knows,
    of few samples, of few positives to calibrate on. Then the share of the labels is given and `is_told` is false.

    Args:
        y_score: scores of the samples with labels, shape `(num_samples, num_classes)`.
        y_true: their labels: 1, 0, or -1 where unknown.
        from_scores: scores of the samples without labels, with as many columns.
        confidence: of the intervals.
        from_logits: whether scores are logits.

    Returns:
        A share and an interval for each class, and whether the scores can tell.

    Raises:
        ValueError: if scores or labels are not as above, or `confidence` does not lie between 0 and 1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels, others = rng.uniform(size=(2000, 1)) < 0.2, rng.uniform(size=(2000, 1)) < 0.5
        >>> scores, new = (1 / (1 + np.exp(2 - 3 * one - rng.normal(size=one.shape))) for one in (labels, others))
        >>> found = estimate_prevalence(scores, labels.astype(int), new)
        >>> bool(found.low[0] < others.mean() < found.high[0]), found.is_told.tolist()
        (True, [True])

    References:
        Saerens, Latinne & Decaestecker, Adjusting the outputs of a classifier to new a priori probabilities, Neural
        Computation 2002.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Received: {confidence!r}")
    labels = check_labels(y_true, as_numbers("y_score", y_score))
    scores = check_scores(y_score, from_logits=from_logits)
    new = check_new_scores(from_scores, scores.shape[1], from_logits=from_logits)
    return estimate_shares(split_classes(scores, labels, from_logits=from_logits), new, confidence)


def check_new_scores(
    from_scores: npt.ArrayLike, num_classes: int, *, from_logits: bool = False
) -> npt.NDArray[np.floating]:
    """Gives scores without labels; refuses what does not have one column per class."""
    try:
        scores = check_scores(from_scores, from_logits=from_logits)
    except ValueError as error:
        raise ValueError(str(error).replace("`y_score`", "`from_scores`")) from None
    if scores.shape[1] != num_classes:
        raise ValueError(f"`from_scores` must have {num_classes} columns, one per class. Received: {scores.shape[1]}")
    return scores
