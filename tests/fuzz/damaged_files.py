"""Files of every format that is read, many of them odd, most of them damaged.

`python -m tests.fuzz.damaged_files 100000 2> refused.log` counts what comes of them.
"""

import gzip
import io
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from keras_hpa.data import read_image, read_stack
from tests.fuzz.odd_values import pick

_CHECKSUMS = (".png", ".tif.gz")


@dataclass
class DrawnFile:
    """What stands in a file, and what stood there before it was damaged.

    Attributes:
        suffix: that of its name.
        content: its bytes.
        original: its bytes before they were damaged.
        image: what the original must be read as, `(height, width, channels)`; `None` where it may be refused.
        tolerance: by how much values may differ, where the format loses some.
    """

    suffix: str
    content: bytes
    original: bytes
    image: np.ndarray | None
    tolerance: int = 0


def draw_file(rng: np.random.Generator) -> DrawnFile:
    """Draws a file; of four three are damaged."""
    file = pick(rng, _FORMATS)(rng)
    if rng.random() < 0.75:
        file.content = _damage(file.content, rng)
    return file


def read_file(file: DrawnFile, as_stack: bool, folder: Path) -> str:
    """Reads a file, checks what is read, and says what came of it; a refusal must name the path."""
    path = folder / f"drawn{file.suffix}"
    path.write_bytes(file.content)
    try:
        image = _read(path, as_stack)
    except ValueError as error:
        is_whole = file.content == file.original and file.image is not None and (as_stack or file.image.shape[2] == 1)
        if is_whole or not str(error).startswith(f"Cannot read {str(path)!r}: "):
            raise AssertionError(f"{'refused, but whole' if is_whole else 'names no path'}: {error}") from error
        raise
    assert image.dtype.isnative
    assert image.dtype.kind in "iuf"
    assert image.ndim == 3
    assert image.size
    assert np.isfinite(image).all()
    if file.content == file.original:
        if file.image is not None:
            expected = file.image.astype(file.image.dtype.newbyteorder("="))
            assert image.dtype == expected.dtype
            assert image.shape == expected.shape
            np.testing.assert_allclose(image.astype(float), expected.astype(float), rtol=0, atol=file.tolerance)
        return "not damaged, read"
    path.write_bytes(file.original)
    try:
        is_same = np.array_equal(image, _read(path, as_stack))
    except ValueError:  # one image only once it has lost its other pages
        is_same = False
    assert is_same or file.suffix not in _CHECKSUMS, "read with other values"
    return "read, values as before" if is_same else "read, other values"


def _read(path: Path, as_stack: bool) -> np.ndarray:
    if not as_stack:
        return read_image(path)[..., None]
    image, names = read_stack(path)
    assert names is None or len(names) == image.shape[2]
    return image


