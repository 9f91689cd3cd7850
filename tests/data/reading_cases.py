"""What files may hold, and what must be read: the table behind tests/data/test_reading_faults.py and its page."""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

PRESENT = "Whole, or an error"
AXES = "Axes"
IMAGES = "Several images in one file"
COLOURS = "Colours, bits and orientation"
ORDER = "Byte order and types"
HOSTILE = "Size and hostile files"
SUBJECTS = (PRESENT, AXES, IMAGES, COLOURS, ORDER, HOSTILE)

Written = tuple[Path, np.ndarray | None]


@dataclass(frozen=True)
class Case:
    """One file and what becomes of it.

    Attributes:
        subject: one of `SUBJECTS`.
        format: of the file.
        what: what is in the file.
        write: writes it into a folder; gives its path, and the array that must be read, `None` where it is refused.
        becomes: what the array is, in words; or the words with which the file is refused.
    """

    subject: str
    format: str
    what: str
    write: Callable[[Path], Written]
    becomes: str
    is_refused: bool


CASES: list[Case] = []


def reads(subject: str, format: str, what: str, becomes: str) -> Callable:
    """Registers the function that writes the file."""
    return _registered(subject, format, what, becomes, is_refused=False)


def refuses(subject: str, format: str, what: str, message: str) -> Callable:
    return _registered(subject, format, what, message, is_refused=True)


def _registered(subject: str, format: str, what: str, becomes: str, *, is_refused: bool) -> Callable:
    def register(write: Callable[[Path], Written]) -> Callable[[Path], Written]:
        CASES.append(Case(subject, format, what, write, becomes, is_refused))
        return write

    return register


def noise(*shape: int, dtype: str = "uint16") -> np.ndarray:
    rng = np.random.default_rng(len(shape))
    if np.dtype(dtype).kind == "f":
        return rng.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, size=shape, endpoint=True, dtype=dtype)


def smooth(height: int = 32, width: int = 48) -> np.ndarray:
    """What JPEG keeps nearly as it is."""
    return np.add.outer(np.arange(height) * 3, np.arange(width) * 2).astype(np.uint8)


def last(image: np.ndarray) -> np.ndarray:
    return np.moveaxis(image, 0, -1)


def tiff(path: Path, image: np.ndarray, **options: object) -> Path:
    tifffile.imwrite(path, image, **({"photometric": "minisblack"} | options))
    return path


def pages(path: Path, images: list[np.ndarray], **options: object) -> Path:
    """Writes pages one by one, as a program does that knows of one image at a time."""
    with tifffile.TiffWriter(path) as writer:
        for image in images:
            writer.write(image, contiguous=False, metadata=None, **({"photometric": "minisblack"} | options))
    return path


def retag(path: Path, tag: int, value: object, page: int = 0) -> Path:
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[page].tags[tag].overwrite(value)
    return path


def cut(path: Path, num_bytes: int) -> Path:
    path.write_bytes(path.read_bytes()[:-num_bytes])
    return path


def ome_xml(planes: list[str], *, channels: int, names: tuple[str, ...] = (), size: tuple[int, int] = (8, 6)) -> str:
    """OME-XML of 16-bit planes; each of `planes` is an element TiffData."""
    named = "".join(f'<Channel ID="Channel:0:{n}" Name="{name}" SamplesPerPixel="1"/>' for n, name in enumerate(names))
    return (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0" Name="field">'
        '<Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="{size[1]}" SizeY="{size[0]}" SizeC="{channels}" SizeZ="1" SizeT="1">{named}{"".join(planes)}'
        "</Pixels></Image></OME>"
    )


def plane(channel: int, file_name: str | None = None, ifd: int = 0) -> str:
    uuid = "" if file_name is None else f'<UUID FileName="{file_name}">urn:uuid:{file_name}</UUID>'
    return f'<TiffData FirstC="{channel}" IFD="{ifd}" PlaneCount="1">{uuid}</TiffData>'


def ome(path: Path, images: list[np.ndarray], text: str) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for number, image in enumerate(images):
            options = {"description": text} if number == 0 else {}
            writer.write(image, contiguous=False, metadata=None, photometric="minisblack", **options)
    return path


def ome_set(folder: Path, image: np.ndarray, names: tuple[str, ...] = ("DAPI", "GFP", "RFP")) -> list[Path]:
    """A file for each channel, all with the same XML."""
    files = [f"{name}.ome.tif" for name in names]
    text = ome_xml([plane(n, file) for n, file in enumerate(files)], channels=len(files), names=names)
    return [ome(folder / file, [one], text) for file, one in zip(files, image, strict=True)]


def png_chunks(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def png(path: Path, rows: np.ndarray, width: int, *, depth: int = 8, color: int = 0, extra: tuple | list = ()) -> Path:
    """A PNG of rows of bytes; what `extra` holds stands before the pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, color, 0, 0, 0)
    filtered = np.hstack([np.zeros((len(rows), 1), np.uint8), rows.reshape(len(rows), -1)])
    pixels = (b"IDAT", zlib.compress(filtered.tobytes()))
    path.write_bytes(png_chunks([(b"IHDR", header), *extra, pixels, (b"IEND", b"")]))
    return path


def jpeg(path: Path, image: np.ndarray, segment: bytes = b"", **options: object) -> Path:
    """A JPEG; `segment` stands right behind its start."""
    content = imagecodecs.jpeg_encode(image, level=100, **options)
    path.write_bytes(content[:2] + segment + content[2:])
    return path


def exif(orientation: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, 274, 3, 1, orientation, 0)


def exif_segment(orientation: int) -> bytes:
    content = b"Exif\0\0" + exif(orientation)
    return b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
