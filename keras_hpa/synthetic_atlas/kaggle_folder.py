"""Writing drawn samples to disk in the layout of the Kaggle challenge."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras

from keras_hpa.files import is_left_over, replacing
from keras_hpa.labels import format_labels

if TYPE_CHECKING:
    from keras_hpa.synthetic_atlas.synthetic_atlas import SyntheticAtlas

_MANIFEST = "synthetic_atlas.json"
_CONTENTS = {_MANIFEST, "train.csv", "sample_submission.csv", "train", "test"}


def save_kaggle_folder(source: "SyntheticAtlas", root: Path, *, num_test: int) -> None:
    """Writes `source` below `root`; see `SyntheticAtlas.save`."""
    if num_test > len(source):
        raise ValueError(f"`num_test` must be at most {len(source)}, the number of samples. Received: {num_test}")
    manifest = {
        "num_samples": len(source),
        "image_size": list(source.image_size),
        "seed": source.seed,
        "balance": source.balance,
        "wrong_labels": source.wrong_labels,
        "num_test": num_test,
    }
    _check_folder(root, manifest)
    for path in root.rglob(".*"):
        if is_left_over(path):
            path.unlink()
    num_train = len(source) - num_test
    for folder in (root / "train", root / "test"):
        folder.mkdir(parents=True, exist_ok=True)
    _write(root / _MANIFEST, json.dumps(manifest).encode())
    targets = format_labels(source.labels[:num_train])
    _write(root / "train.csv", _to_csv("Target", zip(source.ids[:num_train], targets, strict=True)))
    _write(root / "sample_submission.csv", _to_csv("Predicted", ((id_, "0") for id_ in source.ids[num_train:])))

    progress = keras.utils.Progbar(len(source), unit_name="sample", interval=1)
    for index, id_ in enumerate(source.ids):
        folder = root / ("train" if index < num_train else "test")
        paths = [folder / f"{id_}_{channel}.png" for channel in source.channels]
        if not all(path.exists() for path in paths):
            image = source.read(index)
            for channel, path in enumerate(paths):
                _write(path, cv2.imencode(".png", image[..., channel])[1].tobytes())
        progress.update(index + 1)


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
            f"`root` must be empty or hold what an earlier `save` left. Received: {root} with {sorted(names)}"
        )
    if held != manifest:
        wanted = {name: value for name, value in manifest.items() if held.get(name) != value}
        found = {name: held.get(name) for name in wanted}
        raise ValueError(
            f"`root` holds samples of other settings than {wanted}: delete the folder or name another. "
            f"Received: {root} with {found}"
        )


def _read_manifest(path: Path) -> dict[str, Any] | None:
    """What an earlier `save` wrote; nothing if there is no such file or it holds something else."""
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
