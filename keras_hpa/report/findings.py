"""What the report of a run says about its numbers: how sure they are, and what deserves a look."""

from collections.abc import Mapping, Sequence

import numpy as np

FEW_POSITIVES = 10  # as in the calibrator's flags


def macro_f1_interval(labels: np.ndarray, predicted: np.ndarray, num_resamples: int = 1000) -> dict[str, float]:
    """Macro-F1 over the classes that occur, and the 95 % interval of a bootstrap of the samples.

    `over_all` counts a class that does not occur as 0. An unknown label, -1, counts for nothing.
    """
    positive, found = labels == 1, predicted == 1
    outcomes = np.concatenate([positive & found, (labels == 0) & found, positive & ~found], axis=1).astype(np.float64)
    rng = np.random.default_rng(0)
    num_samples = len(labels)
    draws = (rng.integers(num_samples, size=num_samples) for _ in range(num_resamples))
    resampled = [_macro_f1(np.bincount(drawn, minlength=num_samples) @ outcomes) for drawn in draws]
    low, high = np.nanquantile(resampled, [0.025, 0.975]) if positive.any() else (np.nan, np.nan)
    value, num_classes = _macro_f1(outcomes.sum(axis=0)), int(positive.any(axis=0).sum())
    over_all = value * num_classes / labels.shape[1] if num_classes else 0.0
    return {"value": value, "low": low, "high": high, "num_classes": num_classes, "over_all": over_all}


def _macro_f1(outcomes: np.ndarray) -> float:
    hits, false_alarms, misses = np.split(outcomes, 3)
    occurs = hits + misses > 0
    f1 = 2 * hits[occurs] / (2 * hits + false_alarms + misses)[occurs]
    return float(f1.mean()) if len(f1) else float("nan")


def count_pairs(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """How many samples carry both of two labels, in truth and as predicted: shape (2, classes, classes)."""
    return np.stack(
        [carried.T @ carried for carried in ((labels == 1).astype(np.float64), predicted.astype(np.float64))]
    )


def find_what_to_look_at(
    rows: Sequence[Mapping],
    labels: np.ndarray,
    predicted: np.ndarray,
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
        ("never predicted, though there are samples that carry them", silent, "{support:.0f} samples"),
        ("predicted more than twice as often as they occur", often, "{predicted} for {support:.0f}"),
        (f"weak, with an F1 below 0.5 on {FEW_POSITIVES} samples or more", weak, "{f_beta:.2f}"),
        (f"judged on fewer than {FEW_POSITIVES} samples, so the interval tells more than the F1", few, "{support:.0f}"),
        ("carried by no validation sample, so nothing is known of them", absent, ""),
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


def _count(classes: Sequence[Mapping], rows: Sequence[Mapping]) -> str:
    if len(classes) == len(rows):
        return "Every class is" if len(rows) > 1 else "The class is"
    return f"{len(classes)} of {len(rows)} classes {'is' if len(classes) == 1 else 'are'}"


def _list(classes: Sequence[Mapping], tell: str, most: int = 5) -> str:
    told = [f"{row['class']} ({tell.format_map(row)})" if tell else str(row["class"]) for row in classes[:most]]
    return ", ".join(told) + (f" and {len(classes) - most} more" if len(classes) > most else "")


def _look_at_curves(name: str, history: Mapping[str, Sequence[float]]) -> list[str]:
    losses = np.asarray(history.get("val_loss", ()), np.float64)
    if len(losses) < 2:
        return []
    if not np.isfinite(losses).all():
        return [f"{name.capitalize()}: the validation loss is not finite; a lower learning rate may help"]
    best, last = int(losses.argmin()), len(losses) - 1
    lowest = f"{name.capitalize()}: the validation loss was lowest in "
    if best == last:
        return [lowest + "the last epoch; a longer training may do better"]
    return [lowest + f"epoch {best + 1} of {last + 1}, {losses[best]:.3f}, and {losses[last]:.3f} at the end"]
