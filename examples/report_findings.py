"""What the report of a run says about its numbers: how sure they are, and what deserves a look."""

from collections.abc import Mapping, Sequence

import numpy as np

_FEW_POSITIVES = 10  # as in the calibrator's flags


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
    few = [row for row in occurring if row["support"] < _FEW_POSITIVES]
    many = sorted((row for row in occurring if row["support"] >= _FEW_POSITIVES), key=lambda row: row["f_beta"])
    weak = [row for row in many if row["f_beta"] < 0.5][:5]
    often = [row for row in rows if row["predicted"] > max(2 * row["support"], row["support"] + 5)]
    silent = [row for row in occurring if not row["predicted"]]
    without = int((predicted.sum(axis=1) == 0).sum())
    found = [
        (
            "Never predicted, though validation samples carry them: their score never passes the threshold.",
            _list(silent, lambda row: f"{row['support']:.0f} samples"),
        ),
        (
            "Predicted more than twice as often as they occur: many false alarms.",
            _list(often, lambda row: f"{row['predicted']} for {row['support']:.0f}"),
        ),
        ("Lowest F1 among the classes with enough samples to tell.", _list(weak, lambda row: f"{row['f_beta']:.2f}")),
        (
            f"Fewer than {_FEW_POSITIVES} validation samples carry them: look at their intervals, not at their F1.",
            _list(few, lambda row: f"{row['support']:.0f}"),
        ),
        (
            "No validation sample carries them: nothing is known about these classes.",
            _list([row for row in rows if not row["support"]]),
        ),
    ]
    sentences = [(sentence, told) for sentence, told in found if told]
    if without:
        sentences.append((f"{without} of {len(labels)} samples get no label at all.", ""))
    return sentences + [
        (sentence, "") for name, history in histories.items() for sentence in _look_at_curves(name, history)
    ]


def _list(rows: Sequence[Mapping], tell=None, most: int = 8) -> str:
    told = [row["class"] if tell is None else f"{row['class']} ({tell(row)})" for row in rows[:most]]
    return ", ".join(told) + (f" and {len(rows) - most} more" if len(rows) > most else "")


def _look_at_curves(name: str, history: Mapping[str, Sequence[float]]) -> list[str]:
    losses = np.asarray(history.get("val_loss", ()), np.float64)
    if len(losses) < 2:
        return []
    if not np.isfinite(losses).all():
        return [f"{name}: the validation loss is not finite. A lower learning rate may help."]
    best = int(losses.argmin())
    if best == len(losses) - 1:
        return [f"{name}: the validation loss was lowest in the last epoch. A longer training may do better."]
    return [
        f"{name}: the validation loss was lowest in epoch {best + 1} of {len(losses)}, {losses[best]:.3f}, and "
        f"{losses[-1]:.3f} at the end."
    ]
