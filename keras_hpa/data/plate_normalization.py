"""Intensities of plates brought to one scale, by what their control wells show."""

import os
from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import read_sample
from keras_hpa.data.find_positions import find_positions
from keras_hpa.data.samples import Samples
from keras_hpa.data.source import Source, pixel_size_of, select_channels
from keras_hpa.files import not_as_expected, read_manifest, write_json

_FORMAT, _VERSION = "keras_hpa.PlateNormalization", 1
_FIELDS = {"low": float, "high": float, "channels": [str], "levels": {str: [[float]]}}


class PlateNormalization:
    """Maps, for each plate and channel, the dark and the bright of the control wells to 0 and 1.

    Plates are stained and imaged on different days, so that one treatment looks different on each. The controls are the
    same on all, so what differs between theirs is the plate's. Of every control image two percentiles are taken, and of
    these the median over the plate's controls, which dirt in one of them does not move. Unlike a normalisation of every
    image (`PercentileNormalization`) this keeps how bright a treated well is beside its plate's controls.

    Save it beside the model: new images must be normalised as those were that it was trained on. A plate that was not
    among these has controls of its own: fit another with the same percentiles, on them.

    Args:
        low: the percentile that becomes 0, 0 to 100.
        high: the percentile that becomes 1, above `low`.

    Attributes:
        levels_: for each plate an array of shape `(2, channels)`: what becomes 0, and what becomes 1.
        channels_: the names of the channels.

    Raises:
        ValueError: if the percentiles are out of range or order.

    Example:
        >>> from keras_hpa import ArraySource
        >>> images = np.linspace(0, 1, 64).reshape(1, 8, 8, 1) * np.array([100, 100, 300, 300])[:, None, None, None]
        >>> samples = Samples(ArraySource(images), metadata={"plate": ["a", "a", "b", "b"]})
        >>> normalization = PlateNormalization(0, 100).fit(samples, controls=[True, False, True, False])
        >>> [float(normalization.apply(samples).read(index).max()) for index in (1, 3)]
        [1.0, 1.0]
    """

    def __init__(self, low: float = 1.0, high: float = 99.5):
        if not 0 <= low < high <= 100:
            raise ValueError(f"`low` and `high` must be percentiles, 0 <= low < high <= 100. Received: {low}, {high}")
        self.low = low
        self.high = high

    def __repr__(self) -> str:
        fitted = f", fitted on {len(self.levels_)} plates" if hasattr(self, "levels_") else ""
        return f"PlateNormalization({self.low}, {self.high}{fitted})"

    def fit(
        self,
        samples: Samples,
        controls: Any = None,
        *,
        plates: str | Sequence[Hashable] | None = "plate",
        workers: int | None = None,
    ) -> "PlateNormalization":
        """Reads the controls of every plate.

        Args:
            samples: the samples of all plates.
            controls: which are controls: one boolean per sample, positions, or ids; all of them unless given.
            plates: the name of the metadata that say it, or one per sample; `None` for a single plate.
            workers: threads that read; one per core unless given.

        Returns:
            Itself.

        Raises:
            ValueError: if a plate has no controls, or a channel of its controls has no contrast.
        """
        names = _plates_of(samples, plates)
        chosen = np.arange(len(samples)) if controls is None else find_positions(controls, samples.ids)
        without = sorted(set(names) - {names[index] for index in chosen})
        if without:
            raise ValueError(f"`controls` must hold samples of every plate. Received: none of {without[:5]}")
        bounds = [self.low, self.high]

        def read(index: int) -> npt.NDArray[np.float64]:
            return np.percentile(read_sample(samples, int(index)), bounds, axis=(0, 1))

        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as executor:
            read_levels = list(executor.map(read, chosen))
        by_plate: dict[str, list[npt.NDArray[np.float64]]] = {}
        for index, levels in zip(chosen, read_levels, strict=True):
            by_plate.setdefault(names[index], []).append(levels)
        fitted = {plate: np.median(levels, axis=0) for plate, levels in by_plate.items()}
        for plate, (dark, bright) in fitted.items():
            flat = [name for name, a, b in zip(samples.channels, dark, bright, strict=True) if a == b != 0]
            if flat:
                raise ValueError(
                    f"`controls` must have contrast in every channel that is not dark. Received: {flat} without any on "
                    f"plate {plate!r}"
                )
        self.levels_ = fitted
        self.channels_ = samples.channels
        return self

    def apply(self, samples: Samples, *, plates: str | Sequence[Hashable] | None = "plate") -> Samples:
        """Gives the same samples, whose images are float32 and normalised when they are read; nothing is clipped.

        Args:
            samples: samples of plates that `fit` has seen, with its channels or some of them.
            plates: as in `fit`.

        Raises:
            ValueError: if a plate or channel is not known.
        """
        if not hasattr(self, "levels_"):
            raise ValueError(f"`fit` must be called before `apply`. Received: {self!r}")
        names = _plates_of(samples, plates)
        unknown = sorted(set(names) - set(self.levels_))
        if unknown or not set(samples.channels) <= set(self.channels_):
            raise ValueError(
                f"`samples` must be of plates {sorted(self.levels_)[:5]} and channels {self.channels_}; of a new plate "
                f"fit another normalization on its controls. Received: plates {unknown[:5]}, and channels "
                f"{samples.channels}"
            )
        places = [self.channels_.index(name) for name in samples.channels]
        levels = {plate: of_plate[:, places].astype(np.float32) for plate, of_plate in self.levels_.items()}
        source = _Normalized(samples.source, levels, names)
        return Samples(
            source,
            samples.labels,
            class_names=samples.class_names,
            groups=samples.groups,
            metadata=samples.metadata,
            pixel_sizes=samples.pixel_sizes,
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the levels of every plate as JSON, whole or not at all."""
        levels = {plate: levels.tolist() for plate, levels in self.levels_.items()}
        content = {"low": self.low, "high": self.high, "channels": list(self.channels_), "levels": levels}
        write_json(path, _FORMAT, _VERSION, content)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "PlateNormalization":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is damaged, or of another kind.
        """
        content = read_manifest(path, _FORMAT, {_VERSION: _FIELDS})
        loaded = cls(content["low"], content["high"])
        loaded.channels_ = tuple(content["channels"])
        for plate, levels in content["levels"].items():
            if [len(row) for row in levels] != [len(loaded.channels_)] * 2:
                raise not_as_expected(path, "levels", f"two rows of {len(loaded.channels_)}", (plate, levels))
        loaded.levels_ = {plate: np.array(levels) for plate, levels in content["levels"].items()}
        return loaded


class _Normalized:
    """A source of normalised images."""

    def __init__(self, source: Source, levels: dict[str, npt.NDArray[np.float32]], plates: list[str]):
        self.source = source
        self.levels = levels
        self.plates = plates

    @property
    def ids(self) -> Sequence[str]:
        return self.source.ids

    @property
    def channels(self) -> tuple[str, ...]:
        return self.source.channels

    @property
    def filled(self) -> frozenset[tuple[str, str]]:
        return frozenset(getattr(self.source, "filled", ()))

    @property
    def reads_in_processes(self) -> bool:
        return getattr(self.source, "reads_in_processes", False)

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        return f"<normalised by {len(self.levels)} plates, {self.source!r}>"

    def pixel_size(self, index: int) -> float | None:
        return pixel_size_of(self.source, index)

    def read(self, index: int) -> npt.NDArray[np.float32]:
        dark, bright = self.levels[self.plates[index]]
        span = np.where(bright > dark, bright - dark, np.float32(1))
        return (self.source.read(index) - dark) / span

    def select_channels(self, names: Sequence[str]) -> "_Normalized":
        places = [self.channels.index(name) for name in names]
        levels = {plate: of_plate[:, places] for plate, of_plate in self.levels.items()}
        return _Normalized(select_channels(self.source, names), levels, self.plates)


def _plates_of(samples: Samples, plates: str | Sequence[Hashable] | None) -> list[str]:
    if plates is None:
        return [""] * len(samples)
    if isinstance(plates, str):
        if plates not in samples.metadata:
            raise ValueError(
                "`plates` must name metadata, be one per sample, or None for a single plate. "
                f"Received: {plates!r}, and metadata {list(samples.metadata)}"
            )
        plates = samples.metadata[plates]
    if len(plates) != len(samples):
        raise ValueError(f"`plates` must be one per sample, {len(samples)}. Received: {len(plates)}")
    return [str(plate) for plate in plates]
