"""TrainingBackup: everything a training needs to go on as if it had not been interrupted."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_hpa.callbacks.training_record import describe_data, describe_optimizer
from keras_hpa.data import running_fit
from keras_hpa.files import hold, not_as_expected, read_manifest, replacing, write_csv, write_json

_FORMAT, _VERSION = "keras_hpa backup", 1
_WEIGHTS = re.compile(r"backup-[0-9]{4,9}-[0-9a-f]{8}\.weights\.h5")
_STATE_NAMES = ("best", "wait", "cooldown_counter", "stopped_epoch", "best_epoch")


class TrainingBackup(keras.callbacks.Callback):
    """Keeps, after every epoch, all that a training needs to go on as if it had not been interrupted.

    `keras.callbacks.BackupAndRestore` keeps the weights and the optimizer, but not what other callbacks remember:
    after a crash `ReduceLROnPlateau` has forgotten the best value and its patience, `ModelCheckpoint` overwrites a
    better model by a worse one, and the history starts anew. This one keeps these as well. After an epoch the
    directory holds `backup.json`, the weights it names (with the optimizer and the state of the dropout layers), and
    `history.csv` for reading. A crash while it writes, a power cut too, leaves the backup of the epoch before.

    Put it last in the list of callbacks: the others forget their state when training begins, and it gives it back.
    Beside `SwapEMAWeights` it keeps the weights that are trained, not their average; after a training that has ended,
    `model.optimizer.finalize_variable_values(model.trainable_variables)` puts the average in.

    A training goes on with what it began with: the optimizer, whose learning rate alone may differ, and the data, of
    which it looks at ids, channels, names of classes, labels and three images of a `MultiChannelSequence`, or at labels
    and three images of arrays.

    Args:
        directory: where the backup lies; made when training begins, and locked until it ends.
        callbacks: the callbacks whose state is kept: `ReduceLR`, `ModelCheckpoint`, `EarlyStopping` and their like.
        settings: values, as JSON knows them, that must be the same when the training goes on, such as batch size
            and seed.

    Attributes:
        history: one list per logged name, one value per epoch (a list where a metric has several), over all parts of
            the training.

    Raises:
        ValueError: if one of `callbacks` holds weights of its own; from `restore`, if the backup belongs to other
            callbacks, other settings, another optimizer or model, or is damaged; when training begins, if another
            process trains with the same directory, or the backup belongs to other data.

    Example:
        ```python
        reduce_lr = keras_hpa.ReduceLR("report")
        backup = keras_hpa.TrainingBackup("out/backup", callbacks=[reduce_lr])
        epoch = backup.restore(model)  # 0 if there is nothing yet; the model must be compiled
        model.fit(sequence, epochs=20, initial_epoch=epoch, callbacks=[reduce_lr, backup])
        ```
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        callbacks: Sequence[keras.callbacks.Callback] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        for callback in callbacks:
            if getattr(callback, "restore_best_weights", False):
                raise ValueError(
                    "`callbacks` must not hold weights of their own; use ModelCheckpoint in place of "
                    f"`restore_best_weights=True`. Received: {type(callback).__name__}"
                )
        super().__init__()
        self.directory = Path(directory)
        self.callbacks = tuple(callbacks)
        self.settings = dict(settings or {})
        self.history: dict[str, list[Any]] = {}
        self._states: list[dict[str, Any]] | None = None
        self._learning_rate = float("nan")
        self._lock: Any = None
        self._weights = ""
        self._data: dict[str, Any] = {}
        self._is_swapped = False
        self._trained: list[tuple[keras.Variable, Any]] = []

    def restore(self, model: keras.Model) -> int:
        """Loads the last backup into a compiled model and returns how many epochs it has seen: 0 without a backup."""
        path = self.directory / "backup.json"
        if not path.exists():
            return 0
        state = read_backup(path)
        self._check(state, path)
        if not model.compiled:
            raise ValueError(f"`model` must be compiled before a backup is restored. Received: {model.name!r}")
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        optimizer = describe_optimizer(model.optimizer)
        if optimizer != state["optimizer"]:
            raise ValueError(
                f"`model` must be compiled with the optimizer of the backup {path}, {state['optimizer']}. "
                f"Received: {optimizer}"
            )
        random_states = _random_states(model)
        if [tuple(variable.shape) for variable in random_states] != [(len(one),) for one in state["random_states"]]:
            raise ValueError(f"`model` must be the one of the backup {path}. Received: {model.name!r}, which differs")
        try:
            model.load_weights(self.directory / state["weights"])
        except ValueError as error:
            raise ValueError(
                f"`model` must be the one of the backup {path}. Received: {model.name!r}: {error}"
            ) from error
        for variable, value in zip(random_states, state["random_states"], strict=True):
            variable.assign(np.asarray(value, dtype=variable.dtype))
        self.history = _from_json(state["history"])
        self._states = [_from_json(callback["state"]) for callback in state["callbacks"]]
        self._set_states()
        self._weights = state["weights"]
        self._data = state["data"]
        return int(state["epochs"])

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        fit = running_fit()
        callbacks = getattr(fit.get("callbacks"), "callbacks", ())
        before = callbacks[: callbacks.index(self)] if self in callbacks else ()
        self._is_swapped = any(isinstance(c, keras.callbacks.SwapEMAWeights) and c.swap_on_epoch for c in before)
        data = describe_data(fit.get("x"), fit.get("y"))
        if self._states is not None:
            self._check_data(data)
        self._data = data
        self._lock = self._lock or hold(self.directory, wait=False)
        if self._states is None:
            self.history = {}
            return
        self._set_states()
        self._states = None
        self._finish()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self._lock is not None:
            self._lock.lock.release(force=True)
            self._lock = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._learning_rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        # At the end of the epoch `SwapEMAWeights` has put the average in, after the last epoch for good.
        if self._is_swapped and (batch + 1 >= (self.params["steps"] or 0) or self.model.stop_training):
            optimizer = self.model.optimizer
            states = [one for one in optimizer.variables if one is not optimizer.learning_rate]
            self._trained = _values([*self.model.trainable_variables, *states])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: np.asarray(value, np.float64).tolist() for name, value in (logs or {}).items()}
        values.setdefault("learning_rate", self._learning_rate)
        for name in dict.fromkeys([*self.history, *values]):
            self.history.setdefault(name, [float("nan")] * epoch).append(values.get(name, float("nan")))
        self._write(epoch + 1)

    def _set_states(self) -> None:
        for callback, state in zip(self.callbacks, self._states or (), strict=True):
            for name, value in state.items():
                setattr(callback, name, value)

    @contextmanager
    def _as_trained(self) -> Iterator[None]:
        """Puts the weights that are trained in place of their average."""
        averaged = _values([variable for variable, _ in self._trained])
        _assign(self._trained)
        yield
        _assign(averaged)

    def _check_data(self, data: Mapping[str, Any]) -> None:
        for name in sorted(self._data.keys() & data.keys()):
            if self._data[name] != data[name]:
                raise ValueError(
                    f"`fit` must go on with the data of the backup in {os.fspath(self.directory)!r}, whose {name} are "
                    f"{self._data[name]}. Received: {data[name]}"
                )

    def _check(self, state: dict[str, Any], path: Path) -> None:
        names = [type(callback).__name__ for callback in self.callbacks]
        kept = [callback["name"] for callback in state["callbacks"]]
        if names != kept:
            raise ValueError(f"`callbacks` must be those of the backup {path}, {kept}. Received: {names}")
        given = json.loads(json.dumps(self.settings))
        changed = sorted(
            name for name in given.keys() | state["settings"].keys() if given.get(name) != state["settings"].get(name)
        )
        if changed:
            before = {name: state["settings"].get(name) for name in changed}
            raise ValueError(
                f"`settings` must be those of the backup {path}: {before}. "
                f"Received: { {name: given.get(name) for name in changed} }"
            )

    def _write(self, epochs: int) -> None:
        weights = self.directory / f"backup-{epochs:04d}-{secrets.token_hex(4)}.weights.h5"
        with self._as_trained(), replacing(weights) as temporary:
            self.model.save_weights(temporary)
        state = {
            "epochs": epochs,
            "weights": weights.name,
            "sha256": _sha256(weights),
            "random_states": [keras.ops.convert_to_numpy(v).tolist() for v in _random_states(self.model)],
            "history": _to_json(self.history),
            "callbacks": [{"name": type(c).__name__, "state": _to_json(_state(c))} for c in self.callbacks],
            "settings": self.settings,
            "optimizer": describe_optimizer(self.model.optimizer),
            "data": self._data,
        }
        write_json(self.directory / "backup.json", _FORMAT, _VERSION, state)
        self._weights = weights.name
        self._finish()

    def _finish(self) -> None:
        """Does what follows a backup: removes weights that it does not name, and writes its history for reading."""
        for path in self.directory.iterdir():
            if path.name != self._weights and _WEIGHTS.fullmatch(path.name):
                path.unlink()
        rows = enumerate(zip(*self.history.values(), strict=True), start=1)
        write_csv(self.directory / "history.csv", [["epoch", *self.history], *([epoch, *row] for epoch, row in rows)])


