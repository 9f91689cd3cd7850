"""How long a plate of 384 wells, 9 fields and 5 channels takes to be opened: 17,280 files of 64x64.

    python benchmarks/listing.py

The ways to open it take turns; times are medians. The files are there for their names, no image is read.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

import keras_hpa

WELLS = [f"{chr(65 + row)}{column + 1:02}" for row in range(16) for column in range(24)]
CHANNELS = {f"stain{number}": str(number) for number in range(1, 6)}
TABLE = {"well": WELLS, "moa": ["actin", "tubulin"] * 192}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        options = {"channels": CHANNELS, "label_columns": "moa", "groups": "well"}
        pattern = "{well}_s{field}_w{channel}.TIF"
        ways: dict[str, Callable[[], keras_hpa.Samples]] = {
            "load_folder, a layout": lambda: keras_hpa.load_folder(folder, layout="metaxpress", channels=CHANNELS),
            "load_folder, a layout and a table": lambda: keras_hpa.load_folder(
                folder, TABLE, layout="metaxpress", **options
            ),
            "load_table, a pattern": lambda: keras_hpa.load_table(TABLE, folder, pattern=pattern, **options),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(arguments.passes):
            for name, way in ways.items():
                start = time.perf_counter()
                assert len(way()) == 384 * 9
                times[name].append(time.perf_counter() - start)
    print("| way | seconds | fastest to slowest |\n| --- | ---: | ---: |")
    for name, seconds in times.items():
        print(f"| {name} | {np.median(seconds):.2f} | {min(seconds):.2f} to {max(seconds):.2f} |")


def write(folder: Path) -> None:
    """Writes one image, and the same bytes under every name."""
    tifffile.imwrite(folder / "one.tif", np.zeros((64, 64), np.uint16))
    content = (folder / "one.tif").read_bytes()
    (folder / "one.tif").unlink()
    for well in WELLS:
        for field in range(1, 10):
            for channel in CHANNELS.values():
                (folder / f"{well}_s{field}_w{channel}.TIF").write_bytes(content)


if __name__ == "__main__":
    main()
