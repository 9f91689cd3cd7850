"""Finds `split_cells` the cells that are there?

    KERAS_HPA_DATA=data python benchmarks/cells.py --only splitter

F1 of objects matched at an intersection over union above one half, on 12 real fields of stained nuclei with masks drawn
by hand (Coelho, Shariff, Murphy, ISBI 2009; `nuclei/coelho2009_12.npz` below KERAS_HPA_DATA, left out if that is not
set), on simulated bad fields, and on drawings of SyntheticAtlas. The diameter is estimated and no parameter is given.
Cells whose nucleus lies outside the field count neither way, because nothing shows where they are.

Prints Markdown tables, with the seconds and the processor's seconds per million pixels.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
from simulated_nuclei import DIAMETERS, simulated_nuclei

from keras_hpa import SyntheticAtlas
from keras_hpa.cells import split_cells

_FIELDS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["splitter"], help="one part of the benchmark")
    parser.add_argument("--fields", type=int, default=_FIELDS, help="simulated and drawn fields of each kind")
    args = parser.parse_args()

    print("| nuclei of | fields | F1, mean | F1, lowest field | s per Mpixel | CPU s per Mpixel |")
    print("| --- | --- | --- | --- | --- | --- |")
    split_cells(SyntheticAtlas(1, image_size=64).read(0), nuclei=2)  # imports what it needs
    root = os.environ.get("KERAS_HPA_DATA")
    if root:
        with np.load(Path(root) / "nuclei" / "coelho2009_12.npz") as file:
            real = {name.removeprefix("image_"): file[name] for name in file.files if name.startswith("image_")}
            masks = {name: file[f"mask_{name}"] for name in real}
        for kind in ("gnf", "ic100"):
            names = [name for name in real if name.startswith(kind)]
            row(f"real fields, `{kind}`", [scored(real[name][..., None], masks[name], nuclei=0) for name in names])
        for name in real:
            row(f"real field `{name}`", [scored(real[name][..., None], masks[name], nuclei=0)])
    for kind, diameter in enumerate(DIAMETERS):
        fields = [simulated_nuclei(kind + len(DIAMETERS) * number) for number in range(args.fields // len(DIAMETERS))]
        row(f"simulated bad fields, {diameter} pixels wide", [scored(*field, nuclei=0) for field in fields])
    drawn = SyntheticAtlas(args.fields, balance="uniform", seed=5)
    stains = {"nuclei": "blue", "bodies": ("red", "yellow"), "channels": drawn.channels}
    results = [scored(drawn.read(index), *drawn.cell_labels(index), **stains) for index in range(len(drawn))]
    row("drawings", [result[:4] for result in results])
    row("drawings, whole cells", [(result[4], *result[1:4]) for result in results])


def scored(image: np.ndarray, nuclei: np.ndarray, cells: np.ndarray | None = None, /, **stains) -> tuple[float, ...]:
    """F1 of the nuclei, seconds, processor's seconds, megapixels, F1 of the cells."""
    start, processor = time.perf_counter(), time.process_time()
    found_nuclei, found_cells = split_cells(image, **stains)
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    of_cells = float("nan") if cells is None else f1(found_cells, np.where(np.isin(cells, nuclei), cells, 0))
    return f1(found_nuclei, nuclei), seconds, processor, nuclei.size / 1e6, of_cells


def f1(found: np.ndarray, true: np.ndarray) -> float:
    """F1 of the objects of two label images, matched where the intersection over union is above one half."""
    pairs, area = np.unique(np.stack([true.ravel(), found.ravel()]), axis=1, return_counts=True)
    of_true, of_found = np.bincount(true.ravel()), np.bincount(found.ravel())
    over = area / (of_true[pairs[0]] + of_found[pairs[1]] - area)
    matched = int(((over > 0.5) & (pairs > 0).all(0)).sum())
    objects = int((of_true[1:] > 0).sum() + (of_found[1:] > 0).sum())
    return 2 * matched / objects if objects else 1.0


def row(name: str, results: list[tuple[float, ...]]) -> None:
    scores, seconds, processor, pixels = np.array([result[:4] for result in results]).T
    speed = f"{seconds.sum() / pixels.sum():.1f} | {processor.sum() / pixels.sum():.1f}"
    print(f"| {name} | {len(scores)} | {scores.mean():.3f} | {scores.min():.3f} | {speed} |", flush=True)


if __name__ == "__main__":
    main()
