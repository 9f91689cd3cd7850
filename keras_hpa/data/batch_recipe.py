"""What is in a batch: a pure function of seed, pass and place."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.augmentation import Augmentation
from keras_hpa.data.byte_order import to_native
from keras_hpa.data.framing import Framing
from keras_hpa.data.sampling import Sampler
from keras_hpa.data.source import Source


class BatchRecipe:
    """Knows which samples a batch has and makes their images; holds no state that a batch depends on.

    The arguments are those of `MultiChannelSequence`, checked and resolved.
    """

    def __init__(
        self,
        source: Source,
        *,
        batch_size: int,
        framing: Framing,
        seed: int,
        sampler: Sampler | None,
        augmentations: list[Augmentation],
        dtype: str,
        max_value: float | None,
        shard: tuple[int, int],
        drop_remainder: bool,
    ):
        self.source = source
        self.framing = framing
        self.seed = seed
        self.sampler = sampler
        self.augmentations = augmentations
        self.dtype = dtype
        self.max_value = max_value
        self.shard = shard
        self._orders: dict[int, npt.NDArray[Any]] = {}
        index, count = shard
        self.samples_per_pass = len(self._whole_order(0))
        own = len(range(index, self.samples_per_pass, count))
        if drop_remainder:  # as many batches as the smallest shard fills
            own = self.samples_per_pass // count // batch_size * batch_size
            if not own:
                raise ValueError(
                    "`drop_remainder` must leave a batch of each pass. "
                    f"Received: batches of {batch_size} of {self.samples_per_pass} samples in {count} shards"
                )
        # Every shard has as many batches as the largest, so that none waits for another at the end of a pass.
        longest = own if drop_remainder else len(range(0, self.samples_per_pass, count))
        self.batches_per_pass = -(-longest // batch_size)
        if own < self.batches_per_pass:
            raise ValueError(
                f"`shard` must leave a sample for each of {self.batches_per_pass} batches. "
                f"Received: {shard} of {self.samples_per_pass} samples"
            )
        if -(-own // batch_size) == self.batches_per_pass:
            self._bounds = np.minimum(np.arange(self.batches_per_pass + 1) * batch_size, own)
        else:
            self._bounds = np.arange(self.batches_per_pass + 1) * own // self.batches_per_pass

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_orders": {}}

    def places(self, number: int) -> range:
        """Gives the places of the samples of batch `number` in the order of its pass and shard."""
        index = number % self.batches_per_pass
        return range(int(self._bounds[index]), int(self._bounds[index + 1]))

    def samples(self, number: int) -> npt.NDArray[Any]:
        """Gives the indices of the samples of batch `number`."""
        places = self.places(number)
        return self._order(number // self.batches_per_pass)[places.start : places.stop]

    def ids(self, number: int) -> list[str]:
        """Gives the ids of the samples of batch `number`."""
        return [self.source.ids[sample] for sample in self.samples(number)]

    def image(self, number: int, place: int) -> npt.NDArray[Any]:
        """Makes the image at one of `places(number)`, complete but for its scale if nothing needs that before."""
        pass_number = number // self.batches_per_pass
        sample = int(self._order(pass_number)[place])
        image = read = read_sample(self.source, sample)
        with naming_sample(self.source, sample, "Resizing"):
            image = self.framing(image, self.source, sample)
        if self.dtype == "float32" and image.dtype.kind == "f" and image.dtype.itemsize > 4:
            with naming_sample(self.source, sample, "Turning it into float32"), np.errstate(over="raise"):
                image = image.astype(np.float32)
        if self.augmentations:
            index, count = self.shard
            rng = np.random.default_rng([self.seed, pass_number, place * count + index])
            image = self._scaled(image)
            with naming_sample(self.source, sample, "`augment`"), np.errstate(over="ignore"):
                # What the source holds is not the augmentation's to change.
                image = self._augment(image.copy() if image is read else image, rng)
                if image.dtype.kind == "f" and not np.isfinite(image).all():
                    raise ValueError("`augment` must give finite numbers. Received: NaN or infinity")
        return image

    def type_in_batch(self, image: npt.NDArray[Any]) -> np.dtype:
        """Gives the type of a batch of such images."""
        return image.dtype if self.dtype == "source" else np.dtype(np.float32)

    def put(self, image: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
        """Writes what `image` made into its row of a batch."""
        divisor = None if self.augmentations else self._divisor(image)
        if divisor is None:
            out[...] = image
        else:
            np.divide(image, divisor, out=out, dtype=np.float32)

    def _augment(self, image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
        for augmentation in self.augmentations:
            result = augmentation(image, rng)
            changed = np.asarray(result)
            if np.ma.is_masked(result):
                raise ValueError("`augment` must give a plain array. Received: a masked one")
            if changed.ndim != 3 or changed.shape[2] != image.shape[2]:
                raise ValueError(f"`augment` must keep the shape {image.shape}. Received: {changed.shape}")
            if changed.dtype != image.dtype and (image.dtype.kind in "iu" or changed.dtype.kind not in "iuf"):
                raise ValueError(
                    f"`augment` must keep the type {image.dtype}: round and clip. Received: {changed.dtype}"
                )
            image = changed.astype(image.dtype, copy=False)
        return image

    def _scaled(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        divisor = self._divisor(image)
        if divisor is not None:
            return np.divide(image, divisor, dtype=np.float32)
        return image if self.dtype == "source" else image.astype(np.float32, copy=False)

    def _divisor(self, image: npt.NDArray[Any]) -> np.float32 | None:
        if self.dtype == "source":
            return None
        if self.max_value is not None:
            return np.float32(self.max_value)
        if image.dtype.kind not in "iu":
            return None
        if image.dtype.kind == "i" or image.dtype.itemsize > 4:
            raise ValueError(
                f"`max_value` must say which number becomes 1 where images are signed or of 64 bits. "
                f"Received: {image.dtype} and no `max_value`"
            )
        return np.float32(np.iinfo(image.dtype).max)

    def _order(self, pass_number: int) -> npt.NDArray[Any]:
        order = self._orders.get(pass_number)
        if order is None:
            index, count = self.shard
            order = self._whole_order(pass_number)[index::count]
            # A pass and its neighbours are in use at a time.
            kept = {number: kept for number, kept in self._orders.items() if abs(number - pass_number) == 1}
            self._orders = kept | {pass_number: order}
        return order

    def _whole_order(self, pass_number: int) -> npt.NDArray[Any]:
        num_samples = len(self.source)
        if self.sampler is None:
            return np.arange(num_samples)
        # The key keeps this stream apart from those of the augmentation.
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, pass_number], spawn_key=(0,)))
        order = np.asarray(self.sampler(rng, num_samples))
        if order.ndim != 1 or not order.size or order.dtype.kind not in "iu":
            raise ValueError(f"`sampler` must give a list of sample indices. Received: {order!r}")
        if order.min() < 0 or order.max() >= num_samples:
            raise ValueError(f"`sampler` must give indices in 0 to {num_samples - 1}. Received: {order!r}")
        if pass_number and len(order) != self.samples_per_pass:
            raise ValueError(
                f"`sampler` must give as many indices in every pass. Received: {len(order)} in pass {pass_number}, "
                f"{self.samples_per_pass} in pass 0"
            )
        return order


def read_sample(source: Source, index: int) -> npt.NDArray[Any]:
    """Reads one sample, in this machine's byte order; whatever goes wrong is an error that names the sample."""
    with naming_sample(source, index, "`source.read`"):
        image = to_native(check_image(source.read(index), len(source.channels)))
        if image.dtype.kind == "f" and not np.isfinite(image).all():  # some layers turn NaN into 0
            raise ValueError("`source.read` must give finite numbers. Received: NaN or infinity")
        return image


