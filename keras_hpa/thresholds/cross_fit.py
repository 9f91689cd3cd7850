"""Macro-F1 at thresholds that were fitted on other samples."""

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from keras_hpa.data import stratified_split
from keras_hpa.f_beta import check_zero_division, f_beta_per_class, mean_f_beta
from keras_hpa.thresholds.rule import Rule
from keras_hpa.thresholds.score_checks import as_numbers, check_labels, check_scores
from keras_hpa.thresholds.threshold_calibrator import ThresholdCalibrator


def cross_fit(
    rule: str | Rule | ThresholdCalibrator,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    from_logits: bool = False,
    at_least_one: bool = False,
    zero_division: float | str = math.nan,
) -> float:
    """Macro-F1 of labels predicted at thresholds that were fitted on other samples.

    Thresholds that were fitted on the samples that they are scored on look better than they are, most of all for rare
    classes. Here the samples are split into two halves in which every class has its share; thresholds fitted on each
    half predict the other, and all predictions are scored at once. Each half is only half as large as what the final
    thresholds are fitted on, so that the result is rather too low than too high.

    Args:
        rule: a name, a rule, or a `ThresholdCalibrator`, which is copied, not fitted.
        scores: the scores, shape `(num_samples, num_classes)`.
        labels: the labels, of the same shape: 1, 0, or -1 for unknown, which counts for nothing.
        groups: one hashable per sample: samples of one group (an antibody, a plate) are never split.
        seed: of the split.
        from_logits: whether scores are logits; a `ThresholdCalibrator` knows it.
        at_least_one: whether a sample that passes no threshold gets the nearest class; a `ThresholdCalibrator` knows
            it.
        zero_division: what a class scores that is neither present nor predicted: 0, 1 or, by default, NaN for nothing;
            see [`MacroF1`](MacroF1.md).

    Returns:
        The mean over the classes of F-beta, with the `beta` of the rule: F1 unless it says otherwise.

    Raises:
        ValueError: if scores, labels, groups or an option are not as above, or there are fewer than two samples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = (rng.uniform(size=(200, 3)) < 0.1).astype(int)
        >>> scores = np.clip(rng.normal(0.3 + 0.2 * labels, 0.1), 0, 1)
        >>> round(cross_fit("max_f1", scores, labels), 2)
        0.46
        >>> fitted = ThresholdCalibrator("max_f1").fit(scores, labels)
        >>> round(fitted.score(scores, labels), 2)  # on the samples of the fit
        0.59
    """
    checked = check_zero_division(zero_division)
    predicted = cross_fit_predict(
        rule, scores, labels, groups, seed=seed, from_logits=from_logits, at_least_one=at_least_one
    )
    beta = (rule if isinstance(rule, ThresholdCalibrator) else ThresholdCalibrator(rule)).beta_
    known = check_labels(labels, as_numbers("scores", scores))
    return mean_f_beta(f_beta_per_class(known, predicted, beta=beta, zero_division=checked))


def cross_fit_predict(
    rule: str | Rule | ThresholdCalibrator,
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
    from_logits: bool = False,
    at_least_one: bool = False,
) -> npt.NDArray[np.uint8]:
    """Labels predicted at thresholds that were fitted on other samples: what `cross_fit` scores.

    Args:
        rule: as for `cross_fit`, like all other arguments.
        scores: the scores, shape `(num_samples, num_classes)`.
        labels: the labels, of the same shape.
        groups: one hashable per sample.
        seed: of the split.
        from_logits: whether scores are logits.
        at_least_one: whether a sample that passes no threshold gets the nearest class.

    Returns:
        Predicted labels, 0 or 1, of the shape of the scores.

    Raises:
        ValueError: if scores, labels, groups or an option are not as above, or there are fewer than two samples.

    Example:
        >>> scores, labels = np.tile([[0.9, 0.2], [0.1, 0.4]], (4, 1)), np.tile([[1, 0], [0, 1]], (4, 1))
        >>> cross_fit_predict("max_f1", scores, labels)[:2].tolist()
        [[1, 0], [0, 1]]
    """
    if isinstance(rule, ThresholdCalibrator):
        if (from_logits and not rule.from_logits) or (at_least_one and not rule.at_least_one):
            raise ValueError(
                "`from_logits` and `at_least_one` must be given to the calibrator where `rule` is one. Received: "
                f"from_logits={from_logits}, at_least_one={at_least_one} and {rule!r}"
            )
        calibrator = rule
    else:
        calibrator = ThresholdCalibrator(rule, at_least_one=at_least_one, from_logits=from_logits)
    y_score = check_scores(scores, from_logits=calibrator.from_logits, class_names=calibrator.class_names)
    y_true = check_labels(labels, y_score, class_names=calibrator.class_names)
    if len(y_score) < 2:
        raise ValueError(f"`scores` must be those of at least two samples. Received: {len(y_score)}")
    predicted = np.empty(y_true.shape, np.uint8)
    halves = stratified_split(y_true, 0.5, groups, seed=seed)
    for here, there in (halves, halves[::-1]):
        own = None if groups is None else [groups[row] for row in here]
        predicted[there] = clone(calibrator).fit(y_score[here], y_true[here], groups=own).predict(y_score[there])
    return predicted
