"""Reads the images of public test suites, and holds them against tifffile and Pillow.

    python -m tests.data.public_images FOLDER

FOLDER holds unpacked source archives, as `pip download --no-deps --no-binary :all: pillow tifffile imageio` and
`pip download --no-deps scikit-image` get them. Writes tests/data/public_images.json: of each image its name, digest and
outcome, never the image.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image, ImageOps

from keras_hpa.data import read_stack

MANIFEST = Path(__file__).with_name("public_images.json")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".tif.gz", ".npy")
_ROUNDING = 3  # by which two decoders of JPEG differ
STATED = {
    "equal": "the values are the same",
    "planes last": "tifffile leaves the planes where they lie in the file",
    "upright": "the orientation, in EXIF or TIFF, is applied",
    "0 is white": "tifffile does not count from the other end",
    "shades": "a palette of shades of one colour is applied, Pillow gives its indices",
    "16 bits": "Pillow gives the upper 8 of 16 bits",
    "rounded": f"two decoders of JPEG differ by at most {_ROUNDING}",
    "subsampled": "two decoders of JPEG scale subsampled colours up differently, by .2 in the mean at most",
    "signed": "Pillow gives bytes with a sign as bytes without",
    "several pages": "Pillow gives the first page",
    "not read": "the other one does not read the file",
}
"""The differences that "What is read as what" states."""


def outcomes(folder: Path) -> Iterator[dict[str, str]]:
    """Gives the name, digest and outcome of every image below a folder, in order of their names."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name.lower().endswith(_SUFFIXES):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            yield {"name": path.relative_to(folder).as_posix(), "sha256": digest} | outcome(path)


def outcome(path: Path) -> dict[str, str]:
    """Gives how an image is read and how that differs from what others read, or why it is refused."""
    try:
        image = read_stack(path)[0]
    except ValueError as error:
        return {"refused": str(error).replace(f"Cannot read {str(path)!r}: ", "").split(" (")[0]}
    found = {"read": f"{image.dtype} {' x '.join(map(str, image.shape))}"}
    if path.suffix == ".npy":
        return found | {"numpy": _difference(image, np.load(path))}
    if ".tif" in path.name.lower():
        found["tifffile"] = _difference(image, _by_tifffile(path))
    return found | {"pillow": _against_pillow(image, path)}


def _by_tifffile(path: Path) -> np.ndarray | None:
    try:
        return tifffile.imread(path)
    except Exception:
        return None


def _against_pillow(image: np.ndarray, path: Path) -> str:
    try:
        with Image.open(path) as other:
            other.load()
            if getattr(other, "n_frames", 1) > 1 and image.shape[2] == other.n_frames:
                first = _difference(image[..., :1], np.asarray(other))
                return "several pages" if first == "equal" else first
            if other.mode == "P" and other.palette.mode == "RGB":
                shades = np.asarray(other.convert("RGB")).max(axis=-1)
                if not np.array_equal(image[..., 0], np.asarray(other)) and np.array_equal(image[..., 0], shades):
                    return "shades"
            plain = _difference(image, np.asarray(other))
            if plain in STATED:
                return plain
            return "upright" if _difference(image, np.asarray(ImageOps.exif_transpose(other))) in STATED else plain
    except Exception:
        return "not read"


def _difference(image: np.ndarray, other: np.ndarray | None) -> str:
    """Gives one of `STATED`, or what differs."""
    if other is None:
        return "not read"
    if other.ndim == 2:
        other = other[..., None]
    if other.shape != image.shape and other.ndim == 3 and np.moveaxis(other, 0, -1).shape == image.shape:
        return "planes last" if np.array_equal(image, np.moveaxis(other, 0, -1)) else "other values, planes last"
    if other.shape != image.shape:
        return f"{other.dtype} {' x '.join(map(str, other.shape))}"
    if np.array_equal(image, other):
        return "equal"
    if image.dtype.kind == "u" and np.array_equal(np.iinfo(image.dtype).max - image, other):
        return "0 is white"
    if image.dtype == np.uint16 and other.dtype == np.uint8 and np.array_equal(image >> 8, other):
        return "16 bits"
    if image.dtype == np.int8 and np.array_equal(image.view(np.uint8), other):
        return "signed"
    difference = np.abs(image.astype(float) - other.astype(float))
    if difference.max() <= _ROUNDING:
        return "rounded"
    return "subsampled" if difference.mean() <= 0.2 else f"other values, by up to {difference.max():g}"


def main() -> None:
    lines = [json.dumps(found, ensure_ascii=False) for found in outcomes(Path(sys.argv[1]))]
    MANIFEST.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
