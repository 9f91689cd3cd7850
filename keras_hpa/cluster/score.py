"""Scores of more samples than one machine has time for."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cloudpickle
import numpy as np

from keras_hpa.cluster.actors import ray_running, run_blocks
from keras_hpa.cluster.block_files import Block, block_path, read_block
from keras_hpa.cluster.block_scorer import BlockScorer, Job, file_digest
from keras_hpa.data import Progress, Samples, Source, needs
from keras_hpa.files import hold, make_folder, read_manifest, refuse_changes, write_csv, write_json
from keras_hpa.inference import resolve_transforms, transform_name

if TYPE_CHECKING:
    from keras_hpa.inference import Transform
    from keras_hpa.thresholds import ThresholdCalibrator

_FORMAT, _VERSION = "keras_hpa cluster scores", 1
_FIELDS = {"settings": {str: object}, "block_size": range(1, 2**31)}
_MOST_IN_BLOCK = 1024


def score(
    model_path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    samples: Source,
    output: str | os.PathLike[str],
    *,
    num_workers: int,
    batch_size: int = 32,
    transforms: str | Sequence[Transform] | None = None,
    reduce: Literal["mean", "median", "max"] = "mean",
    tile_overlap: float | None = None,
    tile_size: int | tuple[int, int] | None = None,
    tile_reduce: Literal["mean", "max"] = "mean",
    image_size: int | tuple[int, int] | None = None,
    fit: Literal["stretch", "crop", "pad"] = "stretch",
    pixel_size: float | None = None,
    dtype: Literal["float32", "source"] = "float32",
    max_value: float | None = None,
    interpolation: Literal["area", "bilinear", "bicubic", "nearest"] = "area",
    embedding: bool | str = False,
    decide: ThresholdCalibrator | None = None,
    block_size: int | None = None,
    on_error: Literal["raise", "record"] = "raise",
    retry_errors: bool = False,
    num_cpus: float = 1,
    num_gpus: float = 0,
    address: str | None = None,
    verbose: int | str = "auto",
) -> dict[str, str]:
    """Scores samples by several processes of this machine or of a cluster, with what `predict_scores` computes.

    Processes (actors of Ray) load the model once. Each takes a block of samples, reads them itself, scores them by
    [`predict_scores`](predict_scores.md) and writes a Parquet file. A process that dies is replaced, and its block is
    done again. Needs the extra `ray`; on a cluster, keras-hpa on every machine.

    `output` then holds `scores/`, a table in Parquet files with a row per sample in the order of `samples`: `id`,
    `scores`, and as asked for `embedding` and `decisions`, each a list; `errors.csv`, the id of each sample without
    scores and the reason; and `manifest.json`. A block appears whole or not at all, so that each id is there once.

    After an interruption, of any process or of all, the same call does what is missing. What changed is refused:
    model, samples, their order, and all that scores depend on. Pixels are not compared.

    Args:
        model_path: a `.keras` file, or several, whose scores are averaged, that every machine finds under this path.
        samples: what to score: `Samples` or any source. Each process is sent a copy, which opens files and packs by
            the same paths, or images in object storage, where it runs.
        output: a folder, new or of an interrupted run, that every machine reaches under this path.
        num_workers: how many processes score.
        batch_size: images that the network is given at a time.
        transforms: as for `predict_scores`, and `reduce`, `tile_overlap`, `tile_size` and `tile_reduce` too.
        reduce: how transforms and models are combined.
        tile_overlap: cuts large images into tiles.
        tile_size: height and width of tiles.
        tile_reduce: how tiles are combined.
        image_size: as in `MultiChannelSequence`, and `fit`, `pixel_size`, `dtype`, `max_value` and `interpolation` too.
        fit: how images of other proportions come to `image_size`.
        pixel_size: micrometres per pixel to which images are brought.
        dtype: the type of the images.
        max_value: what becomes 1.
        interpolation: how images are resized.
        embedding: whether the table has a column of embeddings, of the layer that [`embed`](embed.md) takes by itself
            or of the one named here. They take no second pass. With one model alone.
        decide: a fitted calibrator, whose 0 and 1 become a column `decisions`.
        block_size: samples in a block, the unit of what is lost when a process dies. Unless given, up to 1,024.
        on_error: `"raise"` stops at the first sample that cannot be read or scored; `"record"` goes on without it. What
            no sample of a block survives, such as a wrong `dtype`, stops both, as do memory and disk that run out.
        retry_errors: whether blocks with recorded errors are done again.
        num_cpus: cores for each process: threads of the network, and readers of images.
        num_gpus: GPUs for each process.
        address: of a cluster of Ray. Unless given, the Ray that runs, `RAY_ADDRESS`, or one begun on this machine.
        verbose: 1 or `"auto"` shows progress, 0 does not.

    Returns:
        For the id of each sample without scores the reason.

    Raises:
        ImportError: without the extra `ray`.
        FileNotFoundError: if there is no file `model_path`.
        ValueError: if an argument is not as described, `output` holds scores of something else, or, unless recorded, a
            sample cannot be read or scored.
        OSError: if the disk is full, or, unless recorded, a sample cannot be read.
        RuntimeError: if a block ends its process time and again. Finished blocks are kept.

    Example:
        >>> errors = score("model.keras", samples, "screen", num_workers=8)  # doctest: +SKIP
        >>> table = pandas.read_parquet("screen/scores")  # doctest: +SKIP
    """
    if on_error not in ("raise", "record"):
        raise ValueError(f"`on_error` must be 'raise' or 'record'. Received: {on_error!r}")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"`verbose` must be 'auto', 0 or 1. Received: {verbose!r}")
    for name, value, least in (
        ("num_workers", num_workers, 1),
        ("batch_size", batch_size, 1),
        ("num_cpus", num_cpus, 0),
    ):
        if not least <= value < np.inf:
            raise ValueError(f"`{name}` must be a number from {least} on. Received: {value!r}")
    if not isinstance(samples, Source) or not len(samples):
        raise ValueError(f"`samples` must be a Source with a sample at least. Received: {samples!r}")
    models = _digests(model_path)
    if embedding and len(models) > 1:
        raise ValueError(f"`embedding` must be of one model. Received: {embedding!r} and {len(models)} models")
    chosen = resolve_transforms(transforms)
    predicting: dict[str, Any] = {
        "reduce": reduce,
        "tile_overlap": tile_overlap,
        "tile_size": tile_size,
        "tile_reduce": tile_reduce,
    }
    reading: dict[str, Any] = {
        "image_size": image_size,
        "fit": fit,
        "pixel_size": pixel_size,
        "dtype": dtype,
        "max_value": max_value,
    }
    reading["interpolation"] = interpolation
    settings = {
        "models": list(models.values()),
        "samples": {"count": len(samples), "ids": _ids_digest(samples), "channels": list(samples.channels)},
        "transforms": [transform_name(one) for one in chosen],
        **predicting,
        **reading,
        "embedding": embedding,
        "decide": _calibrator_digest(decide),
    }
    size = _prepare(Path(output), settings, block_size, min(_MOST_IN_BLOCK, -(-len(samples) // (4 * num_workers))))
    folder = Path(output).absolute()
    if isinstance(samples, Samples):  # labels and metadata stay here
        samples = Samples(samples.source, pixel_sizes=samples.pixel_sizes)
    reading |= {"batch_size": batch_size, "workers": max(1, int(num_cpus))}
    predicting["transforms"] = chosen
    job = Job(samples, models, predicting, reading, embedding, decide, folder, size, on_error == "record")
    with hold(folder, wait=False):
        return _run(job, num_workers, retry_errors, address, bool(verbose), num_cpus=num_cpus, num_gpus=num_gpus)


def _run(
    job: Job, num_workers: int, retry_errors: bool, address: str | None, verbose: bool, **resources: float
) -> dict[str, str]:
    done = list(_finished(job))
    done = [block for block in done if not (retry_errors and block.errors)]
    errors = [block.errors for block in done]
    left = sorted(set(range(-(-len(job.samples) // job.block_size))) - {block.number for block in done})
    progress = Progress(len(job.samples), int(verbose))
    count = sum(block.num_scored + len(block.errors) for block in done)
    if left:
        progress.update(count)
        warned: set[str] = set()
        with ray_running(address, num_workers * resources["num_cpus"]) as ray:
            reference = ray.put(cloudpickle.dumps(job))
            arguments = ([reference], _environment(resources["num_cpus"]))
            for block, texts in run_blocks(ray, BlockScorer, arguments, left, num_workers, **resources):
                path = block_path(job.folder, block.number)
                if not path.exists():
                    raise RuntimeError(
                        f"`output` must be a folder that every machine reaches. Received: {os.fspath(job.folder)!r}, "
                        f"where {path.name!r}, which another machine wrote, is not to be seen"
                    )
                errors.append(block.errors)
                count += block.num_scored + len(block.errors)
                progress.update(count)
                for text in sorted({*texts} - warned):
                    warnings.warn(text, stacklevel=3)
                warned.update(texts)
    known = {sample: reason for one in errors for sample, reason in one.items()}
    ordered = {sample: known[sample] for sample in job.samples.ids if sample in known} if known else {}
    write_csv(job.folder / "errors.csv", [["id", "reason"], *map(list, ordered.items())])
    return ordered


def _finished(job: Job) -> Iterator[Block]:
    """Gives the blocks that are there."""
    for start in range(0, len(job.samples), job.block_size):
        number = start // job.block_size
        path = block_path(job.folder, number)
        if path.exists():
            yield read_block(path, number, min(job.block_size, len(job.samples) - start))


def _prepare(folder: Path, settings: dict[str, Any], block_size: int | None, default: int) -> int:
    """Makes the folder, or compares what is in it; gives the size of blocks."""
    needs("pyarrow", "Scores are written as Parquet files", extra="ray")
    if block_size is not None and not 1 <= block_size < 2**31:
        raise ValueError(f"`block_size` must be a number from 1 on. Received: {block_size!r}")
    path = folder / "manifest.json"
    if path.exists():
        manifest = read_manifest(path, _FORMAT, {_VERSION: _FIELDS})
        size: int = manifest["block_size"]
        refuse_changes(
            "output",
            folder,
            manifest["settings"] | {"block_size": size},
            settings | {"block_size": block_size or size},
        )
        return size
    if folder.exists() and (not folder.is_dir() or any(not one.name.startswith(".") for one in folder.iterdir())):
        raise ValueError(f"`output` must be a new folder or one of this function. Received: {os.fspath(folder)!r}")
    make_folder(folder / "scores")
    write_json(path, _FORMAT, _VERSION, {"settings": settings, "block_size": block_size or default})
    return block_size or default


def _digests(model_path: Any) -> dict[Path, str]:
    paths = [model_path] if isinstance(model_path, str | os.PathLike) else list(model_path)
    if not paths:
        raise ValueError("`model_path` must name a `.keras` file at least. Received: none")
    for path in paths:
        if not os.path.isfile(path):
            raise FileNotFoundError(f"`model_path` must name a `.keras` file. Received: {os.fspath(path)!r}")
    return {Path(path).absolute(): file_digest(Path(path)) for path in paths}


def _ids_digest(samples: Source) -> str:
    digest = hashlib.sha256()
    for sample_id in samples.ids:
        digest.update(json.dumps(sample_id).encode())
    return digest.hexdigest()


def _calibrator_digest(decide: Any) -> str | None:
    if decide is None:
        return None
    if not hasattr(decide, "thresholds_"):
        raise ValueError(f"`decide` must be a fitted ThresholdCalibrator. Received: {decide!r}")
    decides = [np.asarray(decide.thresholds_).tolist(), decide.at_least_one, decide.from_logits]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def _environment(num_cpus: float) -> dict[str, str]:
    """What backends read when they are imported: the one that is used here, and how many threads each may have."""
    threads = str(max(1, int(num_cpus)))
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    found = {name: os.environ.get(name, threads) for name in names}
    backend = os.environ.get("KERAS_BACKEND")
    if "keras" in sys.modules:
        import keras

        backend = keras.backend.backend()
    return found | ({"KERAS_BACKEND": backend} if backend else {})