def _damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, numbers made extreme, pieces cut out, doubled or moved; nine in ten near the beginning."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        reach = min(len(changed), 200) if rng.random() < 0.9 else len(changed)
        place, length = int(rng.integers(reach)), int(rng.integers(1, 9))
        match rng.integers(6):
            case 0:
                changed[place] ^= 1 << int(rng.integers(8))
            case 1:
                changed[place : place + length] = rng.bytes(length)
            case 2:
                changed[place : place + 4] = pick(rng, [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
            case 3:
                del changed[place : place + length]
            case 4:
                changed[place:place] = changed[place : place + length]
            case _:
                del changed[int(rng.integers(len(changed))) :]
    return bytes(changed)


def _values(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    kind = np.dtype(dtype).kind
    if kind in "fc":
        return (rng.normal(size=shape) * pick(rng, [1, 1e3])).astype(dtype)
    if kind in "iu":
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, size=shape, dtype=np.dtype(dtype).newbyteorder("=")).astype(dtype)
    return rng.integers(0, 2, size=shape).astype(dtype)


def _size(rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(1, 40)), int(rng.integers(1, 40))


def _png(rng: np.random.Generator) -> DrawnFile:
    size = _size(rng)
    mode = pick(rng, ["L", "L", "I;16", "I;16", "RGB", "P", "1", "LA", "RGBA"])
    dtype = "u2" if mode == "I;16" else "u1"
    depth = {"RGB": (3,), "LA": (2,), "RGBA": (4,)}.get(mode, ())
    values = _values(rng, (*size, *depth), dtype)
    if dtype == "u2":
        content = cv2.imencode(".png", values)[1].tobytes()
    else:
        content = _with_pillow(Image.fromarray(values).convert(mode), "png", rng)
    image = {"L": values[..., None], "I;16": values[..., None], "RGB": values}.get(mode)
    return DrawnFile(".png", content, content, image)


def _jpeg(rng: np.random.Generator) -> DrawnFile:
    mode = pick(rng, ["L", "L", "RGB", "CMYK"])
    picture = Image.fromarray(_values(rng, _size(rng), "u1")).convert(mode)
    options: dict[str, Any] = {"progressive": bool(rng.integers(2)), "quality": int(rng.integers(30, 100))}
    if rng.random() < 0.2:
        exif = Image.Exif()
        exif[274] = int(rng.integers(0, 10))
        options["exif"] = exif
    content = _with_pillow(picture, "jpeg", rng, **options)
    gray = np.asarray(Image.open(io.BytesIO(content)))[..., None] if mode == "L" and "exif" not in options else None
    return DrawnFile(pick(rng, [".jpg", ".jpeg", ".JPG"]), content, content, gray, tolerance=3)


def _with_pillow(picture: Image.Image, kind: str, rng: np.random.Generator, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _tiff(rng: np.random.Generator) -> DrawnFile:
    axes = pick(rng, ["YX", "YX", "YX", "CYX", "CYX", "ZYX", "TYX", "YXS", "CYXS", "RYX", "pages", "ImageJ"])
    dtype = pick(rng, ["u1", "u1", "u2", "u2", "u4", "i1", "i2", "f4", "f8", "u8", "f2", "?", "c8"])
    lengths = {"S": pick(rng, [3, 3, 4]), "C": int(rng.integers(2, 6)), "Z": 2, "T": 3, "R": 3}
    size = dict(zip("YX", _size(rng), strict=True))
    options: dict[str, Any] = {"photometric": "minisblack"}
    options["compression"] = pick(rng, [None, None, "lzw", "zlib", "packbits", "zstd"])
    options |= pick(rng, [{}, {}, {"tile": (16, 16)}, {"rowsperstrip": int(rng.integers(1, 9))}, {"bigtiff": True}])
    options |= pick(rng, [{}, {}, {"byteorder": ">"}])
    if dtype in ("u1", "u2", "u4") and options["compression"] in ("lzw", "zlib") and rng.random() < 0.5:
        options["predictor"] = True
    image = None
    if axes in ("pages", "ImageJ"):
        dtype = pick(rng, ["u1", "u2", "f4"])
        values = _values(rng, (int(rng.integers(1, 5)), *size.values()), dtype)
        if axes == "ImageJ":
            options = {"imagej": True, "metadata": {"axes": "CYX"}}
    else:
        values = _values(rng, tuple({**lengths, **size}[axis] for axis in axes), dtype)
        is_plain = dtype in ("u1", "u2", "u4", "i2", "f4", "f8")
        if "S" in axes:
            options["photometric"] = "rgb"
        if axes != "YX" or rng.random() < 0.3:
            metadata = {"axes": axes}
            if "C" in axes and rng.random() < 0.7:
                metadata["Channel"] = {"Name": [f"stain {number}" for number in range(lengths["C"])]}
            options |= {"ome": dtype not in ("?", "f2", "u8"), "metadata": metadata}
        if axes == "YX" and is_plain:
            image = values[..., None]
            if dtype in ("u1", "u2") and rng.random() < 0.2:
                options["photometric"] = "miniswhite"
                image = np.iinfo(dtype).max - image
        elif axes == "CYX" and is_plain:
            image = np.moveaxis(values, 0, -1)
    file = io.BytesIO()
    tifffile.imwrite(file, values, **options)
    content = file.getvalue()
    if rng.random() < 0.2:
        content = gzip.compress(content)
        return DrawnFile(".tif.gz", content, content, image)
    return DrawnFile(pick(rng, [".tif", ".tiff", ".TIF"]), content, content, image)


def _npy(rng: np.random.Generator) -> DrawnFile:
    dtype = pick(rng, ["u1", "u2", ">u2", "u4", ">i4", "i8", "f4", ">f8", "f2", "?", "c8", "O", "U3", "M8[s]", "u1,f4"])
    shape = pick(rng, [_size(rng), _size(rng), (3, *_size(rng)), (*_size(rng), 2), (7,), (), (0, 4), (2, 3, 8, 9)])
    values = _values(rng, shape, dtype) if np.dtype(dtype).kind in "fciu" else np.zeros(shape, dtype)
    image = values[..., None] if values.ndim == 2 and values.size and np.dtype(dtype).kind in "iuf" else None
    if rng.random() < 0.3:
        values = np.asfortranarray(values)
    file = io.BytesIO()
    np.lib.format.write_array(file, values, version=pick(rng, [None, (1, 0), (2, 0)]), allow_pickle=True)
    content = file.getvalue()
    return DrawnFile(".npy", content, content, image)


_FORMATS = (_png, _jpeg, _tiff, _tiff, _tiff, _npy)


def main() -> None:
    outcomes: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(int(sys.argv[1])):
            rng = np.random.default_rng(number)
            file = draw_file(rng)
            try:
                outcome = read_file(file, as_stack=bool(rng.integers(2)), folder=Path(folder))
            except ValueError:
                outcome = "refused"
            outcomes[file.suffix.lower(), outcome] += 1
    kinds = ("not damaged, read", "refused", "read, values as before", "read, other values")
    print(f"| files | {' | '.join(kinds)} |")
    for suffix in sorted({suffix for suffix, _ in outcomes}):
        print(f"| {suffix} | {' | '.join(f'{outcomes[suffix, kind]:,}' for kind in kinds)} |")


if __name__ == "__main__":
    main()
