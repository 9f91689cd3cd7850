"""A folder in Kaggle's layout, drawn from noise."""

from pathlib import Path

import cv2
import numpy as np

CHANNELS = ("red", "green", "blue", "yellow")


def write_kaggle_folder(root: Path, num_samples: int, size: int = 8, dtype: str = "uint8") -> np.ndarray:
    """Writes `train/`, `train.csv`, `test/` (the same images) and `sample_submission.csv`; gives the images."""
    rng = np.random.default_rng(0)
    images = rng.integers(np.iinfo(dtype).max, size=(num_samples, size, size, 4), endpoint=True).astype(dtype)
    ids = [f"sample{number}" for number in range(num_samples)]
    for folder in ("train", "test"):
        (root / folder).mkdir(parents=True)
        for sample_id, image in zip(ids, images, strict=True):
            for number, channel in enumerate(CHANNELS):
                cv2.imwrite(str(root / folder / f"{sample_id}_{channel}.png"), image[..., number])
    rows = [f"{sample_id},{number % 28}" for number, sample_id in enumerate(ids)]
    (root / "train.csv").write_text("\n".join(["Id,Target", *rows]))
    (root / "sample_submission.csv").write_text("\n".join(["Id,Predicted", *(f"{sample_id},0" for sample_id in ids)]))
    return images
