"""Do labels of fields teach the classes of single cells?

    KERAS_HPA_DATA=data python benchmarks/cell_bags.py --only hep2
    python benchmarks/cell_bags.py --only atlas

Fields hold cells of several classes. One GapNet is trained in three ways, with the same steps and augmentation: in
`BagOfCells` on the cells of fields, and as a network of whole fields, which is given single cells afterwards, at the
best of three scales, both by the labels of fields alone; and, as a bound, as a network of cells by their true labels.
The scale is chosen by the true labels of the validation cells, in favour of the network of whole fields. Cells that
touch the border of their field are left out.

`hep2`: mosaics of real HEp-2 cells, below KERAS_HPA_DATA; the cells that judge come from other blocks of ids. `atlas`:
drawings of SyntheticAtlas with mixed fields, some cells of which are negative. Prints mAP over the classes of single
cells as a Markdown table: of the scores of cells, and of these times the score of their field. Finished trainings are
kept in `--output`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from cell_mosaics import Hep2Mosaics, KnownCells, MixedDrawings
from sklearn.metrics import average_precision_score
from trials import with_error

import keras_hpa
from keras_hpa.cells import CellBags

PARTS = {"train": 500, "validation": 80, "test": 160}
STEPS = {"hep2": 400, "atlas": 1000}
BAGS, BAG_SIZE = 8, 10
SCALES = (1.0, 1.5, 2.0)
AUGMENT = ["dihedral", keras_hpa.RandomAffine(rotation=45, scale=0.3)]
ARMS = ("bag of cells", "network of fields", "true labels of cells")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["hep2", "atlas"], help="one of the two tables")
    parser.add_argument("--steps", type=int, help=f"of each training; unless given {STEPS}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS)
    parser.add_argument("--pooling", default="noisy_or")
    parser.add_argument("--cell-share", type=float, default=0.1, help="of the loss of single cells beside the image's")
    parser.add_argument("--output", type=Path, default=Path("out/cell_bags.json"), help="kept, to go on after a stop")
    args = parser.parse_args()

    done: dict[str, list[float]] = json.loads(args.output.read_text()) if args.output.exists() else {}
    root = os.environ.get("KERAS_HPA_DATA")
    makers: dict[str, Callable] = {"atlas": MixedDrawings}
    if root:
        makers = {"hep2": lambda seed: Hep2Mosaics(Path(root), seed)} | makers
    asked_for = args.steps
    for name, make in makers.items():
        args.steps = asked_for or STEPS[name]
        if args.only not in (None, name):
            continue
        results: dict[str, list[list[float]]] = {arm: [] for arm in args.arms}
        for seed in range(args.seeds):
            bag = f" ({args.pooling}, {args.cell_share} of the loss for cells)"
            keys = {arm: f"{name}, {arm}{bag * (arm == ARMS[0])}, {args.steps} steps, seed {seed}" for arm in args.arms}
            if not done.keys() >= set(keys.values()):
                maker = make(seed)
                parts = {part: maker.part_of(part, number) for part, number in PARTS.items()}
                cells = parts["test"].cells.labels
                print(f"{name}, seed {seed}: {len(cells)} cells to judge, {cells.sum(axis=0).tolist()}", flush=True)
            for arm, key in keys.items():
                if key not in done:
                    start = time.perf_counter()
                    keras.utils.set_random_seed(seed)
                    done[key] = TRAININGS[arm](parts, args)
                    print(f"  {key}: {done[key]} ({time.perf_counter() - start:.0f} s)", flush=True)
                    args.output.parent.mkdir(parents=True, exist_ok=True)
                    args.output.write_text(json.dumps(done, indent=1))
                results[arm].append(done[key])
        print(f"\n| {name}, {args.seeds} seeds, {args.steps} steps | mAP of cells | times the field's score |")
        print("| --- | --- | --- |")
        for arm, values in results.items():
            print(f"| {arm} | {' | '.join(with_error(column) for column in zip(*values, strict=True))} |")


def bag_of_cells(parts: dict[str, KnownCells], args: argparse.Namespace) -> list[float]:
    """Learns from the labels of fields: those of the cells are taken from their field."""
    known = parts["train"]
    position = {field: number for number, field in enumerate(known.fields.ids)}
    rows = [position[field] for field in known.cells.metadata["field"]]
    cells = keras_hpa.Samples(known.cells.source, known.fields.labels[rows], metadata=known.cells.metadata)
    bags = CellBags(
        cells,
        bag_size=BAG_SIZE,
        batch_size=BAGS,
        shuffle=True,
        augment=AUGMENT,
        batches_per_epoch=args.steps,
        workers=1,
    )
    model = keras_hpa.BagOfCells(network(cells), pooling=args.pooling)
    loss = keras_hpa.BinaryCrossentropy()
    shares = {"image": 1.0, "cells": args.cell_share}
    model.compile(optimizer(args), {"image": loss, "cells": loss}, loss_weights=shares)
    model.fit(bags, verbose=0)
    test = parts["test"]
    bag_size = max(np.unique(test.cells.metadata["field"], return_counts=True)[1])
    of_fields = model.predict(CellBags(test.cells, bag_size=bag_size, batch_size=BAGS, workers=0), verbose=0)["image"]
    return judged(test, keras_hpa.predict_scores(model.classifier, test.cells, verbose=0), of_fields)


def network_of_fields(parts: dict[str, KnownCells], args: argparse.Namespace) -> list[float]:
    fields = parts["train"].fields
    model = trained(network(fields), fields, BAGS, args)

    def scores(known: KnownCells, scale: float) -> np.ndarray:
        size = round(known.cells.read(0).shape[0] * scale)
        return keras_hpa.predict_scores(
            model, known.cells.batches(image_size=size, interpolation="bilinear"), verbose=0
        )

    best = max(SCALES, key=lambda scale: judged(parts["validation"], scores(parts["validation"], scale))[0])
    test = parts["test"]
    print(f"  network of fields: crops enlarged {best} times", flush=True)
    return judged(test, scores(test, best), keras_hpa.predict_scores(model, test.fields, verbose=0))


def network_of_cells(parts: dict[str, KnownCells], args: argparse.Namespace) -> list[float]:
    cells, test = parts["train"].cells, parts["test"]
    model = trained(network(cells), cells, BAGS * BAG_SIZE, args)
    scores = keras_hpa.predict_scores(model, test.cells, verbose=0)
    numbers = np.unique(test.cells.metadata["field"], return_inverse=True)[1]
    of_fields = np.zeros((len(test.fields), scores.shape[1]))
    np.maximum.at(of_fields, numbers, scores)
    return judged(test, scores, of_fields)


TRAININGS = dict(zip(ARMS, (bag_of_cells, network_of_fields, network_of_cells), strict=True))


def network(samples: keras_hpa.Samples) -> keras.Model:
    return keras_hpa.GapNet((None, None, len(samples.channels)), samples.labels.shape[1], batch_norm_momentum=0.9)


def optimizer(args: argparse.Namespace) -> keras.optimizers.Optimizer:
    return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(1e-3, args.steps, alpha=0.01))


def trained(model: keras.Model, samples: keras_hpa.Samples, batch_size: int, args: argparse.Namespace) -> keras.Model:
    batches = samples.batches(
        batch_size=batch_size, shuffle=True, augment=AUGMENT, batches_per_epoch=args.steps, workers=1
    )
    model.compile(optimizer(args), keras_hpa.BinaryCrossentropy())
    model.fit(batches, verbose=0)
    return model


def judged(known: KnownCells, scores: np.ndarray, of_fields: np.ndarray | None = None) -> list[float]:
    """mAP of the cells of a part, and where there are scores of its fields that of the product."""
    given = [scores]
    if of_fields is not None:
        position = {field: number for number, field in enumerate(known.fields.ids)}
        given.append(scores * of_fields[[position[field] for field in known.cells.metadata["field"]]])
    return [round(float(average_precision_score(known.cells.labels, one, average="macro")), 4) for one in given]


if __name__ == "__main__":
    main()
