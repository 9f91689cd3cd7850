"""Files that are whole or not."""

import gzip
import io
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

from tests.data.reading_cases import (
    PRESENT,
    Written,
    cut,
    jpeg,
    noise,
    png,
    png_chunks,
    reads,
    refuses,
    retag,
    smooth,
    tiff,
)


def _first_page_cut(folder: Path, missing: int, **options: object) -> Written:
    return cut(tiff(folder / "a.tif", noise(3, 64, 48), **options), missing), None


for _missing in (1, 64 * 48 * 2, 2 * 64 * 48 * 2 + 1):
    refuses(PRESENT, "TIFF", f"a stack that lacks its last {_missing} bytes", "it is truncated")(
        lambda folder, missing=_missing: _first_page_cut(folder, missing, truncate=True)
    )
for _missing in (17, 400, 64 * 48 * 2):
    refuses(PRESENT, "TIFF", f"a stack of three pages that lacks its last {_missing} bytes", "it is truncated")(
        lambda folder, missing=_missing: _first_page_cut(folder, missing)
    )
refuses(PRESENT, "OME-TIFF", "a stack that lacks its last byte", "it is truncated")(
    lambda folder: _first_page_cut(folder, 1, ome=True)
)
refuses(PRESENT, "BigTIFF", "a stack that lacks its last byte", "it is truncated")(
    lambda folder: _first_page_cut(folder, 1, bigtiff=True, truncate=True)
)


@refuses(PRESENT, "ImageJ TIFF", "a stack that lacks its last byte", "it is truncated")
def _(folder: Path) -> Written:
    text = "ImageJ=1.54f\nimages=3\nchannels=3\nmode=grayscale\n"
    options = {"description": text, "metadata": None, "software": "x"}
    path = tiff(folder / "a.tif", noise(64, 48), **options)
    path.write_bytes(path.read_bytes()[: -64 * 48 * 2] + noise(3, 64, 48).tobytes()[:-1])
    return path, None


@refuses(PRESENT, "ImageJ TIFF", "metadata of 5 channels, 3 pages", "its metadata")
def _(folder: Path) -> Written:
    text = "ImageJ=1.54f\nimages=5\nchannels=5\nmode=grayscale\n"
    images = noise(3, 64, 48)
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for image in images:
            writer.write(image, contiguous=False, metadata=None, photometric="minisblack", description=text)
    return folder / "a.tif", None


@refuses(PRESENT, "TIFF", "a declared shape of 5 channels, 3 pages", "its metadata do not fit its 3 pages")
def _(folder: Path) -> Written:
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for number, image in enumerate(noise(3, 64, 48)):
            text = '{"shape": [5, 64, 48]}' if number == 0 else None
            writer.write(image, contiguous=False, metadata=None, photometric="minisblack", description=text)
    return folder / "a.tif", None


for _compression, _message in {
    "jpeg": "it is truncated or damaged",
    "jpeg2000": "it is truncated or damaged",
    "webp": "it is truncated or damaged",
    "png": "it is truncated",
    "zlib": "it is damaged (DeflateError",
    "zstd": "it is damaged (ZstdError",
    "lzw": "it is damaged (TiffFileError: corrupted strip",
    "packbits": "it is damaged (TiffFileError: corrupted strip",
    "lzma": "it is damaged (TiffFileError: corrupted strip",
}.items():

    @refuses(PRESENT, "TIFF", f"a strip of {_compression} cut in half", _message)
    def _(folder: Path, compression: str = _compression) -> Written:
        image = np.stack([smooth(64, 64)] * 3, axis=-1) if compression == "webp" else smooth(64, 64)
        options = {"photometric": "rgb" if compression == "webp" else "minisblack", "rowsperstrip": 64}
        path = tiff(folder / "a.tif", image, compression=compression, **options)
        with tifffile.TiffFile(path) as file:
            (count,) = file.pages[0].databytecounts
        return retag(path, 279, count // 2), None


@refuses(PRESENT, "TIFF", "a strip of jpeg cut in half, with an end", "it is truncated or damaged")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(64, 64, dtype="uint8"), compression="jpeg", rowsperstrip=64)
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0] // 2
    content[offset + count - 2 : offset + count] = b"\xff\xd9"
    path.write_bytes(content)
    return retag(path, 279, count), None


