"""What an actor does: it loads the model once, and scores blocks."""

import errno
import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import numpy.typing as npt

from keras_hpa.cluster.block_files import Block, block_path, write_block
from keras_hpa.data import Source, subset

if TYPE_CHECKING:
    from keras_hpa.data import MultiChannelSequence

_OF_THE_MACHINE = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC}


@dataclass(frozen=True)
class Job:
    """What is to be done, checked.

    Args:
        samples: what to score.
        models: for each file of a model its digest.
        predicting: arguments of `predict_scores`.
        reading: arguments of `MultiChannelSequence`.
        embedding: the layer, `True` for the default one, or `False`.
        decide: a fitted calibrator.
        folder: the output.
        block_size: samples in a block.
        records_errors: whether a sample that cannot be read stops nothing.
    """

    samples: Source
    models: dict[Path, str]
    predicting: dict[str, Any]
    reading: dict[str, Any]
    embedding: bool | str
    decide: Any
    folder: Path
    block_size: int
    records_errors: bool


class BlockScorer:
    """Scores blocks of samples by `predict_scores`.

    Args:
        job: a list of one reference to a pickled `Job`, which Ray then leaves as it is. What it needs may import Keras,
            and so it is not unpickled before the environment is set.
        environment: variables that a backend reads when it is imported.
    """

    def __init__(self, job: list[Any], environment: dict[str, str]):
        self.reference = job[0]
        self.environment = environment

    def load(self) -> None:
        """Loads job and model."""
        import ray

        os.environ.update(self.environment)
        self.job: Job = cloudpickle.loads(ray.get(self.reference))
        self.models = [_load_model(path, digest) for path, digest in self.job.models.items()]
        if self.job.embedding:
            from keras_hpa.inference import scores_and_embedding

            layer = None if self.job.embedding is True else self.job.embedding
            self.num_scores: int = self.models[0].output_shape[-1]
            self.models = [scores_and_embedding(self.models[0], layer)]

    def score(self, number: int) -> tuple[Block, list[str]]:
        """Scores and writes a block; gives what it has, and what was warned of."""
        start = number * self.job.block_size
        samples = range(start, min(start + self.job.block_size, len(self.job.samples)))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            scored, matrix, errors = self._score(samples)
        columns = {"scores": matrix}
        if self.job.embedding:
            columns = {"scores": matrix[:, : self.num_scores], "embedding": matrix[:, self.num_scores :]}
        if self.job.decide is not None:
            decisions = self.job.decide.predict(columns["scores"]) if len(matrix) else columns["scores"]
            columns["decisions"] = np.asarray(decisions).astype(np.int8)
        ids = [self.job.samples.ids[sample] for sample in scored]
        write_block(block_path(self.job.folder, number), number, ids, columns, errors)
        texts = {str(one.message) for one in caught if issubclass(one.category, UserWarning)}
        return Block(number, len(ids), errors), sorted(texts)

    def _score(self, samples: Sequence[int]) -> tuple[Sequence[int], npt.NDArray[np.float32], dict[str, str]]:
        """Gives the samples that have scores, these, and for the id of each other one the reason."""
        try:
            return samples, self._predict(samples), {}
        except (ValueError, OSError) as error:
            if not self.job.records_errors or _is_of_the_machine(error):
                raise
        errors: dict[str, str] = {}
        readable = list(self._without_errors(samples, lambda one: self._sequence([one], workers=0)[0], errors))
        try:
            return readable, self._predict(readable), errors
        except ValueError as error:
            refused = error
        rows: list[npt.NDArray[np.float32]] = []
        scored = list(self._without_errors(readable, lambda one: rows.append(self._predict([one])), errors))
        if not scored:  # then it is not the samples' fault
            raise refused
        return scored, np.concatenate(rows), errors

    def _without_errors(self, samples: Sequence[int], work: Any, errors: dict[str, str]) -> Iterator[int]:
        """Gives the samples with which `work` does not fail, and puts the reasons of the others into `errors`."""
        for sample in samples:
            try:
                work(sample)
            except (ValueError, OSError) as error:
                if _is_of_the_machine(error):
                    raise
                errors[self.job.samples.ids[sample]] = str(error)
            else:
                yield sample

    def _predict(self, samples: Sequence[int]) -> npt.NDArray[np.float32]:
        from keras_hpa.inference import predict_scores

        if not samples:
            return np.zeros((0, self.models[0].output_shape[-1]), np.float32)
        return predict_scores(self.models, self._sequence(samples), verbose=0, **self.job.predicting)

    def _sequence(self, samples: Sequence[int], **changes: Any) -> "MultiChannelSequence":
        from keras_hpa.data import MultiChannelSequence

        return MultiChannelSequence(subset(self.job.samples, list(samples)), **self.job.reading | changes)


def file_digest(path: Path) -> str:
    """Gives the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _load_model(path: Path, digest: str) -> Any:
    import keras

    found = file_digest(path)
    if found != digest:
        raise ValueError(
            f"`model_path` must name one file on every machine, as long as it is used: {os.fspath(path)!r} had the "
            f"digest {digest}. Received: {found}"
        )
    return keras.saving.load_model(path, compile=False)


def _is_of_the_machine(error: BaseException | None) -> bool:
    """Whether memory, open files or the disk ran out, which is no sample's fault."""
    while error is not None:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in _OF_THE_MACHINE:
            return True
        error = error.__cause__
    return False
