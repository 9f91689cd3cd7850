"""Classes whose every metric is known: normal scores, independent or alike within groups, to check promises on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

_GRID = np.linspace(-9, 12, 4001)


@dataclass(frozen=True)
class SimulatedClasses:
    """Scores of each class are the true probability of a normal model: 0 on average without the class, `skill` with it.

    Attributes:
        prevalence: the share of samples with each class.
        skill: how many standard deviations lie between samples with and without it.
        group_size: how many samples a group has on average; 1 for independent ones.
        alike: the share of a score's variance that its group shares. Labels are those of the group.
    """

    prevalence: npt.NDArray[np.float64]
    skill: npt.NDArray[np.float64]
    group_size: float = 1.0
    alike: float = 0.5

    def sample(
        self, num_samples: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8], npt.NDArray[np.intp] | None]:
        """Draws scores and labels of shape `(num_samples, num_classes)`, and the group of each sample."""
        shape = (num_samples, len(self.prevalence))
        groups = None
        if self.group_size == 1:
            labels = rng.uniform(size=shape) < self.prevalence
            noise = rng.normal(size=shape)
        else:
            sizes = rng.geometric(1 / self.group_size, size=num_samples)
            groups = np.repeat(np.arange(num_samples), sizes)[:num_samples]
            of_groups = (num_samples, shape[1])
            labels = (rng.uniform(size=of_groups) < self.prevalence)[groups]
            shared = rng.normal(size=of_groups)[groups]
            noise = np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * rng.normal(size=shape)
        return self._probability(noise + self.skill * labels), labels.astype(np.int8), groups

    @property
    def thresholds(self) -> npt.NDArray[np.float64]:
        """Thresholds at which about as many samples are predicted as have the class."""
        above = self.prevalence * norm.sf(_GRID[:, None] - self.skill) + (1 - self.prevalence) * norm.sf(_GRID[:, None])
        nearest = np.abs(above - self.prevalence).argmin(axis=0)
        return self._probability(_GRID[nearest])

    def truth(self) -> dict[str, npt.NDArray[np.float64]]:
        """Every metric on endless data."""
        latent = _GRID[:, None]
        found, mistaken = self._above(latent)
        density = self.prevalence * norm.pdf(latent - self.skill), (1 - self.prevalence) * norm.pdf(latent)
        step = _GRID[1] - _GRID[0]
        precision = found / np.maximum(found + mistaken, 1e-300)
        score = self._probability(latent)
        brier = (density[0] * (1 - score) ** 2 + density[1] * score**2).sum(axis=0) * step
        true, false = self._above(self._latent(self.thresholds))
        return {
            "prevalence": self.prevalence,
            "average_precision": (density[0] * precision).sum(axis=0) * step / self.prevalence,
            "roc_auc": norm.cdf(self.skill / np.sqrt(2)),
            "precision": true / (true + false),
            "recall": true / self.prevalence,
            "f1": 2 * true / (self.prevalence + true + false),
            "brier": brier,
        }

    def precision_at(self, thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The precision of `score >= threshold` on endless data."""
        true, false = self._above(self._latent(thresholds))
        return true / np.maximum(true + false, 1e-300)

    def recall_at(self, thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The recall of `score >= threshold` on endless data."""
        return self._above(self._latent(thresholds))[0] / self.prevalence

    def threshold_of_precision(self, precision: float) -> npt.NDArray[np.float64]:
        """The lowest threshold with this precision on endless data."""
        found, mistaken = self._above(_GRID[:, None])
        first = (found >= precision * (found + mistaken)).argmax(axis=0)
        return self._probability(_GRID[first])

    def _above(self, latent: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        return self.prevalence * norm.sf(latent - self.skill), (1 - self.prevalence) * norm.sf(latent)

    def _probability(self, latent: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        prior = np.log(self.prevalence / (1 - self.prevalence))
        return 1 / (1 + np.exp(-(self.skill * latent - self.skill**2 / 2 + prior)))

    def _latent(self, scores: npt.ArrayLike) -> npt.NDArray[np.float64]:
        prior = np.log(self.prevalence / (1 - self.prevalence))
        with np.errstate(divide="ignore"):
            scores = np.clip(np.asarray(scores, np.float64), 0, 1)
            logits = np.log(scores) - np.log1p(-scores)
        return (logits - prior + self.skill**2 / 2) / self.skill
