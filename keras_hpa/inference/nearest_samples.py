"""The annotated samples that are most like a new one: evidence that a person can look at."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.metrics import pairwise_distances_chunked

from keras_hpa.data import number_groups
from keras_hpa.labels import check_class_names
from keras_hpa.thresholds import ProbabilityCalibrator

_METRICS = ("cosine", "euclidean")


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest annotated samples of each sample; [`nearest_samples`](nearest_samples.md) finds them.

    Attributes:
        indices: their rows in the reference, nearest first, shape `(num_samples, k)`; -1 where there are fewer.
        distances: how far they are, likewise; infinite where there are fewer.
        shares: the share of these neighbours that has each class, shape `(num_samples, num_classes)`; NaN where the
            label of none is known.
        probabilities: the probability that the sample has each class, calibrated on the reference, likewise.

    Example:
        >>> found = nearest_samples([[0.0, 1.0]], [[0.1, 1.0], [1.0, 0.0]], [[1], [0]], k=1)
        >>> found.indices.tolist(), found.shares.tolist()
        ([[0]], [[1.0]])
    """

    indices: npt.NDArray[np.intp]
    distances: npt.NDArray[np.float32]
    shares: npt.NDArray[np.float64]
    probabilities: npt.NDArray[np.float64]

    def rows(
        self, ids: Sequence[str], reference_ids: Sequence[str], class_names: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Gives a row for each sample and neighbour, for a data frame or a CSV file.

        Args:
            ids: of the samples.
            reference_ids: of the reference.
            class_names: if given, a row has the share and the probability of each class of its sample too.
        """
        if len(ids) != len(self.indices):
            raise ValueError(f"`ids` must hold {len(self.indices)} ids. Received: {len(ids)}")
        if self.indices.size and int(self.indices.max()) >= len(reference_ids):
            raise ValueError(
                f"`reference_ids` must be those of the whole reference. Received: {len(reference_ids)} ids"
            )
        names = [] if class_names is None else list(check_class_names(class_names))
        if names and len(names) != self.shares.shape[1]:
            raise ValueError(f"`class_names` must hold {self.shares.shape[1]} names. Received: {len(names)}")
        rows = []
        for number, sample_id in enumerate(ids):
            classes = {f"share {name}": float(self.shares[number, column]) for column, name in enumerate(names)}
            classes |= {
                f"probability {name}": float(self.probabilities[number, column]) for column, name in enumerate(names)
            }
            for rank, index in enumerate(self.indices[number].tolist()):
                if index >= 0:
                    nearest = {"rank": rank + 1, "neighbour": reference_ids[index]}
                    rows.append(
                        {"id": sample_id} | nearest | {"distance": float(self.distances[number, rank])} | classes
                    )
        return rows


def nearest_samples(
    embeddings: npt.ArrayLike,
    reference: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    groups: Sequence[Hashable] | None = None,
    reference_groups: Sequence[Hashable] | None = None,
    k: int = 10,
    metric: Literal["cosine", "euclidean"] = "cosine",
) -> Neighbours:
    """Finds for each sample the annotated samples that are most like it, and what their labels say about it.

    Images of one antibody, plate or well resemble one another whatever the protein does, so neighbours from the
    sample's own group prove nothing. With `groups` they are passed over. A sample that is itself in the reference
    should be left out in the same way: give every sample, or every field, its own group.

    How much a share of the neighbours is worth depends on the embedding. It is learnt from the reference: each of its
    samples is compared with those of other groups, and [`ProbabilityCalibrator`](ProbabilityCalibrator.md) turns the
    shares into probabilities, so that of all neighbourhoods with .7 seven in ten are right.

    Args:
        embeddings: of the samples, shape `(num_samples, num_features)`, such as [`embed`](embed.md) gives.
        reference: of the annotated samples, shape `(num_reference, num_features)`.
        labels: of the reference, shape `(num_reference, num_classes)`: 1, 0, or -1 where unknown.
        groups: the group of each sample.
        reference_groups: the group of each annotated sample; both or neither are given.
        k: how many neighbours.
        metric: `"cosine"`, of features standardised by the reference, or `"euclidean"` of features as they are.

    Returns:
        `Neighbours`, with their rows in the reference, distances, shares and probabilities.

    Raises:
        ValueError: if an array has another shape or is not finite, groups are given for one side only, or no annotated
            sample is of another group than a sample.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.repeat(np.eye(2, dtype=int), 50, axis=0)
        >>> reference = rng.normal(size=(100, 8)) + 2 * labels[:, :1]
        >>> found = nearest_samples(rng.normal(size=(3, 8)) + 2, reference, labels, k=5)
        >>> found.indices.shape, found.shares[:, 0].tolist()
        ((3, 5), [1.0, 1.0, 1.0])

    References:
        Cover & Hart, Nearest neighbor pattern classification, 1967.
    """
    queries, known = (_features(name, one) for name, one in (("embeddings", embeddings), ("reference", reference)))
    if queries.shape[1] != known.shape[1]:
        raise ValueError(f"`reference` must have {queries.shape[1]} features. Received: {known.shape[1]}")
    matrix = np.asarray(labels)
    if matrix.ndim != 2 or len(matrix) != len(known):
        raise ValueError(f"`labels` must have shape ({len(known)}, num_classes). Received: {matrix.shape}")
    if not np.isin(matrix, (-1, 0, 1)).all():
        raise ValueError(
            f"`labels` must be 1, 0, or -1 where unknown. Received: {matrix[~np.isin(matrix, (-1, 0, 1))][0]}"
        )
    matrix = matrix.astype(np.int8)
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"`k` must be a whole number, at least 1. Received: {k!r}")
    if metric not in _METRICS:
        raise ValueError(f"`metric` must be one of {list(_METRICS)}. Received: {metric!r}")
    own, theirs = _numbered(groups, reference_groups, len(queries), len(known))
    if metric == "cosine":
        centre, spread = known.mean(axis=0), known.std(axis=0)
        spread[spread == 0] = 1
        queries, known = (queries - centre) / spread, (known - centre) / spread
    indices, distances = _nearest(queries, known, own, theirs, int(k), metric)
    for row in np.flatnonzero(indices[:, 0] < 0)[:1]:
        raise ValueError(
            f"`reference_groups` must leave an annotated sample of another group for each sample. Received: none for "
            f"sample {row}, whose group is {groups[row]!r}"  # type: ignore[index]
        )
    shares = _shares(indices, matrix)
    return Neighbours(indices, distances, shares, _probabilities(shares, known, matrix, theirs, int(k), metric))


def _features(name: str, given: npt.ArrayLike) -> npt.NDArray[np.float64]:
    features = np.asarray(given, np.float64)
    if features.ndim != 2 or not features.size:
        raise ValueError(f"`{name}` must have shape (num_samples, num_features). Received: {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError(f"`{name}` must be finite. Received: {features[~np.isfinite(features)][0]}")
    return features


def _numbered(
    groups: Sequence[Hashable] | None, reference_groups: Sequence[Hashable] | None, num_samples: int, num_known: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The group of each sample and of each annotated one; without groups no two are alike."""
    if (groups is None) != (reference_groups is None):
        missing = "groups" if groups is None else "reference_groups"
        raise ValueError(f"`groups` and `reference_groups` must be given together. Received: no `{missing}`")
    if groups is None or reference_groups is None:
        return np.full(num_samples, -1), np.arange(num_known)
    for name, one, length in (("groups", groups, num_samples), ("reference_groups", reference_groups, num_known)):
        if len(one) != length:
            raise ValueError(f"`{name}` must hold one for each of {length} samples. Received: {len(one)}")
    codes = number_groups([*groups, *reference_groups], num_samples + num_known)
    assert codes is not None
    return codes[:num_samples], codes[num_samples:]


def _nearest(
    queries: npt.NDArray[Any],
    known: npt.NDArray[Any],
    own: npt.NDArray[np.intp],
    theirs: npt.NDArray[np.intp],
    k: int,
    metric: str,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    most = min(k, len(known))

    def reduce(block: npt.NDArray[Any], start: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        block = block.copy()
        block[own[start : start + len(block), None] == theirs[None]] = np.inf
        chosen = np.argpartition(block, most - 1, axis=1)[:, :most]
        far = np.take_along_axis(block, chosen, axis=1)
        order = np.lexsort((chosen, far))  # of equal ones the first
        return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(far, order, axis=1)

    blocks = list(pairwise_distances_chunked(queries, known, reduce_func=reduce, metric=metric))
    indices, distances = (np.concatenate(part) for part in zip(*blocks, strict=True))
    missing = ~np.isfinite(distances)
    indices[missing] = -1
    pad = ((0, 0), (0, k - most))
    return np.pad(indices, pad, constant_values=-1), np.pad(distances, pad, constant_values=np.inf).astype(np.float32)


def _shares(indices: npt.NDArray[np.intp], labels: npt.NDArray[np.int8]) -> npt.NDArray[np.float64]:
    found = np.where(indices[..., None] >= 0, labels[indices], -1)
    known = (found >= 0).sum(axis=1)
    return np.divide((found == 1).sum(axis=1), known, out=np.full(known.shape, np.nan), where=known > 0)


def _probabilities(
    shares: npt.NDArray[np.float64],
    known: npt.NDArray[Any],
    labels: npt.NDArray[np.int8],
    theirs: npt.NDArray[np.intp],
    k: int,
    metric: str,
) -> npt.NDArray[np.float64]:
    """Learns from the reference, each sample without its own group, what a share is worth."""
    indices, _ = _nearest(known, known, theirs, theirs, k, metric)
    own_shares = _shares(indices, labels)
    usable = np.where(np.isnan(own_shares), -1, labels).astype(labels.dtype)
    if not (usable >= 0).any():
        return np.full(shares.shape, np.nan)
    calibrator = ProbabilityCalibrator().fit(_smoothed(own_shares, k), usable, groups=theirs.tolist())
    return np.where(np.isnan(shares), np.nan, calibrator.transform(_smoothed(shares, k)))


def _smoothed(shares: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.float64]:
    """Shares away from 0 and 1, whose log-odds are infinite, by half a neighbour; one half where none is known."""
    return (np.nan_to_num(shares, nan=0.5) * k + 0.5) / (k + 1)