@refuses(PRESENT, "TIFF", "a tile that was left out", "it is truncated")
def _(folder: Path) -> Written:
    path = tiff(folder / "a.tif", noise(32, 32), tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path) as file:
        counts = file.pages[0].databytecounts
    return retag(path, 325, [*counts[:3], 0]), None


@refuses(PRESENT, "TIFF", "more rows than strips", "of its 8 pieces 4 are there")
def _(folder: Path) -> Written:
    return retag(tiff(folder / "a.tif", noise(32, 32), rowsperstrip=8, metadata=None), 257, 64), None


@refuses(PRESENT, "TIFF, gzipped", "a file that was cut", "it is damaged")
def _(folder: Path) -> Written:
    content = gzip.compress(tiff(folder / "b.tif", noise(32, 32)).read_bytes())
    (folder / "a.tif.gz").write_bytes(content[:-20])
    return folder / "a.tif.gz", None


@refuses(PRESENT, "PNG", "a file that was cut", "it is truncated")
def _(folder: Path) -> Written:
    return cut(png(folder / "a.png", noise(32, 32, dtype="uint8"), 32), 1), None


@refuses(PRESENT, "PNG", "fewer rows than it declares", "it is damaged")
def _(folder: Path) -> Written:
    path = png(folder / "a.png", noise(32, 32, dtype="uint8"), 32)
    content = path.read_bytes()
    header = content[16:20] + (64).to_bytes(4, "big") + content[24:29]
    length = int.from_bytes(content[33:37], "big")
    path.write_bytes(png_chunks([(b"IHDR", header), (b"IDAT", content[41 : 41 + length]), (b"IEND", b"")]))
    return path, None


@refuses(PRESENT, "JPEG", "a file that was cut", "it is truncated or damaged")
def _(folder: Path) -> Written:
    return cut(jpeg(folder / "a.jpg", smooth()), 100), None


@refuses(PRESENT, "JPEG", "a file that was cut and has an end", "it is truncated or damaged")
def _(folder: Path) -> Written:
    path = jpeg(folder / "a.jpg", noise(64, 64, dtype="uint8"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
    return path, None


for _change, _text in ((-1, "one byte too few"), (1, "one byte too many")):

    @refuses(PRESENT, "NPY", _text, "it has not as many bytes as its header declares")
    def _(folder: Path, change: int = _change) -> Written:
        file = io.BytesIO()
        np.save(file, noise(8, 6))
        content = file.getvalue()
        (folder / "a.npy").write_bytes(content[:-1] if change < 0 else content + b"\0")
        return folder / "a.npy", None


@refuses(PRESENT, "NPY", "NaN or infinity", "it holds NaN or infinity")
def _(folder: Path) -> Written:
    np.save(folder / "a.npy", np.array([[0.0, np.nan], [np.inf, 1]]))
    return folder / "a.npy", None


@refuses(PRESENT, "TIFF", "NaN or infinity", "it holds NaN or infinity")
def _(folder: Path) -> Written:
    return tiff(folder / "a.tif", np.array([[0.0, np.nan], [np.inf, 1]], "float32")), None


def _profile(number: int) -> bytes:
    content = b"ICC_PROFILE\0" + bytes([number, 9]) + b"broken"
    return b"\xff\xe2" + (len(content) + 2).to_bytes(2, "big") + content


@reads(PRESENT, "JPEG", "a colour profile that is damaged", "the values")
def _(folder: Path) -> Written:
    plain = jpeg(folder / "b.jpg", smooth()).read_bytes()
    return jpeg(folder / "a.jpg", smooth(), _profile(1) + _profile(1)), imagecodecs.jpeg_decode(plain)


@reads(PRESENT, "JPEG", "metadata behind the header of the frame", "the values")
def _(folder: Path) -> Written:
    plain = jpeg(folder / "a.jpg", smooth()).read_bytes()
    place = plain.index(b"\xff\xc4")
    (folder / "a.jpg").write_bytes(plain[:place] + _profile(1) + b"\xff\xe1\0\x06info" + plain[place:])
    return folder / "a.jpg", imagecodecs.jpeg_decode(plain)


@refuses(PRESENT, "JPEG", "bytes between its segments that belong to nothing", "its header is damaged")
def _(folder: Path) -> Written:
    path = jpeg(folder / "a.jpg", smooth())
    content = path.read_bytes()
    place = content.index(b"\xff\xdb")
    path.write_bytes(content[:place] + b"hello" + content[place:])
    return path, None
