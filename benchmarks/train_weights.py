"""Trains GapNet on drawings alone. What it gave so far is not good enough to come with the package.

    python benchmarks/train_weights.py --output run                  hours on two cores; the same command goes on
    python benchmarks/train_weights.py --output run --steps 600      a trial, to compare ingredients

Nobody's pictures are in it: `SyntheticAtlas` draws fields, and the network sees windows of them, turned, brighter and
darker. The weights are averaged over the steps (exponentially), and their moving statistics taken again at the end.
`benchmarks/weights.py` says what they know of real cells.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

import keras_hpa

_SIZE = 128  # pixels a side
_BATCH_SIZE = 32
_STEPS_AN_EPOCH = 200


class Windows:
    """A source of square windows of fields, each a pure function of its index: several scales, one size.

    Args:
        fields: square fields of bytes.
        per_field: windows in each field.
        closest: the side of the smallest window as a part of the field's; 1 for whole fields.
    """

    def __init__(self, fields: keras_hpa.Samples, *, per_field: int, closest: float) -> None:
        self.fields, self.per_field, self.closest = fields, per_field, closest
        self.channels = fields.channels
        self.ids = [f"{field}-{window}" for field in fields.ids for window in range(per_field)]

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> npt.NDArray[np.uint8]:
        field = self.fields.read(index // self.per_field)
        rng = np.random.default_rng(index)
        side = round(len(field) * self.closest ** float(rng.random()))
        top, left = rng.integers(len(field) - side + 1, size=2)
        window = np.ascontiguousarray(field[top : top + side, left : left + side])
        return cv2.resize(window, (_SIZE, _SIZE), interpolation=cv2.INTER_AREA if side > _SIZE else cv2.INTER_LINEAR)


class ProteinOnly:
    """Darkens all channels but the protein in a share of the images."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, image: npt.NDArray, rng: np.random.Generator) -> npt.NDArray:
        if rng.random() < self.share:
            image[..., [channel for channel, name in enumerate(keras_hpa.atlas.CHANNELS) if name != "green"]] = 0
        return image


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of drawings, backup and weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fields", type=int, default=8000)
    parser.add_argument("--field-size", type=int, default=256, help="pixels a side of a drawing")
    parser.add_argument("--windows", type=int, default=4, help="of each field")
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest")
    parser.add_argument("--closest", type=float, default=0.4, help="the smallest window, as a part of the field's side")
    parser.add_argument("--protein-only", type=float, default=0.15, help="the share of windows with the protein alone")
    parser.add_argument("--gain", type=float, default=0.5, help="of ChannelGain")
    parser.add_argument("--drawings", type=Path, help="drawings made before; else in --output")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)

    atlas = keras_hpa.SyntheticAtlas(args.fields, image_size=args.field_size, balance="uniform", seed=101 + args.seed)
    fields = atlas.samples.packed(args.drawings or args.output / "drawings")
    windows = Windows(fields, per_field=args.windows, closest=args.closest)
    samples = keras_hpa.Samples(windows, np.repeat(fields.labels, args.windows, axis=0), class_names=fields.class_names)
    batches = samples.batches(
        batch_size=_BATCH_SIZE,
        shuffle=True,
        seed=args.seed,
        batches_per_epoch=_STEPS_AN_EPOCH,
        augment=["dihedral", keras_hpa.ChannelGain(args.gain, offset=0.0), ProteinOnly(args.protein_only)],
        dtype="source",
        workers=1,
    )
    model = keras_hpa.GapNet((_SIZE, _SIZE, 4), len(fields.class_names), input_dtype="uint8")
    rate = keras.optimizers.schedules.CosineDecay(
        1e-4, args.steps, warmup_target=args.learning_rate, warmup_steps=min(500, args.steps // 10)
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4, use_ema=True, ema_momentum=0.998)
    model.compile(optimizer, loss="binary_crossentropy", metrics=[keras.metrics.AUC(multi_label=True, name="auc")])
    backup = keras_hpa.TrainingBackup(args.output / "backup", settings=vars(args) | {"output": "", "drawings": ""})
    model.fit(
        batches,
        epochs=args.steps // _STEPS_AN_EPOCH,
        initial_epoch=backup.restore(model),
        callbacks=[backup],
        verbose=2,
    )
    optimizer.finalize_variable_values(model.trainable_variables)
    keras_hpa.reestimate_batch_norm(model, batches, steps=_STEPS_AN_EPOCH)
    model.save_weights(args.output / "drawn.weights.h5")


if __name__ == "__main__":
    main()
