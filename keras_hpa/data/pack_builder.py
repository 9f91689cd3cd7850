"""Writing a pack, which can be interrupted at any moment, and reading what its manifest says."""

import hashlib
import json
import os
import shutil
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from keras_hpa.data.batch_recipe import naming_sample, read_sample
from keras_hpa.data.framing import Framing
from keras_hpa.data.progress import Progress
from keras_hpa.data.source import Source, check_ids
from keras_hpa.files import (
    LOCK,
    flush,
    hold,
    is_left_over,
    not_as_expected,
    read_manifest,
    remove_left_over,
    write_json,
)

IMAGES, MANIFEST = "images.bin", "manifest.json"
_CHECKSUMS, _PLAN = "checksums.bin", "plan.json"
_CHECKSUM = struct.Struct("<II")  # whether the image is there, and its CRC
_FORMAT, _VERSION = "keras_hpa pack", 1
_DTYPES = {np.dtype(order + code).str for order in "<>" for code in "bBhHiIqQefdg"}
_SIZE = range(1, 2**31)
_PLANNED = {"ids": [str], "channels": [str], "shape": [_SIZE], "dtype": str, "digest": str}
_FINISHED = {
    **_PLANNED,
    "checksums": [range(2**32)],
    "changed": range(-(2**63), 2**63),
    "filled": [[str]],
    "sha256": str,
}


def read_pack_manifest(path: Path) -> dict[str, Any]:
    """Reads the manifest of a finished pack.

    Raises:
        FileNotFoundError: if there is no finished pack.
        ValueError: if the manifest is damaged, foreign, or contradicts itself.
    """
    if not (path / MANIFEST).is_file() or not (path / IMAGES).is_file():
        raise FileNotFoundError(f"There is no finished pack in {os.fspath(path)!r}")
    manifest = read_manifest(path / MANIFEST, _FORMAT, {_VERSION: _FINISHED})
    ids, channels, shape = manifest["ids"], manifest["channels"], manifest["shape"]
    for field, is_right, expected in (
        ("sha256", manifest["sha256"] == _sha256(manifest), "the digest of the other fields"),
        ("ids", ids and len(set(ids)) == len(ids), "different ids"),
        ("channels", len(set(channels)) == len(channels), "different names"),
        ("shape", len(shape) == 3 and shape[2] == len(channels), "height, width and the number of channels"),
        ("dtype", manifest["dtype"] in _DTYPES, "a type of numbers"),
        ("checksums", len(manifest["checksums"]) == len(ids), "one number per id"),
        ("filled", all(len(pair) == 2 for pair in manifest["filled"]), "pairs of an id and a channel"),
    ):
        if not is_right:
            raise not_as_expected(path / MANIFEST, field, expected, manifest[field])
    return manifest


def image_checksum(image: npt.NDArray[Any]) -> int:
    """Of the pixels, their type and their shape."""
    about = f"{image.dtype.str} {image.shape}".encode()
    return zlib.crc32(np.ascontiguousarray(image).data, zlib.crc32(about))