def read_backup(path: Path) -> dict[str, Any]:
    """Reads `backup.json` and sees that the weights beside it are those that it names.

    Raises:
        ValueError: if one of the two is damaged; file and field are named.
    """
    state = read_manifest(path, _FORMAT, {_VERSION: _FIELDS})
    for name, values in state["history"].items():
        if len(values) != state["epochs"]:
            raise not_as_expected(path, f"history.{name}", f"{state['epochs']} values", values)
    weights = path.parent / state["weights"]
    if not weights.is_file() or _sha256(weights) != state["sha256"]:
        raise not_as_expected(path, "weights", "a file of weights with the digest of field 'sha256'", weights.name)
    return state


def _is_number(value: Any) -> bool:
    """a number, or the text NaN, Infinity or -Infinity, or a list of them"""
    if isinstance(value, list):
        return all(map(_is_number, value))
    return (type(value) in (int, float) and abs(value) < 2**1023) or value in ("NaN", "Infinity", "-Infinity")


def _names_weights(value: Any) -> bool:
    """the name of a file of weights"""
    return isinstance(value, str) and _WEIGHTS.fullmatch(value) is not None


_FIELDS = {
    "epochs": range(1, 10**9),
    "weights": _names_weights,
    "sha256": str,
    "random_states": [[range(2**32)]],
    "history": {str: [_is_number]},
    "callbacks": [{"name": str, "state": {str: (_is_number, bool, None)}}],
    "settings": {str: object},
    "optimizer": {str: object},
    "data": {str: object},
}


def _to_json(value: Any) -> Any:
    """JSON has no NaN and no infinity; they become text."""
    return json.loads(json.dumps(value), parse_constant=str)


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _from_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_from_json(one) for one in value]
    return float(value) if isinstance(value, str) else value


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _state(callback: keras.callbacks.Callback) -> dict[str, Any]:
    state = {name: getattr(callback, name) for name in _STATE_NAMES if hasattr(callback, name)}
    return {name: None if value is None else np.asarray(value).item() for name, value in state.items()}


def _values(variables: Sequence[keras.Variable]) -> list[tuple[keras.Variable, Any]]:
    return [(variable, keras.ops.convert_to_numpy(variable.value).copy()) for variable in variables]


def _assign(values: Sequence[tuple[keras.Variable, Any]]) -> None:
    for variable, value in values:
        variable.assign(value)


def _random_states(model: keras.Model) -> list[keras.Variable]:
    """The states of the dropout layers, which `save_weights` leaves out."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]
