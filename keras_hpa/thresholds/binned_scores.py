"""Scores of all classes as counts on equal steps of log-odds: what smooth rules and resampling work on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.log_odds import log_odds, probability

_NUM_BINS = 256
_LARGEST = 1e100  # its square is a number
_USUAL_LOGIT, _REACH = 21.0, 10.0  # from 3 to 30 interquartile ranges nothing changes on simulated networks


@dataclass(frozen=True)
class BinnedScores:
    """How many samples, and how many positives, of each class lie between two cuts.

    Work on bins costs the same for a hundred samples and a hundred thousand. All arrays have the shape
    `(num_classes, num_bins)`.

    Attributes:
        cuts: the lower end of each bin as log-odds, ascending.
        middles: the middle of each bin.
        samples: what the samples in each bin count, 1 each on average.
        positives: what the positives among them count.
        from_logits: whether the scores are logits.
    """

    cuts: npt.NDArray[np.float64]
    middles: npt.NDArray[np.float64]
    samples: npt.NDArray[np.float64]
    positives: npt.NDArray[np.float64]
    from_logits: bool = False

    @classmethod
    def from_classes(cls, classes: Sequence[ClassScores]) -> Self:
        """Bins the sorted scores of each class, each with at least one sample."""
        from_logits = classes[0].from_logits
        low, high = np.array([_ends(one) for one in classes]).T
        margin = 1e-3
        width = ((high - low + 2 * margin) / _NUM_BINS)[:, None]
        cuts = low[:, None] - margin + width * np.arange(_NUM_BINS)
        raw_cuts = cuts.copy() if from_logits else probability(cuts)
        raw_cuts[:, 0] = -np.inf  # what lies below the first cut counts all the same
        scales = [len(one.scores) / one.total for one in classes]
        above = [one.predicted(cut) * scale for one, cut, scale in zip(classes, raw_cuts, scales, strict=True)]
        positive = [one.true_positives(cut) * scale for one, cut, scale in zip(classes, raw_cuts, scales, strict=True)]
        return cls(cuts, cuts + width / 2, _between_cuts(above), _between_cuts(positive), from_logits)

    def in_unit_of_scores(self, thresholds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Turns log-odds into what the scores are, probabilities or logits."""
        return thresholds if self.from_logits else probability(thresholds)

    @property
    def highest(self) -> npt.NDArray[np.float64]:
        """The upper end of each class's last bin."""
        return 2 * self.middles[:, -1] - self.cuts[:, -1]

    @property
    def negatives(self) -> npt.NDArray[np.float64]:
        """What the negatives in each bin count; rounding of weighted sums must not make it less than nothing."""
        return np.maximum(self.samples - self.positives, 0.0)

    @property
    def num_positives(self) -> npt.NDArray[np.float64]:
        """What the positives of each class count."""
        return self.positives.sum(axis=1)

    def best_cuts(self, quality: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The cut, as log-odds, at which each class's row of `quality` is largest; the middle where no sample lies.

        Cuts with no sample between them are equally good; of two such ranges the higher is taken.
        """
        bins = np.arange(quality.shape[1])
        best = quality == quality.max(axis=1, keepdims=True)
        last = np.where(best, bins, -1).max(axis=1, keepdims=True)
        first = np.where(~best & (bins < last), bins, -1).max(axis=1, keepdims=True) + 1
        return np.take_along_axis(self.cuts, np.hstack([first, last]), axis=1).mean(axis=1)

    def split(self, num_folds: int, rng: np.random.Generator) -> list[tuple[Self, Self]]:
        """Deals the samples into folds at random; returns, for each fold, the others and itself."""
        shares = np.full(num_folds, 1 / num_folds)
        positives = rng.multinomial(_whole(self.positives, rng), shares)
        samples = positives + rng.multinomial(_whole(self.negatives, rng), shares)
        folds = []
        for fold in range(num_folds):
            rest_samples = np.delete(samples, fold, axis=-1).sum(axis=-1).astype(np.float64)
            rest_positives = np.delete(positives, fold, axis=-1).sum(axis=-1).astype(np.float64)
            own_samples, own_positives = (one[..., fold].astype(np.float64) for one in (samples, positives))
            folds.append(
                (
                    replace(self, samples=rest_samples, positives=rest_positives),
                    replace(self, samples=own_samples, positives=own_positives),
                )
            )
        return folds


def _ends(one: ClassScores) -> npt.NDArray[np.float64]:
    """The log-odds between which a class's scores are told apart: those of the lowest and the highest.

    A logit far from all others, of a broken image say, would leave one bin to the rest. So ends lie within
    `_USUAL_LOGIT` of 0, or within `_REACH` interquartile ranges of the quartiles, whichever is further.
    """
    if not one.from_logits:
        return log_odds(one.scores[[0, -1]])
    scores = one.scores.astype(np.float64)
    below, above = scores[[len(scores) // 4, -1 - len(scores) // 4]]
    with np.errstate(over="ignore"):
        reach = _REACH * (above - below)
        lowest, highest = min(below - reach, -_USUAL_LOGIT), max(above + reach, _USUAL_LOGIT)
    ends = scores[[np.searchsorted(scores, lowest), np.searchsorted(scores, highest, side="right") - 1]]
    return np.clip(ends, -_LARGEST, _LARGEST)


def sum_above(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What lies in each bin and above it."""
    return np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]


def _between_cuts(above: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    # Weighted sums may differ in the last digit where there is nothing between two cuts.
    return np.maximum(-np.diff(np.array(above), axis=1, append=0.0), 0.0)


def _whole(counts: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Weighted samples as whole ones, the same on average."""
    return np.floor(counts + rng.uniform(size=counts.shape)).astype(np.int64)
