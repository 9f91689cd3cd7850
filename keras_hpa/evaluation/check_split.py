"""Whether a test set may judge what was trained on a training set."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples, near_duplicate_groups
from keras_hpa.evaluation.measured_source import MeasuredSource
from keras_hpa.evaluation.split_checks import (
    Found,
    label_shares,
    near_duplicates,
    plates_apart,
    shared,
    sides_apart,
    units_of,
)
from keras_hpa.evaluation.split_report import Finding, SplitReport


def check_split(
    train: Samples,
    test: Samples,
    *,
    plates: str | None = "auto",
    embeddings: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    read_images: bool = True,
    max_distance: float = 0.1,
    num_draws: int = 400,
    seed: int = 0,
    workers: int | None = None,
    verbose: int = 1,
) -> SplitReport:
    """Looks for what makes a test score too high, or says nothing: leaks from one side of a split to the other.

    | check | what is looked for |
    | --- | --- |
    | ids | samples on both sides |
    | groups | groups, antibodies or patients, with samples on both sides |
    | near duplicates | the same image on both sides, whatever its id: `near_duplicate_groups` |
    | classes | classes that have samples on one side only |
    | labels | classes that are more frequent on one side than a split by chance makes them |
    | sides | test samples that a linear probe tells from training samples |
    | plates | plates that a linear probe tells from the others |

    The probe gets the levels of each channel, seven percentiles and the spread, or the `embeddings` of a network. If it
    tells plates apart, so will a network, and where plates go with classes it can answer by the plate. Its AUC is
    cross-validated and has a null: units, the groups where they are given and otherwise samples, are drawn anew into
    sets of the same sizes. What is reported has an AUC of .6 or more, and 1 % of the draws or fewer come as far, the
    largest of all plates taken in each. Labels are tested in the same way.

    Each image is read once.

    Args:
        train: the samples to train on.
        test: those to test on, with the same channels, and labels of the same classes if there are any.
        plates: the name of the metadata that say which plate, batch or day a sample is of; `"auto"` is `"plate"` where
            both sides have that, `None` looks at none.
        embeddings: the features of both sides, as `embed` gives them, for the probe in place of intensities.
        read_images: whether to read images; without, near duplicates are not looked for, nor intensities.
        max_distance: how far near duplicates may differ, as for `near_duplicate_groups`.
        num_draws: how often units are drawn.
        seed: of the draws.
        workers: threads that read; one per core unless given.
        verbose: 1 shows a progress bar, 0 does not.

    Returns:
        A `SplitReport`: print it, or look at `findings`, each with what to do, and at `to_frame()`.

    Raises:
        TypeError: if one of the two is not `Samples`.
        ValueError: if channels or classes differ, `plates` name no metadata, or embeddings do not fit.

    Example:
        >>> import keras_hpa
        >>> samples = keras_hpa.SyntheticAtlas(60, image_size=32, balance="uniform").samples
        >>> report = check_split(samples[:40], samples[38:], verbose=0)
        >>> report.findings[0].names
        ('synthetic-0-000038', 'synthetic-0-000039')

    References:
        Kapoor & Narayanan, Leakage and the reproducibility crisis in machine-learning-based science, Patterns 2023.
        Westfall & Young, Resampling-based multiple testing, 1993.
    """
    sides = _check_arguments(train, test, plates)
    plates = "plate" if plates == "auto" else plates
    groups = [one.groups for one in sides]
    plate_names = [one.metadata.get(plates) if plates else None for one in sides]
    findings: list[Finding] = []
    rows: list[Mapping[str, Any]] = []
    left_out: list[str] = []

    def add(found: Found) -> None:
        findings.extend(found.findings)
        rows.extend(found.rows)

    add(shared("ids", [one.ids for one in sides], "Remove them from one side."))
    if None in groups:
        left_out.append("groups, as the samples of a side have none")
    else:
        add(
            shared(
                "groups",
                [one or [] for one in groups],
                "Split by groups: samples.split(test_size=...) keeps them together.",
            )
        )
    sources = [MeasuredSource(one) for one in sides]
    if read_images:
        numbers = near_duplicate_groups(sources, max_distance=max_distance, workers=workers, verbose=verbose)
        add(near_duplicates(sides, numbers))
    else:
        left_out.append("near duplicates, as no images were read")
    units, member = units_of(groups, [len(one) for one in sides])
    draws = {"num_draws": num_draws, "seed": seed}
    if train.labels is None or test.labels is None:
        left_out.append("labels, as a side has none")
    else:
        labels, names = np.concatenate([train.labels, test.labels]), train.class_names
        add(label_shares(labels, names or list(map(str, range(labels.shape[1]))), units, member, **draws))
    features = _check_embeddings(embeddings, sides)
    if features is None and read_images:
        features = np.concatenate([one.measured for one in sources])
    if features is None:
        left_out.append("what a probe tells apart, as there are neither images nor embeddings")
    else:
        add(sides_apart(features, units, member, **draws))
        if None in plate_names:
            left_out.append("plates, as the metadata do not name them")
        else:
            add(plates_apart(features, [plate for one in plate_names for plate in one or ()], units, member, **draws))
    return SplitReport(len(train), len(test), findings, rows, left_out)


def _check_arguments(train: Samples, test: Samples, plates: str | None) -> list[Samples]:
    for name, one in (("train", train), ("test", test)):
        if not isinstance(one, Samples):
            raise TypeError(f"`{name}` must be `Samples`. Received: {type(one).__name__}")
        if not len(one):
            raise ValueError(f"`{name}` must hold samples. Received: none")
        if plates not in {None, "auto"} | set(one.metadata):
            raise ValueError(f"`plates` must name metadata of `{name}`, {list(one.metadata)}. Received: {plates!r}")
    if train.channels != test.channels:
        raise ValueError(f"`test` must have the channels of `train`, {train.channels}. Received: {test.channels}")
    classes = [(None if one.labels is None else one.labels.shape[1], one.class_names) for one in (train, test)]
    if None not in (classes[0][0], classes[1][0]) and classes[0] != classes[1]:
        raise ValueError(f"`test` must have the classes of `train`, {classes[0][1]}. Received: {classes[1][1]}")
    return [train, test]


def _check_embeddings(
    embeddings: tuple[npt.ArrayLike, npt.ArrayLike] | None, sides: Sequence[Samples]
) -> npt.NDArray[np.float64] | None:
    if embeddings is None:
        return None
    parts = [np.asarray(one, np.float64) for one in embeddings]
    lengths = [len(one) for one in sides]
    if (
        [one.shape[:1] for one in parts] != [(length,) for length in lengths]
        or {one.ndim for one in parts} != {2}
        or len({one.shape[1] for one in parts}) != 1
        or not all(np.isfinite(one).all() for one in parts)
    ):
        raise ValueError(
            f"`embeddings` must be two finite matrices with as many columns, of {lengths[0]} and {lengths[1]} rows. "
            f"Received: shapes {[one.shape for one in parts]}"
        )
    return np.concatenate(parts)
