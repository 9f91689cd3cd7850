"""OME-TIFFs whose planes lie in one file or in several, and those that lack some."""

import gzip
import os
from pathlib import Path

from tests.data.reading_cases import (
    PRESENT,
    Written,
    cut,
    last,
    noise,
    ome,
    ome_set,
    ome_xml,
    plane,
    reads,
    refuses,
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


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another has another size", "not as large as its OME-XML")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    tiff(files[1], noise(8, 8))
    return files[0], None


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another has no pages", "'GFP.ome.tif'")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    files[1].write_bytes(b"")
    return files[0], None


@refuses(PRESENT, "OME-TIFF", "one of three files of an image, another is a FIFO", "it is not a file")
def _(folder: Path) -> Written:
    files = ome_set(folder, _CHANNELS)
    files[2].unlink()
    os.mkfifo(files[2])
    return files[0], None


@reads(PRESENT, "OME-TIFF, gzipped", "one of three files, the others as named", "all three channels")
def _(folder: Path) -> Written:
    first, *_ = ome_set(folder, _CHANNELS)
    path = folder / "DAPI.ome.tif.gz"
    path.write_bytes(gzip.compress(first.read_bytes()))
    return path, last(_CHANNELS)


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
