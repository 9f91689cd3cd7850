"""Opens everything once and says what is wrong."""

import os
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_hpa.data.batch_recipe import check_image
from keras_hpa.data.progress import Progress
from keras_hpa.data.source import Source

_MOST_LINES = 10  # of a kind, when a report is printed; it holds all of them


@dataclass(frozen=True)
class SourceReport:
    """What `validate` found; `print` it to read it.

    Attributes:
        num_samples: how many samples were opened.
        errors: (id, message) of each sample that cannot be read, in the order of the source.
        shapes: how many samples have each (height, width). More than one needs `image_size`.
        dtypes: how many samples have each data type. More than one needs `dtype="float32"`.
        dark: (id, channel, largest value) of each integer image that uses less than an eighth of its type's range:
            12 bits kept in 16, say, where `max_value=4095` is right; or a dark channel, where nothing is wrong.
        filled: how many channels were missing and read as zeros because the source was asked to.

    Example:
        >>> from keras_hpa import SyntheticAtlas
        >>> report = validate(SyntheticAtlas(2, image_size=(64, 64)), verbose=0)
        >>> report.is_valid
        True
        >>> print(report)
        2 samples, 0 of which cannot be read.
        Sizes: 64 x 64 (2).
        Types: uint8 (2).
    """

    num_samples: int
    errors: tuple[tuple[str, str], ...]
    shapes: dict[tuple[int, int], int]
    dtypes: dict[str, int]
    dark: tuple[tuple[str, str, int], ...]
    filled: int

    @property
    def is_valid(self) -> bool:
        """Whether every sample can be read."""
        return not self.errors

    def __str__(self) -> str:
        lines = [f"{self.num_samples} samples, {len(self.errors)} of which cannot be read."]
        lines += [f"  {sample_id}: {message}" for sample_id, message in self.errors[:_MOST_LINES]]
        lines += ["  ..."] if len(self.errors) > _MOST_LINES else []
        sizes = {" x ".join(map(str, shape)): count for shape, count in self.shapes.items()}
        lines += [f"Sizes: {_list(sizes)}" + (" - give `image_size`." if len(sizes) > 1 else ".")]
        lines += [f"Types: {_list(self.dtypes)}" + (f" - {self._advice()}" if len(self.dtypes) > 1 else ".")]
        if self.filled:
            lines += [f"{self.filled} missing channels were read as zeros."]
        if self.dark:
            largest = max(value for _, _, value in self.dark)
            lines += [f"{len(self.dark)} images use less than an eighth of their type's range, up to {largest}:"]
            lines += [
                f"  {sample_id}, {channel}: at most {value}" for sample_id, channel, value in self.dark[:_MOST_LINES]
            ]
            lines += ["  ..."] if len(self.dark) > _MOST_LINES else []
        return "\n".join(lines)

    def _advice(self) -> str:
        if len({np.dtype(name).kind == "f" for name in self.dtypes}) == 1:
            return 'dtype="float32" joins them.'
        return "floats pass as they are, integers are divided by their largest value: make one scale of the two first."


def validate(source: Source, *, workers: int | None = None, verbose: int = 1) -> SourceReport:
    """Opens every sample of a source once, in parallel, and reports what is wrong instead of stopping at it.

    Args:
        source: any source.
        workers: threads that read; one per core unless given.
        verbose: 1 shows a progress bar, 0 does not.

    Returns:
        A `SourceReport`: print it, or look at `is_valid` and `errors`.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.full((2, 8, 8, 1), 4095, "uint16"), ["a", "b"], channels=["gfp"])
        >>> print(validate(source, verbose=0))
        2 samples, 0 of which cannot be read.
        Sizes: 8 x 8 (2).
        Types: uint16 (2).
        2 images use less than an eighth of their type's range, up to 4095:
          a, gfp: at most 4095
          b, gfp: at most 4095
    """
    errors: list[tuple[str, str]] = []
    shapes: Counter[tuple[int, int]] = Counter()
    dtypes: Counter[str] = Counter()
    dark: list[tuple[str, str, int]] = []
    progress = Progress(len(source), verbose)

    def look(index: int) -> tuple[tuple[int, ...], np.dtype, list[int]] | str:
        try:
            image = check_image(source.read(index), len(source.channels))
        except Exception as error:  # whatever a source raises is what this is asked to report
            return f"{error}" or type(error).__name__
        if not np.isfinite(image).all():
            return "it holds NaN or infinity"
        return image.shape, image.dtype, image.max(axis=(0, 1)).tolist()

    with ThreadPoolExecutor(workers or os.cpu_count()) as executor:
        for index, found in enumerate(executor.map(look, range(len(source)))):
            progress.update(index + 1)
            if isinstance(found, str):
                errors.append((source.ids[index], found))
                continue
            shape, dtype, largest = found
            shapes[shape[0], shape[1]] += 1
            dtypes[dtype.name] += 1
            if dtype.kind in "iu":
                limit = np.iinfo(dtype).max / 8
                dark += [(source.ids[index], c, v) for c, v in zip(source.channels, largest, strict=True) if v < limit]
    unread = {sample_id for sample_id, _ in errors}
    filled = sum(sample_id not in unread for sample_id, _ in getattr(source, "filled", ()))
    return SourceReport(len(source), tuple(errors), dict(shapes), dict(dtypes), tuple(dark), filled)


def _list(counts: Mapping[Any, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} ({count})" for name, count in ordered) or "-"
