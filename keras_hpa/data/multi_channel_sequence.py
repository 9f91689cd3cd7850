"""From a source to batches for `fit`, `evaluate` and `predict`."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data.augmentation import Augmentation, resolve_augmentations
from keras_hpa.data.batch_recipe import BatchRecipe, read_sample
from keras_hpa.data.framing import Framing
from keras_hpa.data.processes import ProcessReader
from keras_hpa.data.read_ahead import ReadAhead
from keras_hpa.data.readings import CurrentEpoch, Reading, takes_reading
from keras_hpa.data.sampling import SAMPLERS, RareLabels, Sampler
from keras_hpa.data.sequence_arguments import check_integers, check_labels
from keras_hpa.data.source import Source, check_ids, labels_of, pixel_size_of, subset
from keras_hpa.data.worker_pool import WorkerPool


class MultiChannelSequence(keras.utils.PyDataset):
    """Makes batches of a source: what `fit`, `evaluate` and `predict` take, on every backend.

    A batch is a pure function of seed, pass and index: workers, threads or processes, and restarts change nothing. A
    *pass* goes over all samples once (or over as many as the sampler draws); its last batch may be short, unless
    `drop_remainder`. An *epoch* of Keras is a pass, unless `batches_per_epoch` says otherwise: then the epochs go on
    through the passes without a gap, so that every sample is seen once before any is seen twice.

    Samples are read in parallel, and the next batches while the model uses the last one, on every backend and without
    any setting. The order is the sequence's alone: `fit(shuffle=True)`, Keras's default, changes nothing.

    Args:
        source: what to read: `Samples`, or any source.
        labels: an array whose rows are the samples' labels, for a plain source: `Samples` have theirs, and others are
            refused. Without any, batches are images only, for `predict`. In a matrix, -1 is an unknown label: `fit` and
            `evaluate` refuse a loss of Keras's own that would take it for a number.
        batch_size: samples in a batch.
        image_size: height and width to which images are resized, or one number for both. Without it all must have one
            size.
        fit: how images of other proportions come to `image_size`: "stretch", which the log tells once; "crop" keeps
            proportions and cuts off what sticks out of the middle; "pad" keeps them and puts dark pixels around.
        pixel_size: micrometres per pixel to which all images are brought, so that cells of two objectives are alike;
            the source must know theirs. "crop" and "pad" then cut and fill up, and scale nothing.
        shuffle: whether every pass has an order of its own; without it the order is the source's.
        seed: from which orders, draws and augmentation follow.
        batches_per_epoch: the length of an epoch, if not one pass.
        sampler: which samples a pass draws: "without_replacement" (each once), "with_replacement" (as many, drawn
            independently), "rare_labels" (as many, `RareLabels(labels)`), or a callable that takes a generator and the
            number of samples and gives an array of indices, always of the same length. A sampler orders its draws
            itself, whatever `shuffle` says.
        augment: "dihedral" (the eight symmetries of the square), a callable `(image, rng) -> image` such as
            `RandomAffine()` or `ChannelGain()`, or a list of these, applied in turn. The image is as it will be handed
            out, scaled or not, of shape `(height, width, channels)`; `rng` depends on seed, pass and the sample's place
            in the pass, nothing else.
        dtype: "float32" divides integers by `max_value` and leaves floats as they are; "source" keeps the
            type of the file, which has a quarter of the bytes at 8 bits, for a model that scales.
        max_value: what becomes 1.0: the type's largest value (255, 65535) unless given, such as 4095 for 12 bits in
            16. Where it is given floats are divided too.
        interpolation: how images are resized: "area" (each pixel the mean of what it covers: nothing aliases and mean
            intensities stay), "bilinear", "bicubic" or "nearest".
        shard: (index, count): this process reads every `count`-th draw of each pass, from `index` on. The shards of
            one seed do not overlap, together they are the pass, and they have the same number of batches.
        drop_remainder: whether a last batch that would be short is left out of each pass; which samples it would have
            had changes from pass to pass where they are shuffled. JAX on several devices needs batches that divide.
        initial_epoch: the epoch that is read first: the same number as `fit`'s gives the batches that training would
            have seen had it not been interrupted.
        workers: processes or threads that read; one per core unless given; 0 reads when a batch is asked for and not
            before. They are processes, which all sequences share, where the source says that reading is work for the
            processor (`reads_in_processes`, as image files do) and it, the sampler and the augmentation can be pickled;
            `repr` says which. A script needs no `if __name__ == "__main__":`.
        max_queue_size: how many batches are kept ready.

    Attributes:
        epoch: the epoch whose batches `sequence[index]` gives. `fit` moves it on when it has trained on a whole epoch;
            `evaluate`, `predict`, copying, looking at batches and reading attributes leave it. It may be set, in the
            middle of `fit` too, which goes on with that epoch.

    Raises:
        ValueError: if an argument is not as above; from reading a batch, if a sample cannot be read or its size or type
            differs from others'. The message names the sample, and channel and path where there are any.
        FileNotFoundError: from reading a batch, if a file is missing.

    Example:
        >>> from keras_hpa import ArraySource
        >>> source = ArraySource(np.full((10, 8, 8, 4), 255, "uint8"))
        >>> sequence = MultiChannelSequence(source, np.eye(10), batch_size=4, shuffle=True)
        >>> len(sequence)
        3
        >>> images, labels = sequence[2]
        >>> images.shape, images.max(), labels.shape
        ((2, 8, 8, 4), np.float32(1.0), (2, 10))
    """

    def __init__(
        self,
        source: Source,
        labels: npt.ArrayLike | None = None,
        *,
        batch_size: int = 32,
        image_size: int | tuple[int, int] | None = None,
        fit: Literal["stretch", "crop", "pad"] = "stretch",
        pixel_size: float | None = None,
        shuffle: bool = False,
        seed: int = 0,
        batches_per_epoch: int | None = None,
        sampler: str | Sampler | None = None,
        augment: str | Augmentation | Sequence[str | Augmentation] | None = None,
        dtype: Literal["float32", "source"] = "float32",
        max_value: float | None = None,
        interpolation: Literal["area", "bilinear", "bicubic", "nearest"] = "area",
        shard: tuple[int, int] | None = None,
        drop_remainder: bool = False,
        initial_epoch: int = 0,
        workers: int | None = None,
        max_queue_size: int = 2,
    ):
        batch_size, max_queue_size = check_integers(1, batch_size=batch_size, max_queue_size=max_queue_size)
        seed, initial_epoch = check_integers(0, seed=seed, initial_epoch=initial_epoch)
        (workers,) = check_integers(0, workers=_num_cores() if workers is None else workers)
        if batches_per_epoch is not None:
            (batches_per_epoch,) = check_integers(1, batches_per_epoch=batches_per_epoch)
        if not isinstance(source, Source):
            raise TypeError(
                "`source` must be a Source, with `ids`, `channels`, `len` and `read`; arrays become one by "
                f"ArraySource. Received: {type(source).__name__}"
            )
        if not len(source):
            raise ValueError("`source` must have a sample at least. Received: none")
        check_ids(source)
        if dtype not in ("float32", "source"):
            raise ValueError(f"`dtype` must be 'float32' or 'source'. Received: {dtype!r}")
        if max_value is not None and (dtype == "source" or not 0 < max_value < np.inf):
            raise ValueError(f"`max_value` must be positive, and dtype='float32'. Received: {max_value}, {dtype!r}")
        framing = Framing(image_size, interpolation, fit, pixel_size)
        super().__init__(workers, max_queue_size=max_queue_size)
        self.source = source
        labels = labels_of(source, labels)
        self.labels = None if labels is None else check_labels(labels, len(source))
        self.batch_size = batch_size
        self.image_size = framing.image_size
        self.fit = fit
        self.pixel_size = framing.pixel_size
        self.shuffle = shuffle
        self.seed = seed
        self.batches_per_epoch = batches_per_epoch
        self.sampler = sampler
        self.augment = augment
        self.dtype = dtype
        self.max_value = max_value
        self.interpolation = interpolation
        self.shard = shard
        self.drop_remainder = drop_remainder
        self.initial_epoch = initial_epoch
        self._current = CurrentEpoch(initial_epoch)
        self._recipe = BatchRecipe(
            source,
            batch_size=batch_size,
            framing=framing,
            seed=seed,
            sampler=_resolve_sampler("without_replacement" if sampler is None and shuffle else sampler, self.labels),
            augmentations=resolve_augmentations(augment),
            dtype=dtype,
            max_value=max_value,
            shard=(0, 1) if shard is None else _check_shard(shard),
            drop_remainder=drop_remainder,
        )
        self._pool = WorkerPool(self._workers)
        self._processes, self._read_by = _choose_workers(self._recipe, self._workers)
        self._by_hand = self._reader(in_turn=True)

    def __len__(self) -> int:
        return self.batches_per_pass if self.batches_per_epoch is None else self.batches_per_epoch

    def __getitem__(self, index: int) -> Any:
        if not -len(self) <= index < len(self):
            raise IndexError(f"`index` must lie in 0 to {len(self) - 1}. Received: {index}")
        return self._by_hand.get(self.epoch, index % len(self))

    def __iter__(self) -> Iterator[Any]:
        reading = self._reading()
        for index in range(len(self)):
            yield reading[index]

    def __repr__(self) -> str:
        size = "of their own size" if self.image_size is None else f"of {self.image_size[0]}x{self.image_size[1]}"
        labels = "no labels" if self.labels is None else f"labels of shape {self.labels.shape}"
        return (
            f"<MultiChannelSequence: epochs of {len(self)} batches, passes of {self.batches_per_pass}, each of up to "
            f"{self.batch_size} images {size}, {self.dtype}; {labels}; read {self._read_by}; from {self.source!r}>"
        )

    @property
    def batches_per_pass(self) -> int:
        """How many batches one pass over the samples has."""
        return self._recipe.batches_per_pass

    def in_order(self, start: int = 0, stop: int | None = None) -> "MultiChannelSequence":
        """Makes a sequence of the images of samples `start` to `stop`, each once, in the order of the source.

        They have the size and type that they have here. Labels, shuffling, sampler, augmentation, shard and epochs are
        left out. This sequence is not touched, even where `fit` is going on with it.
        """
        sequence = MultiChannelSequence(
            subset(self.source, range(len(self.source))[start:stop]),
            batch_size=self.batch_size,
            image_size=self.image_size,
            fit=self.fit,
            pixel_size=self.pixel_size,
            dtype=self.dtype,
            max_value=self.max_value,
            interpolation=self.interpolation,
            workers=self._workers,
            max_queue_size=self.max_queue_size,
        )
        sequence.labels = None
        sequence._by_hand = sequence._reader(in_turn=True)
        return sequence

    def pixel_size_at(self, index: int) -> float | None:
        """Gives the micrometres per pixel of sample `index` as it is handed out; `None` where that is not known."""
        own = pixel_size_of(self.source, index)
        if self.pixel_size is not None or own is None or self.image_size is None:
            return own if self.pixel_size is None else self.pixel_size
        return own * self._recipe.framing.scale(read_sample(self.source, index).shape)

    @property
    def epoch(self) -> int:
        return self._current.number

    @epoch.setter
    def epoch(self, number: int) -> None:
        self._current.set(*check_integers(0, epoch=number))

    @property
    def workers(self) -> int:
        # Keras is told of none: those that it starts itself would read on across its rehearsals.
        return 0 if takes_reading(self, self._reading) else self._workers

    def on_epoch_end(self) -> None:
        """Moves to the next epoch, at the end of a loop over the batches of this one; `fit` moves by itself."""
        self._current.number += 1

    def _reading(self) -> Reading:
        return Reading(self._current, self._reader())

    def _arrangement(self) -> Callable[[npt.NDArray[Any], npt.NDArray[Any]], Any] | None:
        """What makes a batch of its images and the indices of their samples, where it has a form of its own."""
        return None

    def _reader(self, in_turn: bool = False) -> ReadAhead:
        return ReadAhead(
            self._recipe,
            self.labels,
            length=len(self),
            pool=self._pool,
            processes=self._processes,
            depth=self.max_queue_size,
            arrange=self._arrangement(),
            in_turn=in_turn,
        )


def _num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _choose_workers(recipe: BatchRecipe, workers: int) -> tuple[ProcessReader | None, str]:
    """Gives what has images made in processes, if they are to be, and says where they are made."""
    if not workers:
        return None, "when asked for"
    if not getattr(recipe.source, "reads_in_processes", False):
        return None, f"in {workers} threads"
    try:
        return ProcessReader(recipe, workers), f"in {workers} processes"
    except Exception as error:  # whatever the classes of a user raise when they are pickled
        return None, f"in {workers} threads, because it cannot be pickled ({type(error).__name__}: {error})"


def _resolve_sampler(sampler: str | Sampler | None, labels: npt.NDArray[Any] | None) -> Sampler | None:
    if sampler is None or callable(sampler):
        return sampler
    if sampler == "rare_labels":
        if labels is None:
            raise ValueError("`labels` must be given where sampler='rare_labels'. Received: None")
        return RareLabels(labels)
    if sampler not in SAMPLERS:
        raise ValueError(
            f"`sampler` must be one of {sorted([*SAMPLERS, 'rare_labels'])} or a callable. Received: {sampler!r}"
        )
    return SAMPLERS[sampler]


def _check_shard(shard: tuple[int, int]) -> tuple[int, int]:
    try:
        index, count = (int(number) for number in shard)
    except (TypeError, ValueError):
        raise ValueError(f"`shard` must be (index, count). Received: {shard!r}") from None
    if not 0 <= index < count:
        raise ValueError(f"`shard` must be (index, count), the index in 0 to count - 1. Received: {shard!r}")
    return index, count
