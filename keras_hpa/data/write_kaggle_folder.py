"""Samples as a folder in the layout of the Kaggle challenge."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data.sample_paths import check_names
from keras_hpa.data.samples import Samples
from keras_hpa.files import is_left_over, replacing
from keras_hpa.labels import format_labels

_MANIFEST = "kaggle_folder.json"
_CONTENTS = {_MANIFEST, "train.csv", "sample_submission.csv", "train", "test"}


def write_kaggle_folder(samples: Samples, root: str | os.PathLike[str], *, num_test: int = 0, verbose: int = 1) -> None:
    """Writes samples as a folder in Kaggle's layout: a PNG for each channel, and tables.

    `train.csv` (`Id,Target`, the labels as numbers) and `train/{id}_{channel}.png`; the last `num_test` samples go to
    `test/` and their ids to `sample_submission.csv` (`Id,Predicted`). `load_kaggle` reads the folder if channels and
    classes are those of the atlas, `load_folder` reads `train/` in any case.

    A run that was interrupted is taken up where it stopped; a file is there in full or not at all. Samples are taken
    for the same by their ids, channels, labels and the first image.

    Args:
        samples: `Samples` of uint8 or uint16 images.
        root: the folder. It must not exist, be empty, or hold what an earlier call with the same arguments left.
        num_test: how many of the samples form the test set.
        verbose: 1 shows a progress bar, 0 does not.

    Raises:
        ValueError: if `num_test` is out of range, training samples have no labels or unknown ones, an image cannot be a
            PNG, or the folder holds something else.

    Example:
        >>> write_kaggle_folder(samples, "my-atlas", num_test=100)  # doctest: +SKIP
    """
    if isinstance(num_test, bool) or not isinstance(num_test, (int, np.integer)) or not 0 <= num_test <= len(samples):
        raise ValueError(f"`num_test` must be an integer in 0 to {len(samples)}. Received: {num_test!r}")
    num_train, root = len(samples) - int(num_test), Path(root)
    if samples.labels is None and num_train:
        raise ValueError(f"`samples` must have labels, but for the last `num_test`. Received: {samples!r}")
    ids, channels = check_names("samples.ids", samples.ids), check_names("samples.channels", samples.channels)
    targets = format_labels(samples.labels[:num_train]) if samples.labels is not None else []
    first = _check_image(samples, 0) if len(samples) else np.zeros((), np.uint8)
    settings = [list(ids), list(channels), targets]
    manifest = {
        "num_samples": len(samples),
        "first_id": ids[0] if ids else None,
        "image": f"{first.dtype} of shape {first.shape}",
        "num_test": int(num_test),
        "digest": hashlib.sha256(json.dumps(settings).encode() + first.tobytes()).hexdigest()[:16],
    }
    _check_folder(root, manifest)
    for path in root.rglob(".*"):
        if is_left_over(path):
            path.unlink()
    for folder in (root / "train", root / "test"):
        folder.mkdir(parents=True, exist_ok=True)
    _write(root / _MANIFEST, json.dumps(manifest).encode())
    _write(root / "train.csv", _to_csv("Target", zip(ids[:num_train], targets, strict=True)))
    _write(root / "sample_submission.csv", _to_csv("Predicted", ((id_, "0") for id_ in ids[num_train:])))

    progress = keras.utils.Progbar(len(samples), unit_name="sample", interval=1, verbose=verbose)
    for index, id_ in enumerate(ids):
        folder = root / ("train" if index < num_train else "test")
        paths = [folder / f"{id_}_{channel}.png" for channel in channels]
        if not all(path.exists() for path in paths):
            image = _check_image(samples, index)
            for channel, path in enumerate(paths):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, cv2.imencode(".png", image[..., channel])[1].tobytes())
        progress.update(index + 1)


def _check_image(samples: Samples, index: int) -> npt.NDArray:
    image = samples.read(index)
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"Images must be uint8 or uint16. Received: {image.dtype} for sample {samples.ids[index]!r}")
    return image


def _check_folder(root: Path, manifest: dict[str, Any]) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise ValueError(f"`root` must be a folder. Received: the file {root}")
    names = {path.name for path in root.iterdir() if not is_left_over(path)}
    if not names:
        return
    held = None if names - _CONTENTS else _read_manifest(root / _MANIFEST)
    if held is None:
        raise ValueError(
            f"`root` must be empty or hold what an earlier call left. Received: {root} with {sorted(names)}"
        )
    if held != manifest:
        wanted = {name: value for name, value in manifest.items() if held.get(name) != value}
        if len(wanted) > 1:
            del wanted["digest"]
        found = {name: held.get(name) for name in wanted}
        raise ValueError(
            f"`root` holds other samples than those with {wanted}: delete the folder or name another. "
            f"Received: {root} with {found}"
        )


def _read_manifest(path: Path) -> dict[str, Any] | None:
    """What an earlier call wrote; nothing if there is no such file or it holds something else."""
    try:
        manifest = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return manifest if isinstance(manifest, dict) else None


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _to_csv(column: str, rows: Iterable[tuple[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("Id", column))
    writer.writerows(rows)
    return text.getvalue().encode()
