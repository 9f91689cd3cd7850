"""Fields whose cells are known, and crops of them by brute force."""

import numpy as np

import keras_hpa


def field_of_rectangles(seed=0, height=40, width=50, num_cells=6):
    """An image whose two channels are row and column, counted from 1, and a mask of cells that overlap nowhere."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[1 : height + 1, 1 : width + 1]
    mask = np.zeros((height, width), np.uint16)
    for number in range(1, num_cells + 1):
        top, left = rng.integers(0, height - 3), rng.integers(0, width - 3)
        bottom, right = top + rng.integers(1, 12), left + rng.integers(1, 12)
        if not mask[top:bottom, left:right].any():
            mask[top:bottom, left:right] = number
    return np.stack([rows, columns], axis=-1).astype(np.uint16), mask


def fields(num_fields=3, labels=None, **known):
    pairs = [field_of_rectangles(seed) for seed in range(num_fields)]
    source = keras_hpa.ArraySource([image for image, _ in pairs], [f"field{number}" for number in range(num_fields)])
    samples = keras_hpa.Samples(source, labels, **known)
    return samples, {sample_id: mask for sample_id, (_, mask) in zip(samples.ids, pairs, strict=True)}
