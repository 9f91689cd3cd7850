"""Scores in a folder, from which an interrupted run continues."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.files import (
    LOCK,
    is_left_over,
    make_folder,
    not_as_expected,
    read_manifest,
    refuse_changes,
    remove_left_over,
    replacing,
    write_json,
)

_FORMAT, _VERSION = "keras_hpa scores", 1
_FIELDS = {"settings": {str: object}, "ids": [str]}
_MANIFEST, _SCORES = "manifest.json", "scores.npy"


class ScoreFolder:
    """A folder with `scores.npy`, one row per sample, and `manifest.json`, which records what they were computed from.

    Missing scores are NaN and rows are written in place, so there is no second record to keep consistent: a run that
    is killed at any moment has finished the rows before the first one that contains a NaN. Who writes holds the
    folder's lock (`files.hold`).

    Args:
        path: the folder; created when scores are first written.
        ids: the samples.
        settings: what the scores depend on, as values that JSON can hold.

    Attributes:
        settings: the same, and what else the manifest records.

    Raises:
        ValueError: if the folder holds scores of other samples or settings, or something else.
    """

    def __init__(self, path: str | os.PathLike[str], *, ids: Sequence[str], settings: dict[str, Any]):
        self.path = Path(path).absolute()  # the working directory may change before the last row
        self.ids = list(ids)
        self.settings = json.loads(json.dumps(settings, default=float))
        self._scores: npt.NDArray[np.float32] | None = None
        self._can_write = False
        if (self.path / _MANIFEST).exists():
            self._check_manifest()
            if (self.path / _SCORES).exists():
                self._open()
        elif self.path.exists() and (not self.path.is_dir() or any(map(_is_foreign, self.path.iterdir()))):
            raise ValueError(f"`path` must be a new folder or one with scores. Received: {os.fspath(path)!r}")

    @property
    def num_done(self) -> int:
        """The number of finished rows before the first missing one."""
        if self._scores is None:
            return 0
        missing = np.isnan(self._scores).any(axis=1)
        return int(missing.argmax()) if missing.any() else len(self._scores)

    def read(self, stop: int | None = None) -> npt.NDArray[np.float32]:
        """Gives the scores of the first `stop` samples, or of all."""
        assert self._scores is not None
        return np.array(self._scores[:stop])

    def write(self, start: int, rows: npt.NDArray[np.float32]) -> None:
        """Writes rows from row `start` on; they have reached the disk when it returns."""
        if self._scores is None:
            self._create(rows.shape[1])
        if not self._can_write:
            self._scores = np.lib.format.open_memmap(self.path / _SCORES, mode="r+")
            self._can_write = True
            remove_left_over(self.path)
        assert self._scores is not None
        if rows.shape[1] != self._scores.shape[1]:
            raise ValueError(
                f"`model` must give the {self._scores.shape[1]} classes of {os.fspath(self.path)!r}. "
                f"Received: {rows.shape[1]}"
            )
        self._scores[start : start + len(rows)] = rows
        self._scores.flush()  # type: ignore[attr-defined]

    def _create(self, num_classes: int) -> None:
        make_folder(self.path)
        write_json(self.path / _MANIFEST, _FORMAT, _VERSION, {"settings": self.settings, "ids": self.ids})
        with replacing(self.path / _SCORES) as temporary:
            np.save(temporary, np.full((len(self.ids), num_classes), np.nan, np.float32))
        self._open()

    def _open(self) -> None:
        path = self.path / _SCORES
        try:
            scores = np.lib.format.open_memmap(path, mode="r")  # "r+" would fill up a truncated file with zeros
        except (ValueError, OverflowError, MemoryError) as error:
            raise ValueError(f"`path` must hold scores. Received: {os.fspath(path)!r}: {error}") from error
        if scores.dtype != np.float32 or scores.ndim != 2 or len(scores) != len(self.ids):
            raise ValueError(
                f"`path` must hold float32 scores of {len(self.ids)} samples. "
                f"Received: {scores.dtype} of shape {scores.shape} in {os.fspath(path)!r}"
            )
        self._scores = scores

    @property
    def is_finished(self) -> bool:
        return self.num_done == len(self.ids) and self._scores is not None

    def _check_manifest(self) -> None:
        manifest = read_manifest(self.path / _MANIFEST, _FORMAT, {_VERSION: _FIELDS})
        before = manifest["settings"]
        if not isinstance(before.get("first_images", []), list):
            raise not_as_expected(self.path / _MANIFEST, "settings.first_images", "a list", before["first_images"])
        refuse_changes("path", self.path, before, self.settings)
        self.settings = before | self.settings
        if self.ids != manifest["ids"]:
            both = list(zip(self.ids, manifest["ids"], strict=False))
            first = next((place for place, (one, other) in enumerate(both) if one != other), len(both))
            raise ValueError(
                f"`sequence` must have the samples of {os.fspath(self.path)!r}, {len(manifest['ids'])} from "
                f"{manifest['ids'][:1]} on, in their order. "
                f"Received: {len(self.ids)} samples, the first different one at place {first}"
            )


def _is_foreign(path: Path) -> bool:
    return path.name != LOCK and not is_left_over(path)


def weights_digest(model: keras.Model) -> str:
    """Gives a digest of a model's weights: their values, types and shapes, not the names of layers."""
    digest = hashlib.sha256()
    for weight in model.weights:
        value = np.ascontiguousarray(keras.ops.convert_to_numpy(weight.value))
        digest.update(f"{value.dtype}{value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()


def image_digests(images: npt.NDArray[Any]) -> list[str]:
    """Gives a digest of the pixels of each image of a batch."""
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