class PackBuilder:
    """Writes images and their checksums, first the one and then the other, so that what has a checksum is there."""

    def __init__(self, source: Source, path: Path, framing: Framing):
        self.source = source
        self.path = path
        self.framing = framing
        first = self._image(0)
        self.shape, self.dtype = first.shape, first.dtype
        self.num_bytes = first.nbytes
        self.plan = {
            "ids": list(check_ids(source)),
            "channels": list(source.channels),
            "shape": list(first.shape),
            "dtype": first.dtype.str,
            "digest": self._digest(),
        }

    def build(self, workers: int, verbose: int) -> None:
        """Builds the pack, or what is missing of it; returns at once if it is finished."""
        finished = (self.path / MANIFEST).exists()
        if finished and not ((self.path / _PLAN).exists() and os.access(self.path, os.W_OK)):
            return
        if not finished:
            self._check_folder()  # before there is a lock in a folder of something else
        with hold(self.path, wait=True):
            if not (self.path / MANIFEST).exists():
                self._build(workers, verbose)
            (self.path / _CHECKSUMS).unlink(missing_ok=True)
            (self.path / _PLAN).unlink(missing_ok=True)
            remove_left_over(self.path)

    def _build(self, workers: int, verbose: int) -> None:
        if self._check_folder():
            write_json(self.path / _PLAN, _FORMAT, _VERSION, self.plan)
        (self.path / IMAGES).touch()
        (self.path / _CHECKSUMS).touch()
        num_samples = len(self.source)
        lock = threading.Lock()
        with (
            open(self.path / IMAGES, "r+b", buffering=0) as images,
            open(self.path / _CHECKSUMS, "r+b", buffering=0) as checksums,
        ):
            done = self._done(images, checksums)
            free = self._check_space(num_samples - sum(done))
            images.truncate(num_samples * self.num_bytes)
            checksums.truncate(num_samples * _CHECKSUM.size)
            count = sum(done)
            sizes = f"{num_samples * self.num_bytes / 1e9:.4g} GB in all, {free / 1e9:.4g} GB free before"
            progress = Progress(num_samples, verbose, about=sizes)
            progress.update(count)

            def write(index: int) -> None:
                image = self._image(index)
                if (image.shape, image.dtype) != (self.shape, self.dtype):
                    raise ValueError(
                        "All samples must have one size and one type, unless `image_size` is given for sizes. "
                        f"Received: sample {self.source.ids[index]!r}: {image.dtype} of shape {image.shape}, but "
                        f"sample {self.source.ids[0]!r}: {self.dtype} of shape {self.shape}"
                    )
                content = np.ascontiguousarray(image).data.cast("B")
                record = _CHECKSUM.pack(1, image_checksum(image))
                with lock:
                    _write_at(images, content, index * self.num_bytes)
                    _write_at(checksums, memoryview(record), index * _CHECKSUM.size)

            with ThreadPoolExecutor(workers) as executor:
                try:
                    for _ in executor.map(write, [index for index in range(num_samples) if not done[index]]):
                        count += 1
                        progress.update(count)
                except BaseException:
                    executor.shutdown(cancel_futures=True)
                    raise
            checksums.seek(0)
            sums = [checksum for _, checksum in _CHECKSUM.iter_unpack(checksums.read())]
        flush(self.path / IMAGES)
        filled = sorted(list(pair) for pair in getattr(self.source, "filled", ()))
        finished = self.plan | {"checksums": sums, "changed": (self.path / IMAGES).stat().st_mtime_ns, "filled": filled}
        write_json(self.path / MANIFEST, _FORMAT, _VERSION, finished | {"sha256": _sha256(finished)})

    def _image(self, index: int) -> npt.NDArray[Any]:
        image = read_sample(self.source, index)
        with naming_sample(self.source, index, "Resizing"):
            return self.framing(image, self.source, index)

    def _digest(self) -> str:
        """Of ids, channels, size and interpolation, and of what the first, middle and last image are."""
        num_samples = len(self.source)
        framing = self.framing
        parts: list[Any] = [
            list(self.source.ids),
            list(self.source.channels),
            framing.image_size,
            framing.interpolation,
        ]
        if (framing.fit, framing.pixel_size) != ("stretch", None):
            parts += [framing.fit, framing.pixel_size]
        digest = hashlib.sha256(json.dumps(parts).encode())
        for index in sorted({0, num_samples // 2, num_samples - 1}):
            image = np.ascontiguousarray(read_sample(self.source, index))
            digest.update(f"{image.dtype.str} {image.shape}".encode())
            digest.update(image.data)
        return digest.hexdigest()

    def _check_folder(self) -> bool:
        """Whether the folder is new; refuses one with anything but an unfinished pack of the same source in it."""
        present = {entry.name for entry in self.path.glob("*") if not is_left_over(entry)} - {LOCK}
        if not present:  # new, or killed before it had a plan
            return True
        plan = None
        with suppress(FileNotFoundError):
            plan = read_manifest(self.path / _PLAN, _FORMAT, {_VERSION: _PLANNED})
        if plan != {"format": _FORMAT, "version": _VERSION, **self.plan} and not (self.path / MANIFEST).exists():
            raise ValueError(
                "`path` must be a new folder, or hold an unfinished pack of the same source, size and interpolation. "
                f"Received: {os.fspath(self.path)!r}, which holds {sorted(present)[:5]}"
            )
        return False

    def _done(self, images: BinaryIO, checksums: BinaryIO) -> list[bool]:
        """Which images an interrupted build wrote whole."""
        records = checksums.read(_CHECKSUM.size * len(self.source))
        done = [False] * len(self.source)
        for index in range(len(records) // _CHECKSUM.size):
            is_there, checksum = _CHECKSUM.unpack_from(records, index * _CHECKSUM.size)
            if is_there:
                images.seek(index * self.num_bytes)
                content = images.read(self.num_bytes)
                if len(content) == self.num_bytes:
                    done[index] = image_checksum(np.frombuffer(content, self.dtype).reshape(self.shape)) == checksum
        return done

    def _check_space(self, num_samples: int) -> int:
        needed, free = num_samples * self.num_bytes, shutil.disk_usage(self.path).free
        if needed > free:
            raise OSError(f"`path` must have {needed} bytes free. Received: {free} at {os.fspath(self.path)!r}")
        return free


def _write_at(file: BinaryIO, content: memoryview, position: int) -> None:
    file.seek(position)
    while content:
        content = content[file.write(content) :]


def _sha256(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(
        json.dumps([manifest[field] for field in _FINISHED if field not in ("changed", "sha256")]).encode()
    ).hexdigest()
