"""What weights know of real cells: a linear probe on HEp-2 cells and the AUC on the real fields of the atlas.

    KERAS_HPA_DATA=FOLDER python benchmarks/weights.py    the package's, random, texture, ImageNet's, GapNet-PL's
    KERAS_HPA_DATA=FOLDER python benchmarks/weights.py run.weights.h5 ...    those of trainings in their place
    ... --fields-only, --probe-only, --price

The probe: features are frozen, 10, 40 or 200 cells of each of six patterns are learnt by a logistic regression, and
cells from other blocks of ids are judged: neighbours often come from one specimen. The cells have one stain; the other
channels stay dark. The fields were never trained on: AUC over the classes with two positives or more, at five sizes.
"""

import argparse
import itertools
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import train_weights
from gapnet_pl import GapNetPL
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from squeezenet import squeezenet
from trials import in_memory, with_error

import keras_hpa
from keras_hpa.evaluation import price_of_channels
from keras_hpa.gapnet_pl import to_gapnet_pl_classes

_CELLS_A_CLASS = (10, 40, 200)
_BLOCK = 100  # ids
_DRAWS = 5
_RANDOM_STARTS = 3
_PRICED = 128  # pixels a side
_FIELD_SIZES = (96, 128, 192, 256, 384)


class Hep2:
    """4,934 real cells of six patterns in one stain, 80x80 bytes, split by blocks of ids."""

    def __init__(self, root: Path) -> None:
        with np.load(root / "hep2" / "cells_dev.npz") as cells:
            self.images, self.labels, self.ids = cells["images"], cells["labels"], cells["ids"]

    def split(self, num_cells: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of `num_cells` cells of each class to learn from, and of all cells of other blocks."""
        rng = np.random.default_rng(seed)
        blocks = self.ids // _BLOCK
        learnt = np.isin(blocks, rng.permutation(np.unique(blocks))[::2])
        chosen = [
            rng.permutation(np.flatnonzero(learnt & (self.labels == label)))[:num_cells]
            for label in np.unique(self.labels)
        ]
        return np.concatenate(chosen), np.flatnonzero(~learnt)

    def macro_f1(self, features: np.ndarray, num_cells: int, seed: int) -> float:
        """Of a logistic regression on `num_cells` cells of each class, on the cells of other blocks."""
        chosen, judged = self.split(num_cells, seed)
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            classifier.fit(features[chosen], self.labels[chosen])
        return float(f1_score(self.labels[judged], classifier.predict(features[judged]), average="macro"))

    def probe(self, features: np.ndarray) -> dict[int, list[float]]:
        """Macro-F1 of each draw by the number of cells a class."""
        return {num: [self.macro_f1(features, num, seed) for seed in range(_DRAWS)] for num in _CELLS_A_CLASS}


def protein_only(images: np.ndarray) -> np.ndarray:
    """Cells in one stain as fields in four: bytes, everything but the protein dark."""
    fields = np.zeros((*images.shape, 4), images.dtype)
    fields[..., keras_hpa.atlas.CHANNELS.index("green")] = images
    return fields


def taps(model: keras.Model) -> Callable[[np.ndarray], np.ndarray]:
    """Bytes in four channels to the pooled features of a GapNet that takes floats of any size."""
    features = keras.Model(model.input, model.get_layer("taps").output)
    return lambda images: features.predict(_scaled(images), batch_size=32, verbose=0)


def texture_of(images: np.ndarray) -> np.ndarray:
    """What is measured of the cells in their one stain, without a network that learned."""
    model = keras.Sequential([keras.Input((*images.shape[1:], 1)), keras_hpa.TextureFeatures()])
    return np.asarray(model.predict(_scaled(images[..., None]), batch_size=32, verbose=0))


def field_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    known = labels.sum(0) >= 2
    return float(roc_auc_score(labels[:, known], scores[:, known], average="macro"))


def field_scores(model: keras.Model, images: np.ndarray, size: int) -> np.ndarray:
    """Scores of real fields at a size, averaged over the eight symmetries."""
    small = np.stack([cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA) for image in images])
    source = keras_hpa.ArraySource(_scaled(small))
    batches = keras_hpa.MultiChannelSequence(source, batch_size=20, workers=0)
    return np.asarray(keras_hpa.predict_scores(model, batches, transforms="dihedral", verbose=0))


def print_prices(models: dict[str, keras.Model], root: Path) -> None:
    """What each model scores on drawings of another seed and on real fields, by the stains that are there."""
    stains = keras_hpa.atlas.CHANNELS
    subsets = [chosen for size in (3, 2, 1) for chosen in itertools.combinations(stains, size) if "green" in chosen]
    drawings = keras_hpa.SyntheticAtlas(1000, image_size=_PRICED, balance="uniform", seed=202).samples
    fields = keras_hpa.load_kaggle(root / "atlas_sample")
    for name, model in models.items():
        for kind, samples, metric in (("drawings", drawings, "macro_f1"), ("real fields", fields, "macro_roc_auc")):
            images = in_memory(samples.read, range(len(samples)))
            source = keras_hpa.ArraySource(images, channels=samples.channels)
            batches = keras_hpa.MultiChannelSequence(source, samples.labels, image_size=_PRICED, batch_size=50)
            prices = price_of_channels(model, batches, metric=metric, subsets=subsets, transforms="dihedral", verbose=0)
            print(f"{name}, {len(samples)} {kind}", prices, sep="\n", flush=True)


def _random() -> dict[str, keras.Model]:
    """GapNet as it comes, and the network of the trained weights before its training."""
    models = {}
    for seed in range(_RANDOM_STARTS):
        keras.utils.set_random_seed(seed)
        models[f"random, seed {seed}"] = keras_hpa.GapNet((None, None, 4), 28)
        keras.utils.set_random_seed(seed)
        models[f"random, as trained, seed {seed}"] = train_weights.build(28)
    return models


def _scaled(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / np.float32(255)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", default=["drawn"], help="weights files in place of the package's")
    parser.add_argument("--probe-only", action="store_true")
    parser.add_argument("--fields-only", action="store_true")
    parser.add_argument("--price", action="store_true", help="what missing stains cost, and nothing else")
    args = parser.parse_args(argv)
    root = Path(os.environ["KERAS_HPA_DATA"])
    models = {name: train_weights.build(28, weights=name) for name in args.weights}

    if args.price:
        print_prices(models, root)
        return
    if not args.fields_only:
        cells = Hep2(root)
        green = protein_only(cells.images)
        networks = {name: taps(model)(green) for name, model in (_random() | models).items()}
        cells_alone = cells.images[..., None].astype("float32")
        networks["SqueezeNet, ImageNet"] = squeezenet(root, cells.images.shape[1]).predict(cells_alone, verbose=0)
        networks["TextureFeatures"] = texture_of(cells.images)
        print(f"HEp-2 probe, macro-F1 ({_DRAWS} draws)", *(f"{num} cells" for num in _CELLS_A_CLASS), sep=" | ")
        for name, features in networks.items():
            print(name, *map(with_error, cells.probe(features).values()), sep=" | ", flush=True)
    if not args.probe_only:
        samples = keras_hpa.load_kaggle(root / "atlas_sample")
        images = np.stack([samples.read(index) for index in range(len(samples))])
        print(f"{len(samples)} real fields, macro AUC", *_FIELD_SIZES, sep=" | ")
        for name, model in models.items():
            aucs = [field_auc(samples.labels, field_scores(model, images, size)) for size in _FIELD_SIZES]
            print(name, *(f"{auc:.3f}" for auc in aucs), sep=" | ", flush=True)
        judge = GapNetPL(root / "gapnet_pl" / "gapnet-pl.ckpt")
        published = np.stack([judge.predict(image, 512) for image in images])
        print(f"GapNet-PL at 512, its 13 classes: {field_auc(to_gapnet_pl_classes(samples.labels), published):.3f}")


if __name__ == "__main__":
    main()
