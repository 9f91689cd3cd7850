"""How far validation lags behind training, by normalisation and number of steps.

    python benchmarks/batch_norm_lag.py                       # the table of docs/explanation/models.md
    python benchmarks/batch_norm_lag.py --steps 30 100

GapNet is trained on drawn cells for each number of steps, in six epochs. In training, BatchNorm uses the statistics of
the batch, so one training serves every rule for the moving statistics: this program follows all of them beside it.
After each epoch it scores validation images with the statistics of each rule, and with statistics taken again from the
training images. "lag" is the largest difference of macro-F1 at 0.5 from the third epoch on, "loss" the largest excess
of the cross-entropy, "final" macro-F1 at the end. Mean and standard error over the seeds. Group normalisation has no
statistics and is trained on its own.
"""

import argparse
from collections import defaultdict

import keras
import numpy as np
from sklearn.metrics import log_loss
from trials import macro_f1

import keras_hpa

# The momentum of the update number `t`, which counts from 0.
RULES = {
    "momentum .99": lambda t: 0.99,
    "momentum .9": lambda t: 0.9,
    ".99 without its start": lambda t: 0.99 * (1 - 0.99**t) / (1 - 0.99 ** (t + 1)),
    "(1 + t) / (10 + t), at most .99": lambda t: min(0.99, (1 + t) / (10 + t)),
    "(1 + t) / (10 + t), at most .9": lambda t: min(0.9, (1 + t) / (10 + t)),
}
AGAIN = "taken again"
# Locations that 600 small drawings can teach.
CLASSES = [0, 2, 7, 14, 21, 23, 25]


class Followed(keras.callbacks.Callback):
    """Follows every rule; needs BatchNormalization of momentum 0, whose statistics are those of the last batch."""

    def __init__(self, training, validation, batch_size):
        super().__init__()
        self.training, self.validation, self.batch_size = training, validation, batch_size
        self.updates, self.history = 0, defaultdict(list)

    def set_model(self, model):
        super().set_model(model)
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        self.weights = [weight for norm in norms for weight in (norm.moving_mean, norm.moving_variance)]
        self.statistics = {rule: self.read() for rule in RULES}

    def read(self):
        return [keras.ops.convert_to_numpy(weight) for weight in self.weights]

    def write(self, values):
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)

    def on_train_batch_end(self, batch, logs=None):
        last = self.read()
        for rule, followed in self.statistics.items():
            momentum = RULES[rule](self.updates)
            self.statistics[rule] = [
                momentum * old + (1 - momentum) * new for old, new in zip(followed, last, strict=True)
            ]
        self.updates += 1

    def on_epoch_end(self, epoch, logs=None):
        if epoch < 2:
            return
        last = self.read()
        for rule, values in self.statistics.items():
            self.write(values)
            self.history[rule].append(self.score())
        images, size = self.training[:192], self.batch_size
        keras_hpa.reestimate_batch_norm(self.model, [images[i : i + size] for i in range(0, len(images), size)])
        self.history[AGAIN].append(self.score())
        self.write(last)

    def score(self):
        return score(self.model, *self.validation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=(30, 100, 500, 3000))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--filters", type=int, nargs="+", default=(8, 16, 32))
    parser.add_argument("--image-size", type=int, default=48)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--samples", type=int, nargs=2, default=(400, 200), help="training and validation images")
    parser.add_argument("--plate", action="store_true", help="spots in noise, learned in 60 steps, in place of cells")
    args = parser.parse_args()

    (images, labels), validation = (
        (plate if args.plate else draw)(count, seed, args.image_size)
        for seed, count in enumerate(args.samples, start=1)
    )
    print("| normalisation | steps | lag | loss | final |\n| --- | --- | --- | --- | --- |")
    for steps in args.steps:
        rows = defaultdict(list)
        for seed in range(args.seeds):
            for normalization in ("batch", "group"):
                keras.utils.set_random_seed(seed)
                model = keras_hpa.GapNet(
                    images.shape[1:],
                    labels.shape[1],
                    input_dtype="uint8",
                    filters=args.filters,
                    depths=[1] * len(args.filters),
                    head_units=(64,),
                    head_dropout=(0.25,),
                    normalization=normalization,
                    batch_norm_momentum=0.0,
                )
                model.compile(keras.optimizers.Adam(args.learning_rate), "binary_crossentropy")
                batches = keras_hpa.MultiChannelSequence(
                    keras_hpa.ArraySource(images),
                    labels,
                    batch_size=args.batch_size,
                    shuffle=True,
                    seed=seed,
                    dtype="source",
                    batches_per_epoch=steps // 6,
                )
                followed = Followed(images, validation, args.batch_size)
                callbacks = [followed] if normalization == "batch" else []
                model.fit(batches, epochs=6, shuffle=False, verbose=0, callbacks=callbacks)
                if normalization == "group":
                    rows["group norm"].append((0.0, 0.0, score(model, *validation)[0]))
                    continue
                again = np.array(followed.history.pop(AGAIN))
                rows[AGAIN].append((0.0, 0.0, again[-1, 0]))
                for rule, history in followed.history.items():
                    difference = np.array(history) - again
                    rows[rule].append((np.abs(difference[:, 0]).max(), difference[:, 1].max(), history[-1][0]))
        for name, values in rows.items():
            means, errors = np.mean(values, 0), np.std(values, 0, ddof=1) / len(values) ** 0.5
            cells = [f"{mean:.3f} ± {error:.3f}" for mean, error in zip(means, errors, strict=True)]
            print(f"| {name} | {steps} | {' | '.join(cells)} |", flush=True)


def score(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Macro-F1 at 0.5 and cross-entropy."""
    scores = model.predict(images, batch_size=len(images), verbose=0)
    loss = log_loss(labels.ravel(), scores.ravel())
    return macro_f1(labels, scores >= 0.5), loss


def plate(count: int, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise in four channels, each with spots in half of the images: as easy as an assay with bright controls."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (count, 4))
    spots = (rng.random((count, size, size, 4)) < 0.05) * labels[:, None, None]
    noise = rng.normal(40, 10, spots.shape) * rng.uniform(0.5, 2, (count, 1, 1, 4))
    return np.clip(noise + 120 * spots, 0, 255).astype("uint8"), labels


def draw(count: int, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    source = keras_hpa.SyntheticAtlas(count, image_size=(size, size), seed=seed, balance="uniform")
    return np.stack([source.read(index) for index in range(count)]), source.labels[:, CLASSES]


if __name__ == "__main__":
    main()
