"""Any source as one memory map, read at the speed of memory."""

import hashlib
import json
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
import numpy.typing as npt
from filelock import FileLock

from keras_hpa.data.resizing import INTERPOLATIONS, check_image_size, resize_image
from keras_hpa.data.source import Source

_FORMAT = "keras_hpa pack 1"
_IMAGES, _MANIFEST, _CHECKSUMS, _PLAN = "images.bin", "manifest.json", "checksums.bin", "plan.json"
_LOCK = ".lock"
_CHECKSUM = struct.Struct("<II")  # whether the image is there, and its CRC


class PackedSource:
    """A source that was decoded and resized once and is read from one memory map from then on.

    Decoding is nearly all of the cost of reading an image. A pack pays it once: `PackedSource.build` writes the pixels
    of any source, in their own data type, into one file in the folder `path`, beside a manifest of what they are.

    Args:
        path: the folder of a pack that `PackedSource.build` has finished.
        verify: whether to hold every image against its checksum. Without it this is done only if the file is not as
            it was left: another size is refused at once, another time of change makes it be verified.

    Attributes:
        shape: `(num_samples, height, width, channels)`.
        dtype: the data type of the images.
        digest: of what the pack was made from.
        filled: the (id, channel) pairs that the source gave as zeros because they were missing.

    Raises:
        FileNotFoundError: if there is no finished pack.
        ValueError: if the pack is truncated or altered, or the folder holds something else.

    Example:
        >>> import tempfile
        >>> from keras_hpa import ArraySource
        >>> folder = tempfile.TemporaryDirectory()
        >>> source = ArraySource(np.zeros((3, 8, 8, 4), "uint8"))
        >>> packed = PackedSource.build(source, folder.name + "/pack", image_size=4, verbose=0)
        >>> packed.shape, packed.read(2).shape
        ((3, 4, 4, 4), (4, 4, 4))
        >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str], *, verify: bool = False):
        self.path = Path(path)
        self.verify = verify
        manifest = _read_manifest(self.path)
        self.ids: tuple[str, ...] = tuple(manifest["ids"])
        self.channels: tuple[str, ...] = tuple(manifest["channels"])
        self.shape: tuple[int, ...] = (len(self.ids), *manifest["shape"])
        self.dtype = np.dtype(manifest["dtype"])
        self.digest: str = manifest["digest"]
        self.filled = frozenset((sample_id, channel) for sample_id, channel in manifest.get("filled", ()))
        self._images: npt.NDArray | None = None
        status = (self.path / _IMAGES).stat()
        expected = int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize
        if status.st_size != expected:
            raise ValueError(
                f"`path` must hold a whole pack, {expected} bytes. "
                f"Received: {status.st_size} bytes in {os.fspath(self.path / _IMAGES)!r}"
            )
        if verify or status.st_mtime_ns != manifest["changed"]:
            self._verify(manifest["checksums"])

    @classmethod
    def build(
        cls,
        source: Source,
        path: str | os.PathLike[str],
        *,
        image_size: int | tuple[int, int] | None = None,
        interpolation: str = "area",
        workers: int | None = None,
        verbose: int = 1,
    ) -> "PackedSource":
        """Writes a pack of `source`, or opens the one that is there if it is of the same source.

        The same are ids, channels, size, interpolation, and the first, the middle and the last image; whether another
        image has changed is not looked at. Build into a new folder after changing images.

        A build that was interrupted, even killed, goes on where it stopped. While one process builds, others that want
        to build the same pack wait, and open it then.

        Args:
            source: what to pack. All images must have one type, and one size unless `image_size` is given.
            path: a folder for the pack; it is made.
            image_size: height and width to which images are resized, or one number for both.
            interpolation: as in `MultiChannelSequence`.
            workers: threads that read; one per core unless given.
            verbose: 1 shows a progress bar, beside it the size of the whole pack and the free space, in GB; 0 does not.

        Raises:
            ValueError: if the folder holds another pack or something else, or images do not have one size and type.
            OSError: if the disk has too little space.
        """
        size = None if image_size is None else check_image_size(image_size)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f"`interpolation` must be one of {sorted(INTERPOLATIONS)}. Received: {interpolation!r}")
        if not len(source):
            raise ValueError("`source` must have a sample at least. Received: none")
        path = Path(path)
        builder = _Builder(source, path, size, interpolation)
        path.mkdir(parents=True, exist_ok=True)
        with FileLock(path / _LOCK):
            if not (path / _MANIFEST).exists():
                builder.build(workers or os.cpu_count() or 1, verbose)
            packed = cls(path)
        if packed.digest != builder.plan["digest"]:
            raise ValueError(
                f"`path` must be a new folder, or hold a pack of the same source, size and interpolation. "
                f"Received: {os.fspath(path)!r}, which holds another pack"
            )
        return packed

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"PackedSource({os.fspath(self.path)!r}, {self.dtype} of shape {self.shape}, channels={self.channels})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_images": None}

    def read(self, index: int) -> npt.NDArray:
        """Gives one sample as a view of the memory map, which cannot be written to."""
        if self._images is None:
            self._images = np.asarray(np.memmap(self.path / _IMAGES, self.dtype, "r", shape=self.shape))
        return self._images[index]

    def _verify(self, checksums: Sequence[int]) -> None:
        def check(index: int) -> None:
            if zlib.crc32(self.read(index).data) != checksums[index]:
                raise ValueError(
                    f"`path` must hold the pack that was built. Received: {os.fspath(self.path)!r}, where sample "
                    f"{self.ids[index]!r} was altered"
                )

        with ThreadPoolExecutor(os.cpu_count()) as executor:
            for _ in executor.map(check, range(len(self))):
                pass


class _Builder:
    """Writes images and their checksums, first the one and then the other, so that what has a checksum is there."""

    def __init__(self, source: Source, path: Path, size: tuple[int, ...] | None, interpolation: str):
        self.source = source
        self.path = path
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.interpolation = interpolation
        first = self._image(0)
        self.shape, self.dtype = first.shape, first.dtype
        self.num_bytes = first.nbytes
        self.plan = {
            "format": _FORMAT,
            "ids": list(source.ids),
            "channels": list(source.channels),
            "shape": list(first.shape),
            "dtype": first.dtype.str,
            "digest": self._digest(),
        }

    def build(self, workers: int, verbose: int) -> None:
        self._check_folder()
        num_samples = len(self.source)
        lock = threading.Lock()
        with (
            open(self.path / _IMAGES, "r+b", buffering=0) as images,
            open(self.path / _CHECKSUMS, "r+b", buffering=0) as checksums,
        ):
            done = self._done(images, checksums)
            free = self._check_space(num_samples - sum(done))
            images.truncate(num_samples * self.num_bytes)
            checksums.truncate(num_samples * _CHECKSUM.size)
            sizes = [("GB in all", num_samples * self.num_bytes / 1e9), ("GB free before", free / 1e9)]
            names = [name for name, _ in sizes]
            progress = keras.utils.Progbar(num_samples, unit_name="sample", verbose=verbose, stateful_metrics=names)
            count = sum(done)
            progress.update(count, sizes)

            def write(index: int) -> None:
                image = self._image(index)
                if (image.shape, image.dtype) != (self.shape, self.dtype):
                    raise ValueError(
                        "All samples must have one size and one type, unless `image_size` is given for sizes. "
                        f"Received: sample {self.source.ids[index]!r}: {image.dtype} of shape {image.shape}, but "
                        f"sample {self.source.ids[0]!r}: {self.dtype} of shape {self.shape}"
                    )
                content = np.ascontiguousarray(image).data.cast("B")
                record = _CHECKSUM.pack(1, zlib.crc32(content))
                with lock:
                    _write_at(images, content, index * self.num_bytes)
                    _write_at(checksums, memoryview(record), index * _CHECKSUM.size)

            with ThreadPoolExecutor(workers) as executor:
                try:
                    for _ in executor.map(write, [index for index in range(num_samples) if not done[index]]):
                        count += 1
                        progress.update(count, sizes)
                except BaseException:
                    executor.shutdown(cancel_futures=True)
                    raise
            os.fsync(images.fileno())
            checksums.seek(0)
            sums = [checksum for _, checksum in _CHECKSUM.iter_unpack(checksums.read())]
            changed = os.fstat(images.fileno()).st_mtime_ns
        filled = sorted(getattr(self.source, "filled", ()))
        _write_manifest(self.path, self.plan | {"checksums": sums, "changed": changed, "filled": filled})
        (self.path / _CHECKSUMS).unlink()
        (self.path / _PLAN).unlink()

    def _image(self, index: int) -> npt.NDArray:
        image = self.source.read(index)
        return image if self.size is None else resize_image(image, self.size, self.interpolation)

    def _digest(self) -> str:
        """Of ids, channels, size and interpolation, and of what the first, middle and last image are."""
        num_samples = len(self.source)
        parts = [list(self.source.ids), list(self.source.channels), self.size, self.interpolation]
        digest = hashlib.sha256(json.dumps(parts).encode())
        for index in sorted({0, num_samples // 2, num_samples - 1}):
            image = np.ascontiguousarray(self.source.read(index))
            digest.update(f"{image.dtype.str} {image.shape}".encode())
            digest.update(image.data)
        return digest.hexdigest()

    def _check_folder(self) -> None:
        """Goes on with a build of the same source; refuses a folder with anything else in it."""
        present = {entry.name for entry in self.path.iterdir()}
        if not present - {_LOCK, f".{_PLAN}"}:  # new, or killed before it had a plan
            _write_json(self.path / _PLAN, self.plan)
        try:
            plan = json.loads((self.path / _PLAN).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            plan = None
        if plan != self.plan:
            raise ValueError(
                "`path` must be a new folder, or hold an unfinished pack of the same source, size and interpolation. "
                f"Received: {os.fspath(self.path)!r}, which holds {sorted(present)[:5]}"
            )
        (self.path / _IMAGES).touch()
        (self.path / _CHECKSUMS).touch()

    def _done(self, images: BinaryIO, checksums: BinaryIO) -> list[bool]:
        """Which images an interrupted build wrote whole."""
        records = list(_CHECKSUM.iter_unpack(checksums.read(_CHECKSUM.size * len(self.source)) or b""))
        done = [False] * len(self.source)
        for index, (is_there, checksum) in enumerate(records):
            if is_there:
                images.seek(index * self.num_bytes)
                content = images.read(self.num_bytes)
                done[index] = len(content) == self.num_bytes and zlib.crc32(content) == checksum
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


def _write_json(path: Path, value: object) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(value), "utf-8")
    os.replace(temporary, path)


def _write_manifest(path: Path, manifest: dict[str, Any]) -> None:
    text = json.dumps(manifest)
    _write_json(path / _MANIFEST, {"manifest": text, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def _read_manifest(path: Path) -> dict[str, Any]:
    if not (path / _MANIFEST).is_file() or not (path / _IMAGES).is_file():
        raise FileNotFoundError(f"There is no finished pack in {os.fspath(path)!r}")
    try:
        outer = json.loads((path / _MANIFEST).read_text("utf-8"))
        if hashlib.sha256(outer["manifest"].encode()).hexdigest() != outer["sha256"]:
            raise ValueError("its digest is wrong")
        manifest = json.loads(outer["manifest"])
        if manifest["format"] != _FORMAT:
            raise ValueError(f"its format is {manifest['format']!r}, not {_FORMAT!r}")
        if np.dtype(manifest["dtype"]).kind not in "iuf" or len(manifest["checksums"]) != len(manifest["ids"]):
            raise ValueError("it contradicts itself")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"`path` must hold a pack. Received: {os.fspath(path)!r}, whose manifest is damaged or foreign ({error})"
        ) from None
    return manifest
