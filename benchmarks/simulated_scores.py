"""Networks that never were: scores whose distribution is known, to choose the constants of threshold rules on.

Each simulated network has its own number of classes, imbalance, skill and calibration, drawn wider than real networks
differ. The F1 of any threshold is a formula, so that a rule is judged on an endless test set.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from keras_hpa import atlas


@dataclass(frozen=True)
class SimulatedNetwork:
    """Scores of each class: two normal parts for positives, two for negatives, on a latent scale.

    Attributes:
        prevalence: the share of samples with each class, shape `(num_classes,)`.
        means, spreads: of the four parts, shape `(4, num_classes)`: found and missed positives, plain and confusing
            negatives.
        shares: how much of the positives, or of the negatives, each part is.
        broken: the share of samples, blank images say, that get the score 1 in each class with probability 0.3.
        slope, offset, bend: the logit of a score is `slope * (x + bend * max(x, 0)) + offset` of the latent x.
    """

    prevalence: npt.NDArray[np.float64]
    means: npt.NDArray[np.float64]
    spreads: npt.NDArray[np.float64]
    shares: npt.NDArray[np.float64]
    slope: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]
    bend: float
    broken: float

    def sample(
        self, num_samples: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
        """Draws scores and labels of shape `(num_samples, num_classes)`."""
        shape = (num_samples, len(self.prevalence))
        labels = rng.uniform(size=shape) < self.prevalence
        part = np.where(labels, 0, 2) + (rng.uniform(size=shape) < np.where(labels, self.shares[1], self.shares[3]))
        columns = np.arange(shape[1])
        latent = self.means[part, columns] + self.spreads[part, columns] * rng.normal(size=shape)
        logits = self.slope * (latent + self.bend * np.maximum(latent, 0)) + self.offset
        scores = (1 / (1 + np.exp(-logits))).astype(np.float32)
        scores[(rng.uniform(size=(num_samples, 1)) < self.broken) & (rng.uniform(size=shape) < 0.3)] = 1
        return scores, labels.astype(np.uint8)

    def f1(self, thresholds: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The F1 of each class that `score >= threshold` has on endless data."""
        tp, fp = self.rates(thresholds)
        return 2 * tp / (self.prevalence + tp + fp)

    def rates(self, thresholds: npt.ArrayLike) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """What share of endless data are true and false positives of `score >= threshold`, for each class."""
        with np.errstate(divide="ignore"):
            t = np.clip(np.asarray(thresholds, np.float64), 0, None)
            logits = np.where(t >= 1, np.inf, np.log(t) - np.log1p(-np.minimum(t, 1 - 1e-16)))
        bent = (logits - self.offset) / self.slope
        latent = np.where(bent > 0, bent / (1 + self.bend), bent)
        above = self.shares * norm.sf((latent - self.means) / self.spreads)
        found, mistaken = above[:2].sum(axis=0), above[2:].sum(axis=0)
        found, mistaken = (part + 0.3 * self.broken * ((t <= 1) - part) for part in (found, mistaken))
        return self.prevalence * found, (1 - self.prevalence) * mistaken


def simulate_network(seed: int) -> SimulatedNetwork:
    """Draws a network: half of them on the atlas's 28 classes, half on 8 to 40 classes of any imbalance.

    One in four is a poor network, hardly better than chance in most classes, as one that sees the wrong channel is.
    """
    rng = np.random.default_rng([seed, 7])
    if seed % 2:
        prevalence = np.array(atlas.CLASS_COUNTS) / 31072
    else:
        lowest = rng.uniform(-3.5, -1.5)
        prevalence = 10 ** rng.uniform(lowest, -0.4, size=rng.integers(8, 41))
    num_classes = len(prevalence)
    mean_skill = rng.uniform(0.4, 1.2) if seed % 8 in (0, 5) else rng.uniform(1.5, 3.5)
    skill = np.maximum(rng.normal(mean_skill, rng.uniform(0.2, 0.8), num_classes), 0.2)
    missed = rng.uniform(0, 0.4, num_classes)
    confusing = rng.uniform(0, 0.1, num_classes)
    means = np.stack([skill, 0.3 * skill, np.zeros(num_classes), 0.5 * skill])
    spreads = np.stack([rng.uniform(0.6, 1.6, num_classes), *np.ones((3, num_classes))])
    # A network that knows its classes' frequency puts it into the offset; one trained on balanced batches does not.
    knows = rng.uniform(0.2, 1.1)
    confidence = np.exp(rng.normal(0, 0.4)) * np.exp(rng.normal(0, rng.uniform(0.05, 0.3), num_classes))
    slope = confidence * np.maximum(skill, 0.8)
    prior = knows * np.log(prevalence / (1 - prevalence))
    offset = confidence * (prior - skill**2 / 2) + rng.normal(0, 0.5) + rng.normal(0, rng.uniform(0, 0.6), num_classes)
    return SimulatedNetwork(
        prevalence=prevalence,
        means=means,
        spreads=spreads,
        shares=np.stack([1 - missed, missed, 1 - confusing, confusing]),
        slope=slope,
        offset=offset,
        bend=float(rng.uniform(-0.4, 0.8)),
        broken=float(10 ** rng.uniform(-3.5, -2.5)) if rng.uniform() < 0.5 else 0.0,
    )
