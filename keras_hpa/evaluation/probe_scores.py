"""What embeddings know of labels, by the simplest classifiers there are."""

from collections.abc import Hashable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.data import stratified_folds

_METHODS = ("linear", "neighbors")
_REGULARISATION = 0.01  # of LogisticRegression: strong, since there are often more features than positives


def probe_scores(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    method: Literal["linear", "neighbors"] = "linear",
    num_folds: int = 5,
    k: int = 10,
    seed: int = 0,
) -> npt.NDArray[np.float32]:
    """Scores every sample by a simple classifier that learnt from the embeddings of other groups.

    How well a network will transfer to new labels shows before it is trained on them: features that know a class let
    a line, or the nearest neighbours, find it. [`evaluate`](evaluation.md) makes the table of these scores,
    [`compare`](evaluation.md) says which of two networks knows more.

    Args:
        embeddings: of shape `(num_samples, num_features)`, such as [`embed`](embed.md) gives.
        labels: of shape `(num_samples, num_classes)`: 1, 0, or -1 where unknown.
        groups: one hashable per sample, such as its antibody or plate: no sample is scored by what learnt from its own
            group. Without them images of one antibody vouch for one another.
        method: `"linear"`, a logistic regression per class on standardised features, in folds; `"neighbors"`, the share
            of the nearest samples of other groups that have the class ([`nearest_samples`](nearest_samples.md)).
        num_folds: folds of `"linear"`.
        k: neighbours of `"neighbors"`.
        seed: of the folds.

    Returns:
        Float32 of shape `(num_samples, num_classes)`, 0 to 1. A class of which the other folds know no positive or no
        negative has its share there as the score of all.

    Raises:
        ValueError: if the arguments are not as above.

    Example:
        >>> labels = np.repeat(np.eye(2, dtype=int), 50, axis=0)
        >>> embeddings = np.random.default_rng(0).normal(size=(100, 8)) + 2 * labels[:, :1]
        >>> scores = probe_scores(embeddings, labels)
        >>> float(np.mean((scores > 0.5) == labels)) > 0.9
        True

    References:
        Alain & Bengio, Understanding intermediate layers using linear classifier probes, 2016.
    """
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {list(_METHODS)}. Received: {method!r}")
    features, known = np.asarray(embeddings, np.float64), np.asarray(labels)
    if features.ndim != 2 or not features.size or not np.isfinite(features).all():
        raise ValueError(
            f"`embeddings` must be finite, of shape (num_samples, num_features). Received: shape {features.shape}"
        )
    if known.ndim != 2 or len(known) != len(features) or not np.isin(known, (-1, 0, 1)).all():
        raise ValueError(
            f"`labels` must be 1, 0 or -1, of shape ({len(features)}, num_classes). Received: shape {known.shape}"
        )
    if method == "neighbors":
        from keras_hpa.inference import nearest_samples

        own = list(range(len(features))) if groups is None else groups
        found = nearest_samples(features, features, known, groups=own, reference_groups=own, k=k)
        shares = np.where(np.isnan(found.shares), _shares(known), found.shares)
        return shares.astype(np.float32)
    scores = np.empty(known.shape, np.float32)
    for others, judged in stratified_folds(known, num_folds, groups=groups, seed=seed):
        scores[judged] = _learnt(features[others], known[others], features[judged])
    return scores


def _learnt(features: npt.NDArray[Any], labels: npt.NDArray[Any], judged: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(features)
    features, judged = scaler.transform(features), scaler.transform(judged)
    scores = np.tile(_shares(labels), (len(judged), 1))
    for number, column in enumerate(labels.T):
        is_known = column >= 0
        if len(np.unique(column[is_known])) == 2:
            line = LogisticRegression(C=_REGULARISATION, max_iter=2000).fit(features[is_known], column[is_known])
            scores[:, number] = line.predict_proba(judged)[:, 1]
    return scores


def _shares(labels: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The share of positives of each class among the samples where it is known."""
    return np.sum(labels == 1, axis=0) / np.maximum(np.sum(labels >= 0, axis=0), 1)
