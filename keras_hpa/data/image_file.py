"""Opening an image's file: a regular file only, and nothing outside the folder that it must lie in."""

import contextlib
import os
import stat
from typing import BinaryIO

from keras_hpa.data.image_content import SPARE_BYTES, Unreadable

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\x93NUMPY": "NPY",
    b"\x1f\x8b": "gzip file",
    b"GIF8": "GIF",
    b"BM": "BMP",
}
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a FIFO must not make us wait
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_file(path: str, root: str | None) -> BinaryIO:
    """Opens a regular file for reading; one that lies below `root`, links included, if a root is given."""
    descriptor = os.open(path, _FILE) if root is None else _open_below(path, root)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unreadable("it is not a file")
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def check_signature(file: BinaryIO, wanted: str) -> int:
    """Refuses what does not begin as its name says; gives how many bytes there are."""
    start = file.read(8)
    if not start:
        raise Unreadable("it is empty")
    kind = next((kind for start_of, kind in _SIGNATURES.items() if start.startswith(start_of)), None)
    if kind != wanted:
        raise Unreadable(f"it is not a {wanted} as its name says, but {kind or 'of no known format'}")
    return file.seek(0, os.SEEK_END)


def check_size(size: int, num_bytes: int) -> None:
    """Refuses a file that is far larger than its image, which would have to be read for nothing."""
    if size > 2 * num_bytes + SPARE_BYTES:
        raise Unreadable(f"it has {size} bytes, but its image {num_bytes}")


def _open_below(path: str, root: str) -> int:
    """Opens name by name without following a link; where there are links, they are resolved first.

    What is exchanged for a link meanwhile is refused.
    """
    start = os.path.join(root, "")
    names = path[len(start) :].split(os.sep)
    if os.open in os.supports_dir_fd and path.startswith(start) and not {"", os.curdir, os.pardir} & {*names}:
        with contextlib.suppress(OSError):  # a link, or what is not there, which is found out again
            return _open_names(root, names)
    real_root, real_path = os.path.realpath(root), os.path.realpath(path)
    if not real_path.startswith(os.path.join(real_root, "")):
        raise Unreadable("it must lie below `root`, links included")
    if os.open not in os.supports_dir_fd:
        return _open_and_look_again(path, real_path)
    return _open_names(real_root, os.path.relpath(real_path, real_root).split(os.sep))


def _open_names(root: str, names: list[str]) -> int:
    *folders, name = names
    folder = os.open(root, _DIRECTORY)
    try:
        for inner in folders:
            outer, folder = folder, os.open(inner, _DIRECTORY | _NO_LINK, dir_fd=folder)
            os.close(outer)
        return os.open(name, _FILE | _NO_LINK, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_look_again(path: str, real_path: str) -> int:
    """For systems without descriptors of folders: the path must lead to the same file after opening as before."""
    descriptor = os.open(real_path, _FILE)
    if os.path.realpath(path) != real_path or not os.path.samestat(os.fstat(descriptor), os.lstat(real_path)):
        os.close(descriptor)
        raise Unreadable("it was exchanged while it was opened")
    return descriptor
