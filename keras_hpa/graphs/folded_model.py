"""What `fold_batch_norm` returns."""

from collections.abc import Mapping
from dataclasses import dataclass

import keras


@dataclass(frozen=True)
class FoldedModel:
    """A model with fewer operations, with a list of the BatchNormalization layers folded and kept.

    Attributes:
        model: computes what the original does. Its layers have the original's names; it is not compiled.
        folded: names of the BatchNormalization layers that were removed. One inside a nested model has its path,
            `"backbone/stem_norm"`.
        kept: the names of those that remain, each with the reason. Both are empty if the model has none.

    Example:
        >>> from keras_hpa import GapNet, fold_batch_norm
        >>> folded = fold_batch_norm(GapNet((76, 76, 4), num_classes=3, variant="report", filters=(4, 4, 4)))
        >>> folded
        FoldedModel of 'gapnet': 11 of 11 BatchNormalization layers folded
    """

    model: keras.Model
    folded: tuple[str, ...]
    kept: Mapping[str, str]

    def __repr__(self) -> str:
        total = len(self.folded) + len(self.kept)
        counts = f"{len(self.folded)} of {total} BatchNormalization layers folded"
        summary = counts if total else "no BatchNormalization to fold"
        kept = (f"  kept {name}: {reason}" for name, reason in self.kept.items())
        return "\n".join([f"FoldedModel of {self.model.name!r}: {summary}", *kept])
