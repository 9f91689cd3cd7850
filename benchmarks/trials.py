"""What benchmarks share: samples in memory, a learning rate, macro-F1 as the challenge had it, means with errors."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa import Samples, SyntheticAtlas
from keras_hpa.data import ArraySource
from keras_hpa.f_beta import f_beta_per_class


def in_memory(read: Callable[[int], np.ndarray], indices: Sequence[int]) -> np.ndarray:
    """The images that `read` gives for the indices, as one array."""
    with ThreadPoolExecutor() as threads:
        return np.stack(list(threads.map(read, indices)))


def draw(num_samples: int, size: int, *, seed: int = 0) -> Samples:
    """Square drawings with uniform classes, held in memory."""
    atlas = SyntheticAtlas(num_samples, image_size=(size, size), seed=seed, balance="uniform")
    return Samples(ArraySource(in_memory(atlas.read, range(num_samples))), atlas.labels)


def class_f1(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> np.ndarray:
    """F1 of each class; 0 for one that is neither present nor predicted."""
    return f_beta_per_class(labels, predicted, zero_division=0.0)


def macro_f1(labels: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    return float(class_f1(labels, predicted).mean())


def warm_up_and_cosine(rate: float, steps: int, *, warm_up: float = 0.1) -> keras.optimizers.schedules.CosineDecay:
    """A learning rate that rises from a thirtieth to `rate` in a share of the steps, and falls to zero in the rest."""
    rising = max(1, round(warm_up * steps))
    return keras.optimizers.schedules.CosineDecay(rate / 30, steps - rising, warmup_target=rate, warmup_steps=rising)


def with_error(values: npt.ArrayLike, form: str = ".3f") -> str:
    """The mean over seeds or splits and its standard error, "0.112 ± 0.002"; one value has no error."""
    values = np.asarray(values, np.float64)
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{values.mean():{form}} ± {error:{form.removeprefix('+')}}"
