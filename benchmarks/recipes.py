"""What beats plain cross-entropy from scratch, at equal steps: one ingredient at a time, then what pays together.

    python benchmarks/recipes.py                                   one seed of each ingredient
    python benchmarks/recipes.py --only plain recipe --seeds 5     five of two arms, compared sample by sample
    KERAS_HPA_DATA=FOLDER python benchmarks/recipes.py --hep2 --only plain recipe --seeds 5     on mosaics of real cells

Every arm starts from random weights and takes as many steps on as many drawings, in which all 28 classes are equally
frequent. Macro-F1 on other drawings, at cross-fitted thresholds. Mosaics are fields of real HEp-2 cells of two or three
of six patterns; cells of other specimens judge. Scores are kept in --output; the same command goes on.
"""

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from cell_mosaics import Hep2Mosaics
from trials import in_memory, macro_f1, warm_up_and_cosine, with_error

import keras_hpa
from keras_hpa.evaluation import compare

_BATCH_SIZE = 32
_EPOCHS = 20
_CYCLE = {"rate": 3e-3, "cosine": True}
_NO_DROPOUT = {"dropout": 0.0, "head_dropout": (0.0, 0.0)}
ARMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "the report's GapNet": {"network": {"variant": "report"}},
    "eight symmetries in training": {"augment": ["dihedral"]},
    "eight symmetries averaged at the end": {"transforms": "dihedral"},
    "gain of each channel": {"augment": [keras_hpa.ChannelGain(0.3)]},
    "windows where the protein is bright": {"augment": ["bright windows"]},
    "warm-up to 3e-3, cosine to zero": _CYCLE,
    "the same with AdamW": _CYCLE | {"weight_decay": 0.01},
    "weights averaged (Keras's EMA)": {"ema": True},
    "cross-entropy + MacroF1Loss": {"loss": "sum"},
    "cross-entropy and MacroF1Loss in turn": {"loss": "in turn"},
    "rare labels drawn more often": {"sampler": "rare_labels"},
    "label smoothing of .05": {"label_smoothing": 0.05},
    "mixup": {"mixup": True},
    "group norm": {"network": {"normalization": "group"}},
    "a head of 512 and 512": {"network": {"head_units": (512, 512)}},
    "half as many filters again": {"network": {"filters": (48, 96, 192)}},
    "128 pixels instead of 96": {"size": 128},
    "each channel of each image standardized": {"standardize": True},
    "no dropout": {"network": _NO_DROPOUT},
}
ARMS["recipe"] = _CYCLE | {
    "size": 128,
    "augment": ["dihedral"],
    "transforms": "dihedral",
    "standardize": True,
    "network": _NO_DROPOUT,
}


def train_and_score(
    train: keras_hpa.Samples,
    test: keras_hpa.Samples,
    *,
    num_steps: int,
    seed: int,
    size: int = 96,
    augment: Sequence[Any] = (),
    transforms: str | None = None,
    rate: float = 1e-3,
    cosine: bool = False,
    weight_decay: float = 0.0,
    ema: bool = False,
    loss: str = "crossentropy",
    sampler: str | None = None,
    label_smoothing: float = 0.0,
    mixup: bool = False,
    standardize: bool = False,
    network: dict[str, Any] | None = None,
) -> np.ndarray:
    """The scores of `test` by a GapNet that was trained on `train`."""
    assert train.labels is not None
    keras.utils.set_random_seed(seed)
    batches: Any = train.batches(
        batch_size=_BATCH_SIZE,
        image_size=size,
        shuffle=sampler is None,
        seed=seed,
        sampler=sampler,
        augment=[_bright_window if one == "bright windows" else one for one in augment] or None,
        batches_per_epoch=num_steps // _EPOCHS,
        dtype="source",
        workers=1,
    )
    model = keras_hpa.GapNet(
        (None, None, len(train.channels)),
        train.labels.shape[1],
        input_dtype="uint8",
        preprocessing=keras_hpa.ImageStandardization() if standardize else None,
        **network or {},
    )
    schedule: Any = warm_up_and_cosine(rate, num_steps) if cosine else rate
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay, use_ema=ema, ema_momentum=0.99)
    crossentropy = keras_hpa.BinaryCrossentropy(label_smoothing=label_smoothing)
    losses = TwoLosses(crossentropy, keras_hpa.MacroF1Loss(), in_turn=loss == "in turn")
    model.compile(optimizer, crossentropy if loss == "crossentropy" else losses.loss)
    model.fit(Mixed(batches, seed) if mixup else batches, epochs=_EPOCHS, callbacks=[losses], verbose=0)
    if ema:
        optimizer.finalize_variable_values(model.trainable_variables)
        keras_hpa.reestimate_batch_norm(model, batches, steps=40)
    ordered = test.batches(batch_size=64, image_size=size, dtype="source", workers=1)
    return np.asarray(keras_hpa.predict_scores(model, ordered, transforms, verbose=0))


