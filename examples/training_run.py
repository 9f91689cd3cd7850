"""What the examples share: their options, a training that can be stopped and resumed, the files they write."""

import argparse
import csv
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from run_report import write_report
from sklearn.metrics import f1_score

import keras_hpa

History = dict[str, list[float]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of every example; what is left out comes from the preset."""
    parser.add_argument("--output", type=Path, required=True, help="folder for everything that is written")
    parser.add_argument("--pack", type=Path, help="folder: resize the images into it once, then read at memory speed")
    parser.add_argument("--image-size", type=int, help="height and width in pixels that images are resized to")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--epochs", type=int, help="of each stage of the training")
    parser.add_argument("--steps", type=int, help="batches an epoch; 0 for a full pass over the samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="threads that read images while the model trains")
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
    run = argparse.Namespace(**{**vars(args), **preset, **changed, **given})
    # What a resumed training must share with the one it goes on with; it may well be longer.
    shaping = {*preset, "preset", "seed", "weights", "backbone", "scale"} - {"epochs", "reestimate_batch_norm"}
    run.shaping = {name: str(value) for name, value in vars(run).items() if name in shaping}
    run.stopped = False
    return run


def prepare_output(run: argparse.Namespace) -> None:
    """Makes the output folder and, unless a training is resumed, removes what an earlier one left for that."""
    run.output.mkdir(parents=True, exist_ok=True)
    if not run.resume:
        for folder in run.output.glob("stage*"):
            shutil.rmtree(folder)
        for file in run.output.glob("best.*"):
            file.unlink()


def data_folder(run: argparse.Namespace) -> Path:
    """The folder given by `--data`; without one, a data set in Kaggle's layout that is drawn into the output folder."""
    if run.data is not None:
        return run.data
    folder = run.output / "synthetic_atlas"
    num_samples, num_test, size = (240, 40, 128) if run.quick else (2400, 400, 512)
    print(f"No --data: {num_samples} samples of {size}x{size} pixels are drawn into {folder}.")
    atlas = keras_hpa.SyntheticAtlas(num_samples, image_size=(size, size), balance="uniform", seed=run.seed)
    atlas.save(folder, num_test=num_test)
    return folder


def packed(run: argparse.Namespace, samples: keras_hpa.Samples, interpolation: str = "area") -> keras_hpa.Samples:
    """The samples; with `--pack` their images have the size of the training and lie in a memory map, made once."""
    if run.pack is None:
        return samples
    return samples.packed(run.pack, image_size=run.image_size, interpolation=interpolation)


def make_sequence(
    run: argparse.Namespace, samples: keras_hpa.Samples, **options: object
) -> keras_hpa.MultiChannelSequence:
    """Batches of samples, as the settings of the run have them."""
    return samples.batches(
        batch_size=run.batch_size, image_size=run.image_size, seed=run.seed, workers=run.workers, **options
    )


def epochs_of_stages(run: argparse.Namespace, num_stages: int) -> Sequence[int]:
    return [run.epochs] * num_stages if isinstance(run.epochs, int) else run.epochs


def fit(
    model: keras.Model,
    training: keras_hpa.MultiChannelSequence,
    *,
    stage: int,
    run: argparse.Namespace,
    epochs: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **arguments: object,
) -> History:
    """Trains a compiled model; on Ctrl-C keeps what was trained; with `--resume` goes on after the last whole epoch.

    Returns the history of all epochs, also of those before an interruption. After Ctrl-C later stages do nothing.
    """
    if run.stopped:
        return {}
    backup = keras_hpa.TrainingBackup(run.output / f"stage{stage}", callbacks=callbacks, settings=run.shaping)
    first_epoch = backup.restore(model) if run.resume else 0
    if first_epoch:
        print(f"Stage {stage}: resumed after epoch {first_epoch} of {epochs}")
    if first_epoch >= epochs:
        return backup.history
    for later in run.output.glob("stage*"):
        if later.name > f"stage{stage}":
            shutil.rmtree(later)  # they went on from another end of this stage
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
        run.stopped = True
        print(f"\nStage {stage} stopped: what was trained is used; --resume goes on after the last whole epoch.")
    return backup.history


def write_results(
    run: argparse.Namespace,
    title: str,
    model: keras.Model,
    calibrator: keras_hpa.ThresholdCalibrator,
    validation: keras_hpa.MultiChannelSequence,
    scores: np.ndarray,
    histories: dict[str, History],
    **facts: object,
) -> None:
    """Prints how the classes fare and writes everything that a run leaves behind, report.html before all.

    `validation` are the samples that `scores` belong to; `histories` has one history for each stage of the training;
    `facts` stand among the report's settings.
    """
    print_scores(calibrator, scores, validation.labels)
    np.savez(run.output / "validation_scores.npz", ids=validation.source.ids, scores=scores, labels=validation.labels)
    save_for_prediction(model, run.output / "model.keras")
    calibrator.save(run.output / "thresholds.json")
    write_history(run.output / "history.csv", histories)
    for number, history in enumerate(histories.values(), start=1):
        metrics = [name for name in ("loss", "macro_f1", "accuracy") if name in history]
        if metrics and (number == 1 or len(history["loss"]) > 1):
            figure = keras_hpa.plots.plot_learning_curves(history, metrics)
            figure.savefig(run.output / ("learning_curves.png" if number == 1 else f"learning_curves_{number}.png"))
    keras_hpa.plots.plot_thresholds(calibrator).savefig(run.output / "thresholds.png")
    settings = {name: value for name, value in vars(run).items() if name not in ("shaping", "stopped")}
    write_report(
        run.output / "report.html",
        title=title,
        model=model,
        validation=validation,
        scores=scores,
        calibrator=calibrator,
        histories=histories,
        settings=settings | facts,
    )
    print(f"\nEverything lies in {run.output}; report.html shows it.")


def write_history(path: Path, stages: dict[str, History]) -> None:
    """Writes a row per epoch, the stages one after the other."""
    names = list(dict.fromkeys(name for history in stages.values() for name in history))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "epoch", *names])
        for stage, history in stages.items():
            columns = [history.get(name, ()) for name in names]
            for epoch in range(max(map(len, columns), default=0)):
                writer.writerow([stage, epoch + 1, *(column[epoch] if column else "" for column in columns)])


def save_for_prediction(model: keras.Model, path: Path) -> None:
    """Saves a model without the optimizer's state, which is twice as large as the model."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    copy.save(path)


def print_scores(calibrator: keras_hpa.ThresholdCalibrator, scores: np.ndarray, labels: np.ndarray) -> None:
    """Prints the table of classes: support, threshold, F1 and more; and macro-F1 at fixed and at fitted thresholds."""
    print(f"\n{calibrator.report()}")
    print("\nmacro-F1 on the validation samples (the fitted thresholds have seen them):")
    for name, predicted in (
        ("0.2 for all", scores >= 0.2),
        ("0.5 for all", scores >= 0.5),
        (f"method {calibrator.method!r}", calibrator.predict(scores)),
    ):
        print(f"  {name:18}{f1_score(labels, predicted, average='macro', zero_division=0):.3f}")