def check_image(image: Any, num_channels: int) -> npt.NDArray[Any]:
    """Gives the image; refuses what is not an array of numbers of this many channels."""
    is_array = isinstance(image, np.ndarray) and not np.ma.is_masked(image)
    if is_array and image.ndim == 3 and image.size and image.shape[2] == num_channels and image.dtype.kind in "iuf":
        return np.asarray(image)
    received = f"{image.dtype} of shape {image.shape}" if is_array else type(image).__name__
    raise ValueError(
        f"`source.read` must give an array of integers or floats of shape (height, width, {num_channels}). "
        f"Received: {received}"
    )


@contextmanager
def naming_sample(source: Source, index: int, what: str) -> Iterator[None]:
    """Lets an error say which sample it is about; Keras passes on no more of it than the message."""
    try:
        yield
    except Exception as error:
        name = f"sample {source.ids[index]!r}"
        if name in str(error).replace("Sample", "sample"):
            raise
        kinds = (FileNotFoundError, OSError, MemoryError)  # what is not the sample's fault stays what it is
        kind = next((kind for kind in kinds if isinstance(error, kind)), ValueError)
        if isinstance(error, ValueError) and "Received: " in str(error):
            raise kind(f"{error} for {name}") from error
        raise kind(f"{what} must not fail. Received: {type(error).__name__}: {error} for {name}") from error
