"""Which classes a sample has."""

from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas
from keras_hpa.labels import parse_labels

BALANCES = ("atlas", "uniform")
"""How often classes occur: as in the atlas, or all equally often."""

_NUM_CLASSES = len(atlas.CLASS_NAMES)


def draw_labels(num_samples: int, balance: str, seed: int) -> npt.NDArray[np.uint8]:
    """Labels of shape `(num_samples, 28)`; those of the first samples do not depend on how many follow.

    Args:
        num_samples: how many.
        balance: `"atlas"` draws the label sets of the 2018 challenge as often as they occurred there; `"uniform"`
            takes each class once in every 28 samples and adds others, all alike, to as many labels per sample as
            there are in the atlas.
        seed: decides the draw.
    """
    rng = np.random.default_rng([seed, 0x1ABE1])
    sets, counts = _atlas_label_sets()
    if balance == "atlas":
        return sets[np.searchsorted(np.cumsum(counts) / counts.sum(), rng.random(num_samples), side="right")]
    blocks = -(-num_samples // _NUM_CLASSES)
    chance = rng.random((blocks * _NUM_CLASSES, 2 + _NUM_CLASSES))
    first = chance[:, 0].reshape(blocks, _NUM_CLASSES).argsort(1).ravel()
    share = np.bincount(sets.sum(1, dtype=np.int64), weights=counts) / counts.sum()
    number = np.searchsorted(np.cumsum(share), chance[:, 1], side="right")
    order = chance[:, 2:]
    order[np.arange(len(order)), first] = -1
    return (order.argsort(1).argsort(1) < number[:, None]).astype(np.uint8)[:num_samples]


@cache
def _atlas_label_sets() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The 577 label sets of the challenge's training samples and their counts."""
    text = (resources.files("keras_hpa.synthetic_atlas") / "label_sets.csv").read_text("ascii")
    rows = [line.split(",") for line in text.splitlines()[1:]]
    return parse_labels([row[0] for row in rows], len(atlas.CLASS_NAMES)), np.array([int(row[1]) for row in rows])
