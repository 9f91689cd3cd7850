"""What Keras reads in place of a sequence: for each call of `fit`, `evaluate` or `predict` a reading of its own.

All that the package knows of how Keras reads a data set stands here. What a data set sees of it does not say which call
reads, nor which epoch: `fit` and `evaluate` fetch a batch or two before they begin and throw them away, and report the
end of an epoch once before the first; `fit` asks for the batches in an order of its own; TensorFlow asks for them ahead
of time, from another thread; and workers that Keras starts read on across all that. So nothing is concluded from the
order of the calls. Each of Keras's readers, which lives as long as one such call, asks first of all how many workers it
is to start. At this moment it is given a reading in place of the sequence; and whether an epoch that ends was one of
`fit` is seen from the stack. Where Keras is not recognised it reads the sequence itself: each batch is right, but `fit`
shuffles the batches of an epoch once more, which defeats reading ahead, and every epoch that Keras reports moves the
sequence on.
"""

import functools
import sys
import weakref
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

import keras
import numpy.typing as npt

from keras_hpa.data.read_ahead import ReadAhead

_NUM_FETCHED = 2
"""How many batches Keras fetches to look at their shapes; they are kept for when it begins and asks for them again."""


class CurrentEpoch:
    """The epoch that a sequence is in, known to its readings too."""

    def __init__(self, number: int):
        self.number = number
        self.times_set = 0

    def set(self, number: int) -> None:
        """Moves to an epoch that somebody wants, where a `fit` that is running goes on as well."""
        self.number = number
        self.times_set += 1


class Reading(keras.utils.PyDataset):
    """Reads the epochs from the current one on in `fit`, the current one in `evaluate` and `predict`.

    Only `fit` moves the current epoch on, when it has trained on all of its batches.
    """

    def __init__(self, current: CurrentEpoch, batches: ReadAhead):
        super().__init__()  # Keras's own workers are not wanted
        self._current = current
        self._batches = batches
        self._is_training = False
        self._has_rehearsed = False
        self._fetched: dict[tuple[int, int], Any] | None = {}
        self._epoch = self._times_set = self._num_read = self._num_steps = 0
        self._end: weakref.finalize | None = None
        self._follow()

    def __len__(self) -> int:
        return self._batches.length

    def __getitem__(self, index: int) -> Any:
        fetched, place = self._fetched, (self._epoch, index)
        if fetched is None or index >= _NUM_FETCHED:
            self._fetched = None  # Keras has begun
            return self._batches.get(*place)
        if place in fetched:
            return fetched.pop(place)
        batch = self._batches.get(*place)
        if len(fetched) < _NUM_FETCHED and not self._has_rehearsed:
            fetched[place] = batch
        return batch

    def on_epoch_begin(self) -> None:
        call, iterator = _innermost_call()
        self._is_training = call is not None and call.f_code.co_name == "fit"
        if iterator is not None and self._end is None:
            # TensorFlow never lets go of a reader; that one lives as long as the call.
            self._end = weakref.finalize(iterator, self._batches.close)
            self._end.atexit = False
        if not self._is_training or self._times_set != self._current.times_set:
            self._follow()
        self._num_steps = len(self) if call is None else _num_steps(call) or len(self)
        if call is not None and call.f_code.co_name != "predict":
            _check_losses(call.f_locals["self"], self._batches.labels)

    def on_epoch_end(self) -> None:
        is_rehearsal, self._has_rehearsed = not self._has_rehearsed, True
        if not self._is_training:
            self._fetched = None
            self._batches.forget()
        elif not is_rehearsal and self._times_set == self._current.times_set:
            # With `steps_per_epoch` an epoch of Keras is a part of one of ours; Keras lets none of it out.
            self._num_read += self._num_steps
            if self._num_read >= len(self):
                self._epoch, self._num_read = self._epoch + 1, 0
                self._current.number = self._epoch

    def _follow(self) -> None:
        self._epoch, self._times_set, self._num_read = self._current.number, self._current.times_set, 0


def takes_reading(sequence: Any, make_reading: Callable[[], Reading]) -> bool:
    """Tells whether it is Keras that asked its caller for an attribute; its reader is given a reading."""
    frame = sys._getframe(2)
    if not frame.f_globals.get("__name__", "").startswith("keras."):
        return False
    reader: Any = frame.f_locals.get("self")
    if getattr(reader, "py_dataset", None) is sequence:
        reader.py_dataset = make_reading()
        reader.shuffle = False
        reader.get_tf_dataset = functools.partial(_without_autotune, reader.get_tf_dataset)
    return True


def _without_autotune(get_tf_dataset: Callable[[], Any]) -> Any:
    """Gives the data set of TensorFlow without the thread that tunes it, as batches are read ahead already.

    TensorFlow 2.21 waits for that thread where an epoch's iterator is closed, now and then as long as the epoch took.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return get_tf_dataset().with_options(options)


def running_fit() -> Mapping[str, Any]:
    """Gives the arguments of the `fit` that is running, for a callback; nothing outside of one."""
    call, _ = _innermost_call()
    return {} if call is None or call.f_code.co_name != "fit" else call.f_locals


def _check_losses(model: keras.Model, labels: npt.NDArray[Any] | None) -> None:
    """Refuses a loss of Keras that would take an unknown label, -1, for a number; to hinge losses it is one."""
    if labels is None or labels.ndim != 2 or (labels >= 0).all():
        return
    for loss in keras.tree.flatten([getattr(loss, "losses", loss) for loss in keras.tree.flatten(model.loss)]):
        known = keras.losses.get(loss)
        kind = known if hasattr(known, "__name__") else type(known)
        if kind.__module__.startswith("keras.") and "hinge" not in kind.__name__.lower():
            raise ValueError(
                "`loss` must leave out labels that are unknown, -1, as the losses of keras_hpa do, such as "
                f"keras_hpa.BinaryCrossentropy(). Received: {kind.__name__}, which takes -1 for a number"
            )


def _innermost_call() -> tuple[FrameType | None, Any]:
    """Finds who reads, inside of `fit` validation is a call of `evaluate`, and the object that it reads by."""
    frame: FrameType | None = sys._getframe(2)
    iterator = None
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.Model) and frame.f_code.co_name in ("fit", "evaluate", "predict"):
            return frame, iterator
        iterator = iterator if owner is None else owner
        frame = frame.f_back
    return None, None


def _num_steps(call: FrameType) -> int | None:
    """Gives the steps of an epoch of Keras where they are limited."""
    limits = [call.f_locals.get("steps_per_epoch"), keras.config.max_steps_per_epoch()]
    num_steps = min((limit for limit in limits if limit), default=None)
    if num_steps is None:
        return None
    at_a_time = call.f_locals["self"].steps_per_execution
    return -(-num_steps // at_a_time) * at_a_time
