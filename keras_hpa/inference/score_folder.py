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

from keras_hpa.files import replacing

_FORMAT = "keras_hpa scores 1"
_MANIFEST, _SCORES = "manifest.json", "scores.npy"


class ScoreFolder:
    """A folder with `scores.npy`, one row per sample, and `manifest.json`, which records what they were computed from.

    Missing scores are NaN and rows are written in place, so there is no second record to keep consistent: a run that
    is killed at any moment has finished the rows before the first one that contains a NaN.

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
        if (self.path / _MANIFEST).exists():
            self._check_manifest()
            if (self.path / _SCORES).exists():
                self._open()
        elif self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
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
        assert self._scores is not None
        if rows.shape[1] != self._scores.shape[1]:
            raise ValueError(
                f"`model` must give the {self._scores.shape[1]} classes of {os.fspath(self.path)!r}. "
                f"Received: {rows.shape[1]}"
            )
        self._scores[start : start + len(rows)] = rows
        self._scores.flush()  # type: ignore[attr-defined]

    def _create(self, num_classes: int) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        manifest = {"format": _FORMAT, "settings": self.settings, "ids": self.ids}
        with replacing(self.path / _MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        with replacing(self.path / _SCORES) as temporary:
            np.save(temporary, np.full((len(self.ids), num_classes), np.nan, np.float32))
        self._open()

    def _open(self) -> None:
        path = self.path / _SCORES
        try:
            np.lib.format.open_memmap(path, mode="r")  # "r+" would fill up a truncated file with zeros
            scores = np.lib.format.open_memmap(path, mode="r+")
        except ValueError as error:
            raise ValueError(f"`path` must hold scores. Received: {os.fspath(path)!r}: {error}") from error
        if scores.dtype != np.float32 or scores.ndim != 2 or len(scores) != len(self.ids):
            raise ValueError(
                f"`path` must hold float32 scores of {len(self.ids)} samples. "
                f"Received: {scores.dtype} of shape {scores.shape} in {os.fspath(path)!r}"
            )
        self._scores = scores

    def _check_manifest(self) -> None:
        path = self.path / _MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"`path` must be a folder with scores. Received: {os.fspath(path)!r}, no JSON") from error
        if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
            raise ValueError(f"`path` must hold a {_FORMAT!r}. Received: {os.fspath(path)!r} with another content")
        before = manifest["settings"]
        changed = sorted(name for name in self.settings if self.settings[name] != before.get(name))
        if changed:
            raise ValueError(
                f"`path` must hold scores made with the same settings: {os.fspath(self.path)!r} was made with "
                f"{ {name: before.get(name) for name in changed} }. Use these again, or another folder. "
                f"Received: { {name: self.settings[name] for name in changed} }"
            )
        self.settings = before | self.settings
        if self.ids != manifest["ids"]:
            both = list(zip(self.ids, manifest["ids"], strict=False))
            first = next((place for place, (one, other) in enumerate(both) if one != other), len(both))
            raise ValueError(
                f"`sequence` must have the samples of {os.fspath(self.path)!r}, {len(manifest['ids'])} from "
                f"{manifest['ids'][0]!r} on, in their order. "
                f"Received: {len(self.ids)} samples, the first different one at place {first}"
            )


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
