"""What the run report says of its numbers: what to look at."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

FEW_POSITIVES = 10  # as in the calibrator's flags
_CLEAR_RISE = 0.1  # of a metric in training
_STANDSTILL = 0.15  # of that rise, in validation


def find_what_to_look_at(
    rows: Sequence[Mapping[str, Any]],
    labels: npt.NDArray[Any],
    predicted: npt.NDArray[Any],
    histories: Mapping[str, Mapping[str, Sequence[float]]],
) -> list[tuple[str, str]]:
    """Sentences about what is unusual, each with the classes it speaks of."""
    occurring = [row for row in rows if row["support"]]
    few = [row for row in occurring if row["support"] < FEW_POSITIVES]
    many = sorted((row for row in occurring if row["support"] >= FEW_POSITIVES), key=lambda row: row["f_beta"])
    weak = [row for row in many if row["f_beta"] < 0.5]
    often = [row for row in rows if row["predicted"] > max(2 * row["support"], row["support"] + 5)]
    often.sort(key=lambda row: row["support"] - row["predicted"])
    silent = [row for row in occurring if not row["predicted"]]
    absent = [row for row in rows if not row["support"]]
    without = int((predicted.sum(axis=1) == 0).sum())
    found = [
        ("never predicted, though samples have the label", silent, "{support:.0f} samples"),
        ("predicted more than twice as often as they occur", often, "{predicted} for {support:.0f}"),
        (f"weak, with an F1 below 0.5 on {FEW_POSITIVES} samples or more", weak, "{f_beta:.2f}"),
        (f"judged on fewer than {FEW_POSITIVES} samples, so the interval tells more than the F1", few, "{support:.0f}"),
        ("without a sample that has the label, so nothing is known of them", absent, ""),
    ]
    sentences = [
        (f"{_count(classes, rows)} {words}", _list(classes, tell) if len(classes) < len(rows) else "")
        for words, classes, tell in found
        if classes
    ]
    if without:
        sentences.append((f"{without} of {len(labels)} samples get no label at all", ""))
    return sentences + [
        (sentence, "") for name, history in histories.items() for sentence in _look_at_curves(name, history)
    ]


def _count(classes: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> str:
    if len(classes) == len(rows):
        return "Every class is" if len(rows) > 1 else "The class is"
    return f"{len(classes)} of {len(rows)} classes {'is' if len(classes) == 1 else 'are'}"


def _list(classes: Sequence[Mapping[str, Any]], tell: str, most: int = 5) -> str:
    told = [f"{row['class']} ({tell.format_map(row)})" if tell else str(row["class"]) for row in classes[:most]]
    return ", ".join(told) + (f" and {len(classes) - most} more" if len(classes) > most else "")


def _look_at_curves(name: str, history: Mapping[str, Sequence[float]]) -> list[str]:
    sentences = [] if (still := _find_standstill(history)) is None else [f"{name.capitalize()}: {still}"]
    losses = np.asarray(history.get("val_loss", ()), np.float64)
    if len(losses) < 2:
        return sentences
    if not np.isfinite(losses).all():
        return [*sentences, f"{name.capitalize()}: the validation loss is not finite; a lower learning rate may help"]
    best, last = int(losses.argmin()), len(losses) - 1
    lowest = f"{name.capitalize()}: the validation loss was lowest in "
    if best == last:
        return [*sentences, lowest + "the last epoch; a longer training may do better"]
    return [
        *sentences,
        lowest + f"epoch {best + 1} of {last + 1}, {losses[best]:.3f}, and {losses[last]:.3f} at the end",
    ]


def _find_standstill(history: Mapping[str, Sequence[float]]) -> str | None:
    """A sentence where training rises and validation stays near its start, as under a BatchNorm that lags behind."""
    for metric, values in history.items():
        trained, watched = (_finite(one) for one in (values, history.get(f"val_{metric}", ())))
        if metric == "loss" or len(watched) < 3 or not len(trained):
            continue
        rise, seen = trained.max() - trained[0], watched.max() - watched[0]
        if rise >= _CLEAR_RISE and seen <= _STANDSTILL * rise:
            return (
                f"{metric} rises from {trained[0]:.3f} to {trained.max():.3f} in training and stands still in "
                f"validation, {watched[0]:.3f} to {watched.max():.3f}. Often the statistics of BatchNorm lag or are "
                "frozen: score again after keras_hpa.reestimate_batch_norm(model, training_batches), and train with a "
                "builder's default normalization. If that changes nothing, compare the validation samples with the "
                "training ones"
            )
    return None


def _finite(values: Sequence[float]) -> npt.NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    return array[np.isfinite(array)]
