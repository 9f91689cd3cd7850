"""Samples as a folder in the layout of the Kaggle challenge."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import read_sample
from keras_hpa.data.progress import Progress
from keras_hpa.data.sample_paths import check_names
from keras_hpa.data.samples import Samples
from keras_hpa.files import (
    LOCK,
    hold,
    is_left_over,
    make_folder,
    read_manifest,
    remove_left_over,
    write_bytes,
    write_csv,
    write_json,
)
from keras_hpa.labels import format_labels

_MANIFEST = "kaggle_folder.json"
_CONTENTS = {_MANIFEST, "train.csv", "sample_submission.csv", "train", "test"}
_FORMAT, _VERSION = "keras_hpa Kaggle folder", 1
_FIELDS = {"num_samples": int, "first_id": (str, None), "image": str, "num_test": int, "digest": str}


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
    import cv2

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
    with hold(root, wait=True):
        _check_folder(root, manifest)  # again: another may have written it
        write_json(root / _MANIFEST, _FORMAT, _VERSION, manifest)
        train = [("Id", "Target"), *zip(ids[:num_train], targets, strict=True)]
        test = [("Id", "Predicted"), *((id_, "0") for id_ in ids[num_train:])]
        write_csv(root / "train.csv", train, escape_formulas=False)  # ids must be read again as they are
        write_csv(root / "sample_submission.csv", test, escape_formulas=False)
        paths = [
            [root / ("train" if index < num_train else "test") / f"{id_}_{channel}.png" for channel in channels]
            for index, id_ in enumerate(ids)
        ]
        for folder in {root / "train", root / "test", *(path.parent for of_sample in paths for path in of_sample)}:
            make_folder(folder)
            remove_left_over(folder)
        progress = Progress(len(samples), verbose)
        for index, of_sample in enumerate(paths):
            if not all(path.exists() for path in of_sample):
                image = _check_image(samples, index)
                for channel, path in enumerate(of_sample):
                    write_bytes(path, cv2.imencode(".png", image[..., channel])[1].tobytes(), clean=False)
            progress.update(index + 1)


def _check_image(samples: Samples, index: int) -> npt.NDArray[Any]:
    image = read_sample(samples, index)
    if image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"Images must be uint8 or uint16. Received: {image.dtype} for sample {samples.ids[index]!r}")
    return image


def _check_folder(root: Path, manifest: dict[str, Any]) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise ValueError(f"`root` must be a folder. Received: the file {root}")
    names = {path.name for path in root.iterdir() if not is_left_over(path)} - {LOCK}
    if not names:
        return
    if names - _CONTENTS or not (root / _MANIFEST).exists():
        raise ValueError(
            f"`root` must be empty or hold what an earlier call left. Received: {root} with {sorted(names)}"
        )
    held = read_manifest(root / _MANIFEST, _FORMAT, {_VERSION: _FIELDS})
    if any(held[name] != value for name, value in manifest.items()):
        wanted = {name: value for name, value in manifest.items() if held[name] != value}
        if len(wanted) > 1:
            wanted.pop("digest", None)
        found = {name: held[name] for name in wanted}
        raise ValueError(
            f"`root` holds other samples than those with {wanted}: delete the folder or name another. "
            f"Received: {root} with {found}"
        )
