"""What the examples share: their options, a training that can be stopped and resumed, the files they write."""

import argparse
import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import keras_hpa
from keras_hpa.f_beta import f_beta_per_class, mean_f_beta
from keras_hpa.files import hold, read_manifest, replacing, write_csv, write_json

History = dict[str, list[float]]

MANIFEST = "run.json"
# What a run writes into its folder.
OURS = re.compile(
    r"stage\d+|(model|best)\.keras|(best|gapnet_pl)\.weights\.h5|thresholds\.json|validation_scores\.npz"
    r"|(history|submission|predictions|cells)\.csv|report\.html|learning_curves(_\d+)?\.png|(channels|thresholds|cells_\d+)\.png"
)
# A resumed training may be longer, and read its images from another place or in another way.
MAY_CHANGE = {
    *("output", "data", "images", "labels", "predict", "pack", "workers", "resume", "quick"),
    *("epochs", "reestimate_batch_norm"),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every example; what is left out comes from the preset."""
    parser.add_argument("--output", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--pack", type=Path, help="folder: resize the images into it once, then read at memory speed")
    parser.add_argument("--image-size", type=int, help="height and width in pixels that images are resized to")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--epochs", type=int, help="of each stage of the training")
    parser.add_argument("--steps", type=int, help="batches an epoch; 0 for a full pass over the samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that read images while the model trains")
    parser.add_argument("--resume", action="store_true", help="go on with the training that lies in the output folder")
    parser.add_argument("--quick", action="store_true", help="a small setting for a laptop; it says what it changes")


def add_kaggle_options(parser: argparse.ArgumentParser) -> None:
    """The options of the examples that read Kaggle's folder."""
    parser.add_argument("--data", type=Path, help="Kaggle's folder; without it a data set is drawn")
    add_options(parser)


def choose_settings(args: argparse.Namespace, preset: dict, quick: dict) -> argparse.Namespace:
    """The preset, what `--quick` changes in it, and what the command line gives, the later over the earlier."""
    given = {name: value for name, value in vars(args).items() if value is not None}
    changed = {name: value for name, value in quick.items() if args.quick and name not in given}
    for name, value in changed.items():
        print(f"--quick: {name.replace('_', ' ')} {value} in place of {preset[name]}")
    return argparse.Namespace(**{**vars(args), **preset, **changed, **given})


def load_kaggle(settings: argparse.Namespace, interpolation: str = "area") -> tuple[Path, keras_hpa.Samples]:
    """Kaggle's folder, drawn into the output folder unless `--data` gives it, and its samples, packed with `--pack`."""
    folder = settings.data
    if folder is None:
        folder = settings.output / "synthetic_atlas"
        num_samples, num_test, size = (240, 40, 128) if settings.quick else (2400, 400, 512)
        print(f"No --data: {num_samples} samples of {size}x{size} pixels are drawn into {folder}.")
        atlas = keras_hpa.SyntheticAtlas(num_samples, image_size=(size, size), balance="uniform", seed=settings.seed)
        atlas.save(folder, num_test=num_test)
    return folder, packed(settings, keras_hpa.load_kaggle(folder), interpolation)


def packed(settings: argparse.Namespace, samples: keras_hpa.Samples, interpolation: str = "area") -> keras_hpa.Samples:
    """The samples; with `--pack` their images have the size of the training and lie in a memory map, made once."""
    if settings.pack is None:
        return samples
    size = {"image_size": settings.image_size, "interpolation": interpolation}
    return samples.packed(settings.pack, **size, **framing(settings))


def batching(settings: argparse.Namespace) -> dict[str, object]:
    """The options of `Samples.batches` that every sequence of a run has."""
    return {name: getattr(settings, name) for name in ("batch_size", "image_size", "seed", "workers")} | framing(
        settings
    )


def framing(settings: argparse.Namespace) -> dict[str, object]:
    """How images come to their size, in examples that ask for it."""
    return {name: getattr(settings, name) for name in ("fit", "pixel_size") if hasattr(settings, name)}


class TrainingRun:
    """A folder with a training, which can be stopped and resumed, and with what the training gave.

    The folder may hold other files: only a folder in which a run wrote `run.json` is taken for one, and then only what
    a run writes is replaced.

    Args:
        settings: the options of the run.
    """

    def __init__(self, settings: argparse.Namespace) -> None:
        self.folder: Path = settings.output
        self.settings = vars(settings)
        self.was_stopped = False
        self._lock = hold(self.folder, wait=False)  # until the run is garbage
        manifest = self.folder / MANIFEST
        if manifest.exists():
            read_manifest(manifest, "keras_hpa run", {1: {}})
        elif names := sorted(path.name for path in self.folder.iterdir() if OURS.fullmatch(path.name)):
            raise ValueError(
                "`--output` must be a new folder, that of an earlier run, or hold nothing that a run would replace. "
                f"Received: {self.folder}, which holds {', '.join(names)} and no {MANIFEST}"
            )
        write_json(manifest, "keras_hpa run", 1, {})
        if not settings.resume:
            self._forget_stages(1)
            for name in ("best.keras", "best.weights.h5"):
                (self.folder / name).unlink(missing_ok=True)

    def fit(
        self,
        model: keras.Model,
        training: keras_hpa.MultiChannelSequence,
        *,
        stage: int,
        epochs: int | Sequence[int],
        callbacks: Sequence[keras.callbacks.Callback] = (),
        **arguments: object,
    ) -> History:
        """Trains a compiled model; on Ctrl-C keeps what was trained; resumed, goes on after the last whole epoch.

        `epochs` is a number or one for each stage. Returns the history of all epochs, also of those before an
        interruption. After Ctrl-C later stages do nothing.
        """
        if self.was_stopped:
            return {}
        epochs = epochs if isinstance(epochs, int) else epochs[stage - 1]
        shaping = {name: str(value) for name, value in self.settings.items() if name not in MAY_CHANGE}
        backup = keras_hpa.TrainingBackup(self.folder / f"stage{stage}", callbacks=callbacks, settings=shaping)
        first_epoch = backup.restore(model)
        if first_epoch:
            print(f"Stage {stage}: resumed after epoch {first_epoch} of {epochs}")
        if first_epoch >= epochs:
            return backup.history
        self._forget_stages(stage + 1)  # they went on from another end of this stage
        training.epoch = first_epoch
        try:
            model.fit(
                training,
                shuffle=False,  # the sequence shuffles samples; there is no need to shuffle batches too
                epochs=epochs,
                initial_epoch=first_epoch,
                callbacks=[*callbacks, backup],
                **arguments,
            )
        except KeyboardInterrupt:
            self.was_stopped = True
            print(f"\nStage {stage} stopped: what was trained is used; --resume goes on after the last whole epoch.")
        return backup.history

    def save_model(self, model: keras.Model) -> None:
        """Saves a model without the optimizer's state, which is twice as large as the model."""
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        with replacing(self.folder / "model.keras") as temporary:
            copy.save(temporary)

    def write_results(
        self,
        title: str,
        model: keras.Model,
        calibrator: keras_hpa.ThresholdCalibrator,
        samples: keras_hpa.Samples,
        scores: np.ndarray,
        histories: dict[str, History],
        *,
        batches: keras_hpa.MultiChannelSequence,
        **facts: object,
    ) -> None:
        """Prints the classes' scores and writes what a run leaves beside its model, report.html above all.

        `samples` are those that `scores` belong to, `batches` how the model reads them; `histories` has one history
        for each stage of the training; `facts` are added to the settings in the run report.
        """
        calibrator.save(self.folder / "thresholds.json")
        with replacing(self.folder / "validation_scores.npz") as temporary:
            np.savez(temporary, ids=samples.ids, scores=scores, labels=samples.labels)
        self._write_history(histories)
        print_scores(calibrator, scores, samples)
        for number, history in enumerate(histories.values(), start=1):
            metrics = [name for name in ("loss", "macro_f1", "accuracy") if name in history]
            if metrics and (number == 1 or len(history["loss"]) > 1):
                name = "learning_curves.png" if number == 1 else f"learning_curves_{number}.png"
                self.write_figure(name, keras_hpa.plots.plot_learning_curves(history, metrics))
        self.write_figure("thresholds.png", keras_hpa.plots.plot_thresholds(calibrator))
        keras_hpa.report.write_report(
            self.folder / "report.html",
            samples,
            scores,
            calibrator,
            title=title,
            model=model,
            batches=batches,
            histories=histories,
            settings=self.settings | facts,
        )
        print(f"\nEverything lies in {self.folder}; report.html shows it.")

    def write_figure(self, name: str, figure: object) -> None:
        with replacing(self.folder / name) as temporary:
            figure.savefig(temporary)

    def _write_history(self, stages: dict[str, History]) -> None:
        """Writes a row per epoch, the stages one after the other."""
        names = list(dict.fromkeys(name for history in stages.values() for name in history))
        rows = [["stage", "epoch", *names]]
        for stage, history in stages.items():
            columns = [history.get(name, ()) for name in names]
            for epoch in range(max(map(len, columns), default=0)):
                rows.append([stage, epoch + 1, *(column[epoch] if column else "" for column in columns)])
        write_csv(self.folder / "history.csv", rows)

    def _forget_stages(self, first: int) -> None:
        """Lets the stages from `first` on begin anew."""
        for backup in self.folder.glob("stage*/backup.json"):
            if (match := re.fullmatch(r"stage(\d+)", backup.parent.name)) and int(match[1]) >= first:
                backup.unlink()


class KeepBest(keras.callbacks.Callback):
    """Keeps the model, or its weights, of the epoch with the lowest validation loss; `path` is whole at any time."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.best = float("inf")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {})["val_loss"]
        if loss < self.best:
            self.best = loss
            with replacing(self.path) as temporary:
                if self.path.name.endswith(".weights.h5"):
                    self.model.save_weights(temporary)
                else:
                    self.model.save(temporary)


def print_scores(calibrator: keras_hpa.ThresholdCalibrator, scores: np.ndarray, samples: keras_hpa.Samples) -> None:
    """Prints a table of the classes, and macro-F1 at fixed thresholds and at fitted ones."""
    print(f"\n{calibrator.report()}")
    print(f"\nMacro-F1 on the {len(samples)} validation samples:")
    for threshold in (0.2, 0.5):
        per_class = f_beta_per_class(samples.labels, scores >= threshold)
        print(f"  {threshold} for all                               {mean_f_beta(per_class):.3f}")
    print(f"  fitted on them, by rule {calibrator.rule!r:16}{calibrator.score(scores, samples.labels):.3f}")
    if len(samples) > 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of classes that a half lacks
            groups = samples.groups if len(set(samples.groups or ())) > 1 else None  # one cannot be parted
            cross_fitted = keras_hpa.cross_fit(calibrator, scores, samples.labels, groups)
        print(f"  fitted on other samples, by cross_fit   {cross_fitted:.3f}")
