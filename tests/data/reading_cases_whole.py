"""Files that are whole or not."""

import gzip
import io
from pathlib import Path

import numpy as np
import tifffile

from tests.data.reading_cases import (
    PRESENT,
    Written,
    cut,
    jpeg,
    last,
    noise,
    ome,
    ome_set,
    ome_xml,
    plane,
    png,
    png_chunks,
    reads,
    refuses,
    retag,
    smooth,
    tiff,
)

_CHANNELS = noise(3, 8, 6)

for _first in range(3):

    @reads(PRESENT, "OME-TIFF", f"one of three files of an image, number {_first + 1}", "all three channels")
    def _(folder: Path, first: int = _first) -> Written:
        return ome_set(folder, _CHANNELS)[first], last(_CHANNELS)


@reads(PRESENT, "OME-TIFF", "the image's other channels in a file that was renamed", "all channels")
def _(folder: Path) -> Written:
    planes = [plane(0), plane(1, "b.ome.tif"), plane(2, "b.ome.tif", ifd=1)]
    ome(folder / "b.ome.tif", list(_CHANNELS[1:]), "x")
    return ome(folder / "a.ome.tif", [_CHANNELS[0]], ome_xml(planes, channels=3)), last(_CHANNELS)


@reads(PRESENT, "OME-TIFF", "the XML in a companion file", "all channels")
def _(folder: Path) -> Written:
    text = ome_xml([plane(n, f"{n}.ome.tif") for n in range(3)], channels=3)
    (folder / "a.companion.ome").write_text(text)
    only = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly MetadataFile="a.companion.ome" '
    for number, image in enumerate(_CHANNELS):
        ome(folder / f"{number}.ome.tif", [image], f'{only}UUID="urn:uuid:{number}.ome.tif"/></OME>')
    return folder / "1.ome.tif", last(_CHANNELS)


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another is missing", "'RFP.ome.tif' is missing")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    files[2].unlink()
    return files[0], None


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another is truncated", "it is truncated")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    cut(files[1], 120)
    return files[0], None


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another has another type", "its pages differ in type")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    tiff(files[1], noise(8, 6, dtype="uint8"))
    return files[0], None


for _name in ("../b.ome.tif", "/etc/passwd", "C:b.ome.tif", "inner\\b.ome.tif", ".."):

    @refuses(PRESENT, "OME-TIFF", f"a channel in the file `{_name}`", "must name files of the same folder only")
    def _(folder: Path, name: str = _name) -> Written:
        (folder / "inner").mkdir()
        ome(folder / "b.ome.tif", [_CHANNELS[1]], "x")
        text = ome_xml([plane(0), plane(1, name)], channels=2)
        return ome(folder / "inner" / "a.ome.tif", [_CHANNELS[0]], text), None


@refuses(PRESENT, "OME-TIFF", "XML of 5 channels, 3 pages", "declares 5 planes")
def _(folder: Path) -> Written:
    return ome(folder / "a.ome.tif", list(_CHANNELS), ome_xml(["<TiffData/>"], channels=5)), None


@refuses(PRESENT, "OME-TIFF", "XML of 2 channels, 3 pages", "3 pages, of which its OME-XML names 2")
def _(folder: Path) -> Written:
    return ome(folder / "a.ome.tif", list(_CHANNELS), ome_xml(["<TiffData/>"], channels=2)), None


@refuses(PRESENT, "OME-TIFF", "XML that gives one page to two channels", "gives one page to two planes")
def _(folder: Path) -> Written:
    text = ome_xml([plane(0), plane(1)], channels=2)
    return ome(folder / "a.ome.tif", [_CHANNELS[0]], text), None


@refuses(PRESENT, "OME-TIFF", "XML that leaves a channel out", "of which 1 are missing")
def _(folder: Path) -> Written:
    text = ome_xml([plane(0), plane(2, ifd=1)], channels=3)
    return ome(folder / "a.ome.tif", list(_CHANNELS[:2]), text), None


@refuses(PRESENT, "OME-TIFF", "pages smaller than the XML says", "not as large as its OME-XML says")
def _(folder: Path) -> Written:
    text = ome_xml(["<TiffData/>"], channels=3, size=(16, 6))
    return ome(folder / "a.ome.tif", list(_CHANNELS), text), None


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