class TwoLosses(keras.callbacks.Callback):
    """Two losses added, or each in every second epoch."""

    def __init__(self, first: keras.losses.Loss, second: keras.losses.Loss, *, in_turn: bool) -> None:
        super().__init__()
        self.losses, self.in_turn = (first, second), in_turn
        self.shares = keras.Variable([1.0, 1.0], trainable=False)

    def loss(self, y_true: Any, y_pred: Any) -> Any:
        first, second = (loss(y_true, y_pred) for loss in self.losses)
        return self.shares[0] * first + self.shares[1] * second

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.in_turn:
            self.shares.assign([1.0, 0.0] if epoch % 2 == 0 else [0.0, 1.0])


class Mixed(keras.utils.PyDataset):
    """Batches in which each image and its labels are mixed with another's."""

    def __init__(self, batches: keras_hpa.MultiChannelSequence, seed: int) -> None:
        super().__init__()
        self.batches, self.rng = batches, np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self.batches[index]
        share = self.rng.beta(0.2, 0.2, len(images))
        mixed = [share * one.T + (1 - share) * np.roll(one, 1, axis=0).T for one in (images, labels)]
        return np.round(mixed[0].T).astype(images.dtype), mixed[1].T.astype("float32")

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()


def _bright_window(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of four random windows of two thirds the one with the brightest protein."""
    side = 2 * len(image) // 3
    corners = rng.integers(len(image) - side + 1, size=(4, 2))
    windows = [image[top : top + side, left : left + side] for top, left in corners]
    return np.ascontiguousarray(max(windows, key=lambda window: window[..., min(1, image.shape[-1] - 1)].mean()))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(ARMS), default=list(ARMS), metavar="ARM")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--train", type=int, default=2000, help="fields to train on")
    parser.add_argument("--test", type=int, default=1500, help="fields to judge by")
    parser.add_argument("--hep2", action="store_true", help="mosaics of real cells instead of drawings")
    parser.add_argument("--output", type=Path, default=Path("out/recipes"))
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    train, test = (_mosaics if args.hep2 else _drawings)(args.train, args.test)
    assert test.labels is not None
    kind = "mosaics" if args.hep2 else "drawings"
    print(f"{args.steps} steps of {_BATCH_SIZE}, {args.train} {kind} | macro-F1 | - plain | s", flush=True)
    scores: dict[str, list[np.ndarray]] = {}
    for name in args.only:
        began = time.perf_counter()
        for seed in range(args.seeds):
            path = args.output / f"{kind}-{name.replace(' ', '_')}-{args.steps}-{args.train}-{args.test}-{seed}.npy"
            if not path.exists():
                np.save(path, train_and_score(train, test, num_steps=args.steps, seed=seed, **ARMS[name]))
            scores.setdefault(name, []).append(np.load(path))
        found = [_macro_f1(test.labels, one) for one in scores[name]]
        gain = np.subtract(found, [_macro_f1(test.labels, one) for one in scores.get("plain", scores[name])])
        print(
            name,
            with_error(found),
            with_error(gain, "+.3f"),
            f"{time.perf_counter() - began:.0f}",
            sep=" | ",
            flush=True,
        )
    if {"plain", "recipe"} <= scores.keys():
        plain, recipe = ([_labels(test.labels, one) for one in scores[name]] for name in ("plain", "recipe"))
        print(compare(plain, recipe, test.labels))


def _drawings(num_train: int, num_test: int) -> tuple[keras_hpa.Samples, keras_hpa.Samples]:
    drawn = keras_hpa.SyntheticAtlas(num_train + num_test, image_size=128, balance="uniform", seed=20).samples
    images = in_memory(drawn.read, range(len(drawn)))
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images, channels=drawn.channels), drawn.labels)
    return samples[:num_train], samples[num_train:]


def _mosaics(num_train: int, num_test: int) -> tuple[keras_hpa.Samples, keras_hpa.Samples]:
    cells = Hep2Mosaics(Path(os.environ["KERAS_HPA_DATA"]), seed=0)
    return cells.part_of("train", num_train).fields, cells.part_of("test", num_test).fields


def _labels(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """At thresholds that were fitted on other samples."""
    return np.asarray(keras_hpa.cross_fit_predict("auto", scores, labels))


def _macro_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    return macro_f1(labels, _labels(labels, scores))


if __name__ == "__main__":
    main()
