"""Large images and bombs, each made and read in a process of its own, which says how much memory reading took.

python -m tests.data.reading_memory NAME ... prints a line of JSON for each: the outcome, the bytes of the array that
came out, and those that the process grew by at the peak.
"""

import gzip
import json
import os
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import imagecodecs
import numpy as np

from keras_hpa.data import read_stack
from keras_hpa.data.image_content import MAX_BYTES
from tests.data.reading_cases import jpeg, ome, ome_xml, png_chunks, retag, tiff

_LITTLE = 2**28  # `max_bytes` of bombs whose file says nothing of what it unpacks to
_MOST = 3 * 2**30  # bytes of address space beyond what the process has: a bomb ends there, not the machine
_SIDE = 7000
_CODECS = ("zlib", "zstd", "lzma", "lzw", "packbits", "jpeg", "png", "webp")
_INFLATED = 400_000_000  # bytes that a small piece of a small image unpacks to


def _zeros(*shape: int, dtype: str = "uint8") -> np.ndarray:
    return np.zeros(shape, dtype)


def _deflated(num_bytes: int) -> bytes:
    compressor = zlib.compressobj(1)
    parts = [compressor.compress(bytes(2**20)) for _ in range(num_bytes // 2**20)]
    return b"".join([*parts, compressor.flush()])


def _png(path: Path, height: int, width: int, depth: int, color: int, *extra: tuple[bytes, bytes]) -> Path:
    row_bytes = width * {0: 1, 2: 3, 3: 1}[color] * depth // 8 + 1
    pixels = (b"IDAT", _deflated(min(height * row_bytes, _INFLATED) + 2**20))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    path.write_bytes(png_chunks([(b"IHDR", header), *extra, pixels, (b"IEND", b"")]))
    return path


def _strip_that_inflates(folder: Path, codec: str) -> Path:
    """An image of 16 x 16 whose strip unpacks to far more."""
    image, photometric = (_zeros(16, 16, 3), "rgb") if codec == "webp" else (_zeros(16, 16), "minisblack")
    path = tiff(folder / "a.tif", image, photometric=photometric, compression=codec, metadata=None)
    encode = {
        "zlib": lambda: _deflated(_INFLATED),
        "zstd": lambda: imagecodecs.zstd_encode(bytes(_INFLATED)),
        "lzma": lambda: imagecodecs.lzma_encode(bytes(_INFLATED), level=0),
        "lzw": lambda: imagecodecs.lzw_encode(bytes(_INFLATED)),
        "packbits": lambda: b"\x81\0" * (_INFLATED // 128),
        "jpeg": lambda: imagecodecs.jpeg_encode(_zeros(20_000, 20_000)),
        "png": lambda: imagecodecs.png_encode(_zeros(20_000, 20_000)),
        "webp": lambda: imagecodecs.webp_encode(_zeros(12_000, 10_000, 3), lossless=True),
    }
    content = encode[codec]()
    end = path.stat().st_size
    path.write_bytes(path.read_bytes() + content)
    return retag(retag(path, 273, end), 279, len(content))


def _retagged(folder: Path, value: int, tags: tuple[int, ...], **options: object) -> Path:
    path = tiff(folder / "a.tif", _zeros(16, 16), tile=(16, 16), compression="zlib", metadata=None, **options)
    for tag in tags:
        retag(path, tag, value)
    return path


def _npy(folder: Path, shape: tuple[int, ...], dtype: str = "|u1", size: int = 0) -> Path:
    with (folder / "a.npy").open("wb") as file:
        header = {"descr": dtype, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + size)
    return folder / "a.npy"


def _save(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


def _gzipped(folder: Path) -> Path:
    path = folder / "a.tif.gz"
    path.write_bytes(gzip.compress(tiff(folder / "b.tif", _zeros(5, 4000, 4000, dtype="uint16")).read_bytes(), 1))
    return path


def _gzip_bomb(folder: Path) -> Path:
    with gzip.open(folder / "a.tif.gz", "wb", compresslevel=1) as file:  # more than twice `_LITTLE`
        file.write(b"II*\0\x08\0\0\0")
        for _ in range(700):
            file.write(bytes(2**20))
    return folder / "a.tif.gz"


def _long_text(folder: Path, num_bytes: int, file_bytes: int) -> Path:
    path = tiff(folder / "a.tif", _zeros(16, 16), description="x" * 99, metadata=None)
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<HHI", 270, 2, 100))
    content[place + 4 : place + 12] = struct.pack("<II", num_bytes, len(content))
    path.write_bytes(content)
    os.truncate(path, len(content) + file_bytes)
    return path


def _noise(folder: Path, **options: object) -> Path:
    image = np.random.default_rng(0).integers(2**16, size=(12_000, 12_000), dtype="uint16")
    return tiff(folder / "a.tif", image, rowsperstrip=len(image), **options)


def _jpeg_behind_tem(folder: Path) -> Path:
    path = jpeg(folder / "a.jpg", _zeros(20_000, 20_000))
    path.write_bytes(path.read_bytes()[:2] + b"\xff\x01" + path.read_bytes()[2:])
    return path


WHOLE: dict[str, Callable[[Path], Path]] = {
    "png gray": lambda folder: _png(folder / "a.png", _SIDE, _SIDE, 8, 0),
    "png 16 bits": lambda folder: _png(folder / "a.png", _SIDE, _SIDE, 16, 0),
    "png rgb": lambda folder: _png(folder / "a.png", _SIDE, _SIDE, 8, 2),
    "png palette": lambda folder: _png(
        folder / "a.png", _SIDE, _SIDE, 8, 3, (b"PLTE", b"".join(bytes([0, n * 7 % 256, 0]) for n in range(256)))
    ),
    "jpeg": lambda folder: jpeg(folder / "a.jpg", _zeros(_SIDE, _SIDE)),
    "jpeg rgb": lambda folder: jpeg(folder / "a.jpg", _zeros(_SIDE, _SIDE, 3)),
    **{
        f"tiff {codec}, {'tiles' if tile else 'one strip'}": partial(
            lambda folder, codec, tile: tiff(
                folder / "a.tif",
                _zeros(_SIDE, _SIDE, 3) if codec == "webp" else _zeros(_SIDE, _SIDE),
                photometric="rgb" if codec == "webp" else "minisblack",
                compression=codec,
                tile=(1024, 1024) if tile else None,
                rowsperstrip=None if tile else _SIDE,
            ),
            codec=codec,
            tile=tile,
        )
        for codec in _CODECS
        for tile in (True, False)
    },
    "tiff jpeg 2000, tiles": lambda folder: tiff(
        folder / "a.tif", _zeros(_SIDE, _SIDE), compression="jpeg2000", tile=(1024, 1024)
    ),
    "tiff jpeg 2000, one strip": lambda folder: tiff(
        folder / "a.tif", _zeros(4000, 4000, dtype="uint16"), compression="jpeg2000", rowsperstrip=4000
    ),
    "tiff noise, zlib": lambda folder: _noise(folder, compression="zlib"),
    "tiff noise, zlib, predictor": lambda folder: _noise(folder, compression="zlib", predictor=True),
    "tiff noise, zstd": lambda folder: _noise(folder, compression="zstd"),
    "tiff 12 bits": lambda folder: tiff(folder / "a.tif", _zeros(12_000, 12_000, dtype="uint16"), bitspersample=12),
    "tiff stack": lambda folder: tiff(folder / "a.tif", _zeros(5, _SIDE, 6000, dtype="uint16"), compression="zlib"),
    "tiff stack, big-endian": lambda folder: tiff(
        folder / "a.tif", _zeros(5, 6000, 6000, dtype="uint16"), byteorder=">"
    ),
    "tiff 0 is white, turned": lambda folder: tiff(
        folder / "a.tif",
        _zeros(12_000, 12_000, dtype="uint16"),
        photometric="miniswhite",
        compression="zlib",
        extratags=[(274, 3, 1, 6, False)],
    ),
    "tiff floats": lambda folder: tiff(
        folder / "a.tif", _zeros(8000, 8000, dtype="float64"), compression="zlib", predictor=True
    ),
    "bigtiff": lambda folder: tiff(
        folder / "a.tif", _zeros(12_000, 12_000, dtype="uint16"), bigtiff=True, compression="zlib"
    ),
    "ome-tiff": lambda folder: tiff(
        folder / "a.tif", _zeros(5, 6000, 6000, dtype="uint16"), ome=True, metadata={"axes": "CYX"}, compression="zlib"
    ),
    "tiff gzipped": _gzipped,
    "npy": lambda folder: _save(folder, _zeros(12_000, 12_000, dtype="uint16")),
    "npy big-endian stack": lambda folder: _save(folder, _zeros(5, 6000, 6000, dtype=">u2")),
    "npy fortran": lambda folder: _save(folder, np.asfortranarray(_zeros(9000, 9000, dtype="float32"))),
}
"""Images that are read: an array of 50 to 600 MB."""

BOMBS: dict[str, Callable[[Path], Path]] = {
    "png of 40,000 x 40,000": lambda folder: _png(folder / "a.png", 40_000, 40_000, 8, 0),
    "png rgb of 16 bits": lambda folder: _png(folder / "a.png", 14_000, 14_000, 16, 2),
    "png, text that inflates": lambda folder: _png(
        folder / "a.png", 16, 16, 8, 0, (b"zTXt", b"a\0\0" + _deflated(_INFLATED))
    ),
    "png, a profile that inflates": lambda folder: _png(
        folder / "a.png", 16, 16, 8, 0, (b"iCCP", b"a\0\0" + _deflated(_INFLATED))
    ),
    "png, pixels that inflate": lambda folder: _png(folder / "a.png", 1, _INFLATED, 8, 0),
    "jpeg behind TEM": _jpeg_behind_tem,
    "tiff of 1.6 GB": lambda folder: _retagged(folder, 40_000, (256, 257)),
    "tiff complex": lambda folder: tiff(
        folder / "a.tif", _zeros(12_000, 12_000, dtype="complex64"), compression="zlib", tile=(1024, 1024)
    ),
    "tiff, one tile of 40,000 x 40,000": lambda folder: _retagged(folder, 40_000, (322, 323)),
    "tiff jpeg 2000 in one strip": lambda folder: tiff(
        folder / "a.tif", _zeros(10_000, 10_000), compression="jpeg2000", rowsperstrip=10_000
    ),
    **{f"tiff {codec} that inflates": partial(_strip_that_inflates, codec=codec) for codec in _CODECS},
    "tiff, text of 400 MB": lambda folder: _long_text(folder, _INFLATED, _INFLATED),
    "tiff, text of 4 GB that is not there": lambda folder: _long_text(folder, 2**32 - 1, 0),
    "bigtiff of 1.6 GB": lambda folder: _retagged(folder, 40_000, (256, 257), bigtiff=True),
    "ome-xml of 200,000,000 channels": lambda folder: ome(
        folder / "a.ome.tif", [_zeros(8, 6, dtype="uint16")], ome_xml(["<TiffData/>"], channels=200_000_000)
    ),
    "ome-xml of 1,000,000 planes": lambda folder: ome(
        folder / "a.ome.tif", [_zeros(8, 6, dtype="uint16")], ome_xml(["<TiffData/>"] * 200_000, channels=1_000_000)
    ),
    "gzip": _gzip_bomb,
    "npy header": lambda folder: _npy(folder, (60_000, 60_000)),
    "npy header of 40 x 50,000,000": lambda folder: _npy(folder, (40, 50_000_000)),
    "npy file of 8 GB": lambda folder: _npy(folder, (40, 50_000_000), "<f4", 40 * 50_000_000 * 4),
    "npy header whose product overflows": lambda folder: _npy(folder, (2**33, 2**33)),
}
"""What is refused, or is small when it is read."""


def main() -> None:
    for line in measure(sys.argv[1:]):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def measure(names: list[str]) -> Iterator[str]:
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            yield _in_child(name, Path(folder))


def _in_child(name: str, folder: Path) -> str:
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            made = os.fork()  # what makes the file leaves no memory behind
            if not made:
                (folder / "path").write_text(str((WHOLE | BOMBS)[name](folder)))
                os._exit(0)
            os.waitpid(made, 0)
            most = _LITTLE if name == "gzip" else MAX_BYTES
            os.write(writer, json.dumps(_read((folder / "path").read_text(), most)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        line = file.read() or '["killed", 0, 0]'
    os.waitpid(child, 0)
    return line


def _read(path: str, max_bytes: int) -> tuple[str, int, int]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    before = _status("VmRSS")
    limit = _status("VmSize") + _MOST
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    num_bytes = 0
    try:
        num_bytes = read_stack(path, max_bytes=max_bytes)[0].nbytes
        outcome = "read"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    return outcome, num_bytes, _status("VmHWM") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


if __name__ == "__main__":
    main()
