"""Any source as one memory map, read at the speed of memory."""

import math
import mmap
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.data.framing import Framing
from keras_hpa.data.pack_builder import IMAGES, PackBuilder, image_checksum, read_pack_manifest
from keras_hpa.data.source import Source

_NUM_CHECKED = 16


class PackedSource:
    """A source that was decoded and resized once and is read from one memory map from then on.

    Decoding is nearly all of the cost of reading an image. A pack pays it once: `PackedSource.build` writes the pixels
    of any source, in their own data type, into one file in the folder `path`, beside a manifest of what they are.

    Args:
        path: the folder of a pack that `PackedSource.build` has finished.
        verify: whether to check every image against its checksum. Without it 16 images are checked, and all of them
            once if the file was changed or copied since it was built (in a read-only folder, the 16 each time).

    Attributes:
        shape: `(num_samples, height, width, channels)`.
        dtype: the data type of the images.
        digest: of what the pack was made from.
        filled: the (id, channel) pairs that the source gave as zeros because they were missing.

    Raises:
        FileNotFoundError: if there is no finished pack.
        ValueError: if the pack is truncated or altered, or the folder holds something else; from `read` too, if the
            pack became shorter, or, where the object was sent to another process, another pack lies at its path.

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
        self.path = Path(path).absolute()
        self.verify = verify
        manifest = read_pack_manifest(self.path)
        self.ids: tuple[str, ...] = tuple(manifest["ids"])
        self.channels: tuple[str, ...] = tuple(manifest["channels"])
        self.shape: tuple[int, ...] = (len(self.ids), *manifest["shape"])
        self.dtype = np.dtype(manifest["dtype"])
        self.digest: str = manifest["digest"]
        self.filled = frozenset((sample_id, channel) for sample_id, channel in manifest["filled"])
        self._sha256: str = manifest["sha256"]
        self._open()
        self._check(manifest)

    @classmethod
    def build(
        cls,
        source: Source,
        path: str | os.PathLike[str],
        *,
        image_size: int | tuple[int, int] | None = None,
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        pixel_size: float | None = None,
        interpolation: Literal["area", "bilinear", "bicubic", "nearest"] = "area",
        workers: int | None = None,
        verbose: int = 1,
    ) -> "PackedSource":
        """Writes a pack of `source`, or opens the one that is there if it is of the same source.

        A source is the same if its ids, channels, size and interpolation agree, and its first, middle and last image.
        Changes in other images are not noticed: build into a new folder after changing images.

        A build that was interrupted, even killed, goes on where it stopped. While one process builds, others that want
        to build the same pack wait, say so in the log, and open it then. A finished pack is only read.

        Args:
            source: what to pack. All images must have one type, and one size unless `image_size` is given.
            path: a folder for the pack; it is made.
            image_size: height and width to which images are resized, or one number for both.
            fit: as in `MultiChannelSequence`.
            pixel_size: as in `MultiChannelSequence`.
            interpolation: as in `MultiChannelSequence`.
            workers: threads that read; one per core unless given.
            verbose: 1 shows a progress bar, beside it the size of the whole pack and the free space, in GB; 0 does not.

        Raises:
            ValueError: if the folder holds another pack or something else, or images do not have one size and type.
            OSError: if the disk has too little space.
        """
        framing = Framing(image_size, interpolation, fit, pixel_size)
        if not len(source):
            raise ValueError("`source` must have a sample at least. Received: none")
        builder = PackBuilder(source, Path(path).absolute(), framing)
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
        return self.__dict__ | {"_map": None, "_images": None}

    def read(self, index: int) -> npt.NDArray[Any]:
        """Gives one sample as a view of the memory map, which cannot be written to."""
        images = self._map
        if images is None:
            if read_pack_manifest(self.path)["sha256"] != self._sha256:
                raise ValueError(
                    f"`path` must hold the pack that was opened. Received: {os.fspath(self.path)!r}, built anew"
                )
            images = self._open()
        self._check_size(images.size())  # of a file that became shorter, no memory map can be read
        return self._images[index]

    def _open(self) -> mmap.mmap:
        with open(self.path / IMAGES, "rb") as file:
            self._check_size(os.fstat(file.fileno()).st_size)
            images = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._images = np.frombuffer(images, self.dtype).reshape(self.shape)
        self._map: mmap.mmap | None = images
        return images

    def _check_size(self, size: int) -> None:
        expected = math.prod(self.shape) * self.dtype.itemsize
        if size != expected:
            raise ValueError(
                f"`path` must hold a whole pack, {expected} bytes. "
                f"Received: {size} bytes in {os.fspath(self.path / IMAGES)!r}"
            )

    def _check(self, manifest: dict[str, Any]) -> None:
        """Checks a few images against their checksums; all if asked for, or once after the file was changed."""
        file = self.path / IMAGES
        is_changed = file.stat().st_mtime_ns != manifest["changed"]
        indices: Iterable[int] = np.unique(np.linspace(0, len(self) - 1, _NUM_CHECKED).astype(int)).tolist()
        if self.verify or (is_changed and os.access(file, os.W_OK)):
            indices = range(len(self))

        def check(index: int) -> None:
            if image_checksum(self.read(index)) != manifest["checksums"][index]:
                raise ValueError(
                    f"`path` must hold the pack that was built. Received: {os.fspath(self.path)!r}, where sample "
                    f"{self.ids[index]!r} was altered"
                )

        with ThreadPoolExecutor(os.cpu_count()) as executor:
            for _ in executor.map(check, indices):
                pass
        if is_changed:
            with suppress(OSError):  # of a folder that is only read, a few images are checked each time
                os.utime(file, ns=(file.stat().st_atime_ns, manifest["changed"]))
