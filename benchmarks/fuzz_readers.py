"""Feeds damaged files to the readers and damaged text to the label parser, and counts what comes of it.

    python benchmarks/fuzz_readers.py --inputs 100000 2> refused.log

Each input is either read or refused with a ValueError that names the path (or, of labels, the row); anything else fails
the run, and so does the end of the process. A PNG carries checksums: one that is read must have the right values.
OpenCV and libpng write to the log of what they refuse.
"""

import argparse
import gzip
import io
import logging
import os
import re
import resource
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import tifffile

from keras_hpa import parse_labels
from keras_hpa.data import read_image, read_stack


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(arguments.seed)
    files = seed_files()
    outcomes: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.inputs):
            if number % 10 == 0:
                outcomes["labels", parse(random_text(rng))] += 1
                continue
            name, content = files[rng.integers(len(files))]
            outcomes[name.split(".", 1)[1], read(Path(folder), name, content, damaged(content, rng), number % 2)] += 1
    print(f"{arguments.inputs} inputs, seed {arguments.seed}\n\n| kind | outcome | inputs |\n| --- | --- | ---: |")
    for (kind, outcome), count in sorted(outcomes.items()):
        print(f"| {kind} | {outcome} | {count} |")
    print(f"\nPeak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    failed = [key for key in outcomes if key[1].startswith("FAILED")]
    raise SystemExit(f"{failed}" if failed else 0)


def seed_files() -> list[tuple[str, bytes]]:
    noise = np.random.default_rng(0).integers(65536, size=(19, 23)).astype("uint16")
    gray, color = (noise >> 8).astype("uint8"), np.stack([noise >> 8] * 3, -1).astype("uint8")
    ramp = np.tile(np.arange(256, dtype="uint16") * 257, (3, 1))
    files = [
        *(("0-a.png", cv2.imencode(".png", image)[1].tobytes()) for image in (gray, noise, color)),
        *(("1-a.jpg", cv2.imencode(".jpg", image)[1].tobytes()) for image in (gray, color)),
    ]
    for options in (
        {},
        {"bigtiff": True, "byteorder": ">"},
        {"compression": "lzw"},
        {"compression": "zlib", "predictor": True},
        {"compression": "packbits"},
        {"tile": (16, 16), "compression": "zlib"},
        {"rowsperstrip": 5},
    ):
        files.append(("2-a.tif", tiff(noise, **options)))
    files.append(("2-a.tif", tiff(gray, photometric="palette", colormap=ramp)))
    files.append(("2-a.tif", tiff(gray, compression="jpeg")))
    stack = np.stack([noise] * 3)
    files.append(("2-a.tif", tiff(stack, ome=True, metadata={"axes": "CYX", "Channel": {"Name": list("abc")}})))
    files.append(("3-a.tif.gz", gzip.compress(tiff(noise))))
    for array in (noise, noise.astype("float32"), stack):
        file = io.BytesIO()
        np.save(file, array)
        files.append(("4-a.npy", file.getvalue()))
    return files


def tiff(image: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **({"photometric": "minisblack"} | options))
    return file.getvalue()


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, numbers made extreme, pieces cut out, doubled or moved; nine in ten near the beginning."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if not changed:
            break
        reach = min(len(changed), 200) if rng.random() < 0.9 else len(changed)
        place = int(rng.integers(reach))
        length = int(rng.integers(1, 9))
        match rng.integers(6):
            case 0:
                changed[place] ^= 1 << int(rng.integers(8))
            case 1:
                changed[place : place + length] = rng.bytes(length)
            case 2:
                changed[place : place + 4] = rng.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"])
            case 3:
                del changed[place : place + length]
            case 4:
                changed[place:place] = changed[place : place + length]
            case _:
                del changed[int(rng.integers(len(changed))) :]
    return bytes(changed)


def read(folder: Path, name: str, original: bytes, content: bytes, as_stack: int) -> str:
    path = folder / name
    path.write_bytes(content)
    try:
        image = read_stack(path)[0] if as_stack else read_image(path)
    except ValueError as error:
        reason = str(error).split(f"{os.fspath(path)!r}")
        return f"refused: {kind_of(reason[-1])}" if len(reason) > 1 else f"FAILED: no path in {error!r}"
    except BaseException as error:
        return f"FAILED: {type(error).__name__}"
    if content == original:
        return "not damaged, read"
    path.write_bytes(original)
    try:
        is_same = np.array_equal(image, read_stack(path)[0] if as_stack else read_image(path))
    except ValueError:  # one image only once it has lost its other pages
        is_same = False
    if not is_same and name.endswith(".png"):
        return "FAILED: read with other values"
    return "read, values as before" if is_same else "read, other values (the format has no checksum)"


def kind_of(reason: str) -> str:
    """What a refusal says, without what differs from file to file."""
    reason = re.sub(r"\(.*|b'.*|[0-9x ]{2,}.*|0 x.*", "...", reason.strip(" :"), flags=re.DOTALL)
    return " ".join(reason.split()[:6])


def random_text(rng: np.random.Generator) -> str:
    alphabet = [
        "0",
        "1",
        "27",
        "28",
        "-1",
        " ",
        "  ",
        "\t",
        "\n",
        "\0",
        "1.0",
        "²",
        "nan",
        "\u202e",
        "9" * 40,
        "é",
        ",",
    ]
    return "".join(rng.choice(alphabet, size=rng.integers(0, 7)))


def parse(text: str) -> str:
    try:
        matrix = parse_labels(["0", text], 28, ids=["a", "b"])
    except ValueError as error:
        return f"refused: {str(error).split('.')[0]}" if "'b'" in str(error) else f"FAILED: no row in {error!r}"
    except BaseException as error:
        return f"FAILED: {type(error).__name__}"
    is_right = sorted(int(label) for label in text.split()) == np.flatnonzero(matrix[1]).tolist()
    return "read" if is_right else "FAILED: read wrong"


if __name__ == "__main__":
    main()
