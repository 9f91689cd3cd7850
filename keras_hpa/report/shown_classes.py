"""The samples of a run report: which are shown of each class, with their pictures and their neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa import plots
from keras_hpa.report.findings import FEW_POSITIVES
from keras_hpa.report.pictures import CHANNEL_SIZE, read_images, sample_pictures, webp_uri

if TYPE_CHECKING:
    from keras_hpa.data import MultiChannelSequence
    from keras_hpa.inference import Neighbours

_NUM_NEIGHBOURS = 3  # that are shown
_VERDICTS = {
    (True, True): "true positive",
    (True, False): "false negative",
    (False, True): "false positive",
    (False, False): "true negative",
}


def choose_classes(occurring: Sequence[dict[str, Any]]) -> list[int]:
    """The two classes with the best F1 and the two with the worst, of those with enough samples to tell."""
    enough = [row for row in occurring if row["support"] >= FEW_POSITIVES]
    if len(enough) < 4:
        common = sorted(occurring, key=lambda row: -row["support"])[:8]
        enough = [row for row in occurring if row in common]
    return [row["number"] for row in (*enough[:2], *enough[2:][-2:])]


def show_classes(
    classes: Sequence[int],
    rows: Sequence[dict[str, Any]],
    samples: Any,
    scores: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    model: keras.Model | None,
    batches: MultiChannelSequence | None,
    neighbours: Neighbours | None,
    reference: Any,
) -> list[dict[str, object]]:
    """For each class the samples with the label that score highest and lowest, and the highest of those without it."""
    names: list[str] = [row["class"] for row in rows]
    shown: list[dict[str, object]] = []
    for number in classes:
        truth = samples.labels[:, number]
        order = np.argsort(-scores[:, number], kind="stable")
        true, false = order[truth[order] == 1], order[truth[order] == 0]
        passed = predicted[:, number].astype(bool)
        chosen = [("Highest score with the label", index) for index in true[:2]]
        chosen += [("Lowest score with the label", index) for index in true[2:][-1:]]
        chosen += [("Highest score without the label", index) for index in false[:1]]
        described = [
            {
                "evidence": _evidence(neighbours, reference, index, number, names),
                "why": why,
                "id": str(samples.ids[index]),
                "verdict": _VERDICTS[bool(truth[index] == 1), bool(passed[index])],
                "score": float(scores[index, number]),
                "true": [names[one] for one in np.flatnonzero(samples.labels[index] == 1)],
                "predicted": [names[one] for one in np.argsort(-scores[index]) if predicted[index, one]],
            }
            for why, index in chosen
        ]
        images = read_images(samples, [index for _, index in chosen], model, batches)
        pictures = sample_pictures(images, samples.channels, model, number)
        shown.append({"row": rows[number], "samples": [a | b for a, b in zip(described, pictures, strict=True)]})
    return shown


def _evidence(
    neighbours: Neighbours | None, reference: Any, index: int, number: int, names: Sequence[str]
) -> dict[str, object] | None:
    """The annotated samples that are most like one, and what they say of a class; `None` without any."""
    if neighbours is None:
        return None
    nearest: list[dict[str, object]] = []
    for row, distance in zip(neighbours.indices[index], neighbours.distances[index], strict=True):
        if row >= 0 and len(nearest) < _NUM_NEIGHBOURS:
            merge = plots.displayed(reference.read(int(row)), reference.channels).merge
            labels = [names[one] for one in np.flatnonzero(reference.labels[row] == 1).tolist()]
            nearest.append(
                {
                    "id": str(reference.ids[row]),
                    "picture": webp_uri(merge, CHANNEL_SIZE),
                    "labels": labels,
                    "has": bool(reference.labels[row, number] == 1),
                    "distance": float(distance),
                }
            )
    return {
        "nearest": nearest,
        "count": int((neighbours.indices[index] >= 0).sum()),
        "share": float(neighbours.shares[index, number]),
        "probability": float(neighbours.probabilities[index, number]),
    }


def check_neighbours(neighbours: Neighbours | None, reference: Any, shape: tuple[int, ...]) -> None:
    """Refuses neighbours of other samples or of another reference."""
    if (neighbours is None) != (reference is None):
        missing = "neighbours" if neighbours is None else "reference"
        raise ValueError(f"`neighbours` and `reference` must be given together. Received: no `{missing}`")
    if neighbours is None:
        return
    if neighbours.shares.shape != shape:
        raise ValueError(f"`neighbours` must be those of `samples`, {shape}. Received: {neighbours.shares.shape}")
    if neighbours.indices.max() >= len(reference) or getattr(reference, "labels", None) is None:
        raise ValueError(
            "`reference` must be the samples, with labels, among which the neighbours were found. "
            f"Received: {reference!r}"
        )
