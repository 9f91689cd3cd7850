"""ReduceLR: a smaller learning rate when training stalls, with presets and checked arguments."""

import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from types import MappingProxyType
from typing import Any, Literal

import keras

_LOG = logging.getLogger(__name__)
_STEPS = ("train_step", "test_step", "compute_metrics")  # a model with its own logs what it likes
_PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "report": {"monitor": "val_loss", "mode": "min", "factor": 0.5, "patience": 3, "min_delta": 1e-4},
        "macro_f1": {"monitor": "val_macro_f1", "mode": "max", "factor": 0.5, "patience": 3, "min_delta": 1e-4},
        "gapnet-pl": {
            "monitor": "val_macro_f1",
            "mode": "max",
            "factor": 0.5,
            "patience": 30,
            "min_relative_delta": 0.01,
        },
    }
)


class ReduceLR(keras.callbacks.ReduceLROnPlateau):
    """Lowers the learning rate when a monitored value stops improving, with presets and without silent mistakes.

    Keras's own callback swallows misspelt arguments, guesses a direction, and only warns when the monitored value
    does not exist, so a training can run for days at one learning rate. This one refuses all three. Use
    `"macro_f1"` where macro-F1 decides, as in the Human Protein Atlas challenge: the loss of a network with rare
    classes rises while its macro-F1 still improves.

    | preset | monitors | factor | patience | an improvement is |
    | --- | --- | --- | --- | --- |
    | `"report"` | `val_loss`, down | 0.5 | 3 epochs | more than 1e-4 |
    | `"macro_f1"` | `val_macro_f1`, up | 0.5 | 3 epochs | more than 1e-4 |
    | `"gapnet-pl"` | `val_macro_f1`, up | 0.5 | 30 epochs | more than 1 % of the best so far |

    Args:
        preset: `"report"`, `"macro_f1"` or `"gapnet-pl"`; any argument below that is not `None` takes its place.
        monitor: the name in the logs to watch.
        mode: `"min"` or `"max"`: whether less or more is better.
        factor: what the learning rate is multiplied with, between 0 and 1.
        patience: how many epochs without improvement to wait.
        min_delta: how much more than the best so far counts as an improvement, in the monitored value's unit.
        min_relative_delta: the same as a share of the best so far; only one of the two can be above 0.
        cooldown: how many epochs after a reduction are not counted.
        min_lr: the learning rate is not lowered below this.
        verbose: 1 prints a line when the learning rate is lowered.
        callback_metrics: names that are logged by callbacks that stand before this one rather than by the model.

    Raises:
        ValueError: if an argument is impossible; when training begins, if `monitor` was neither compiled nor stands
            in `callback_metrics`, or the learning rate is a schedule; at the end of the first epoch, if it was not
            logged. Where that epoch had no validation, as under `validation_freq=2`, a line of the log says so, and
            the error waits for the last epoch.
        TypeError: if an argument is unknown.

    Example:
        >>> reduce_lr = ReduceLR("macro_f1", patience=5)
        >>> reduce_lr.monitor, reduce_lr.mode, reduce_lr.factor, reduce_lr.patience
        ('val_macro_f1', 'max', 0.5, 5)

    References:
        - `"gapnet-pl"`: Rumetshofer et al., Human-level Protein Localization with Convolutional Neural Networks,
          ICLR 2019.
    """

    def __init__(
        self,
        preset: Literal["report", "macro_f1", "gapnet-pl"] = "report",
        *,
        monitor: str | None = None,
        mode: str | None = None,
        factor: float | None = None,
        patience: int | None = None,
        min_delta: float | None = None,
        min_relative_delta: float | None = None,
        cooldown: int = 0,
        min_lr: float = 0.0,
        verbose: int = 0,
        callback_metrics: Sequence[str] = ("val_cross_fitted_macro_f1",),
    ) -> None:
        if preset not in _PRESETS:
            raise ValueError(f"`preset` must be one of {', '.join(map(repr, _PRESETS))}. Received: {preset!r}")
        if min_delta and min_relative_delta:
            raise ValueError(
                "Only one of `min_delta` and `min_relative_delta` can be above 0. "
                f"Received: min_delta={min_delta}, min_relative_delta={min_relative_delta}"
            )
        given = {"monitor": monitor, "mode": mode, "factor": factor, "patience": patience}
        settings = {**_PRESETS[preset], **{name: value for name, value in given.items() if value is not None}}
        if min_delta is not None or min_relative_delta is not None:
            settings |= {"min_delta": min_delta or 0.0, "min_relative_delta": min_relative_delta or 0.0}
        settings = {"min_delta": 0.0, "min_relative_delta": 0.0, **settings}
        _check(settings | {"cooldown": cooldown, "min_lr": min_lr})

        min_relative_delta = settings.pop("min_relative_delta")
        super().__init__(**settings, cooldown=cooldown, min_lr=min_lr, verbose=verbose)
        self.preset = preset
        self.min_relative_delta = min_relative_delta
        self.callback_metrics = tuple(callback_metrics)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        super().on_train_begin(logs)
        self._logged = False
        for optimizer in getattr(self.model.optimizer, "optimizers", [self.model.optimizer]):
            if not isinstance(optimizer.learning_rate, keras.Variable):
                schedule = optimizer.get_config().get("learning_rate")
                raise ValueError(
                    "The optimizer's learning rate must be a number, which a callback can lower, and not a schedule. "
                    f"Received: {schedule.get('class_name') if isinstance(schedule, dict) else schedule!r}"
                )
        compiled, name = _compiled_names(self.model), self.monitor.removeprefix("val_")
        # Keras numbers metrics of one name, and puts "weighted_" before those that take weights.
        known = {name, re.sub(r"_\d+$", "", name), name.removeprefix("weighted_")} & set(compiled)
        if compiled and not known and self.monitor not in self.callback_metrics:
            raise ValueError(
                f"`monitor` must name the loss or a compiled metric, with or without 'val_' ({', '.join(compiled)}), "
                f"or stand in `callback_metrics`. Received: {self.monitor!r}"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        self._logged = self._logged or self.monitor in logs
        if self.monitor not in logs and not self._validation_may_come(epoch, logs):
            raise ValueError(
                f"`monitor` was not logged in epoch {epoch + 1}; was `validation_data` given to `fit`, and does the "
                "callback that logs it stand before this one? "
                f"Logged: {', '.join(logs)}. Received: {self.monitor!r}"
            )
        if self.min_relative_delta and self.best is not None:
            # Keras turns the sign once, in the epoch in which it chooses the comparison.
            turned = self.mode == "min" and self.monitor_op is not None
            self.min_delta = self.min_relative_delta * abs(float(self.best)) * (-1 if turned else 1)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Learning rate reduction is conditioned on metric")
            super().on_epoch_end(epoch, logs)

    def _validation_may_come(self, epoch: int, logs: dict[str, Any]) -> bool:
        """Whether this is an epoch that `validation_freq` leaves out."""
        if self._logged:
            return True
        if not self.monitor.startswith("val_") or any(name.startswith("val_") for name in logs):
            return False
        if not epoch:
            _LOG.warning("ReduceLR: %r was not logged in epoch 1; the learning rate stays until it is", self.monitor)
        return epoch + 1 < self.params.get("epochs", 0)


def _check(settings: dict[str, Any]) -> None:
    if not isinstance(settings["monitor"], str) or not settings["monitor"]:
        raise ValueError(f"`monitor` must be the name of a logged value. Received: {settings['monitor']!r}")
    if settings["mode"] not in ("min", "max"):
        raise ValueError(f"`mode` must be 'min' or 'max'. Received: {settings['mode']!r}")
    if not 0 < settings["factor"] < 1:
        raise ValueError(f"`factor` must lie between 0 and 1. Received: {settings['factor']!r}")
    for name in ("patience", "cooldown"):
        if not isinstance(settings[name], Integral) or isinstance(settings[name], bool) or settings[name] < 0:
            raise ValueError(f"`{name}` must be a number of epochs, 0 or more. Received: {settings[name]!r}")
    for name in ("min_delta", "min_relative_delta", "min_lr"):
        if not settings[name] >= 0:
            raise ValueError(f"`{name}` must be 0 or more. Received: {settings[name]!r}")


def _compiled_names(model: keras.Model) -> list[str]:
    """The names a model will log, or nothing where they cannot be told before the first batch."""
    config = model.get_compile_config() or {}
    metrics = [*(config.get("metrics") or []), *(config.get("weighted_metrics") or [])]
    if (
        not config
        or any(getattr(type(model), step) is not getattr(keras.Model, step) for step in _STEPS)
        or isinstance(config.get("loss"), list | tuple)
        or not all(isinstance(m, str | dict) for m in metrics)
    ):
        return []
    if any(isinstance(config.get(part), dict) and "class_name" not in config[part] for part in ("metrics", "loss")):
        return []
    names = [m if isinstance(m, str) else _name(m["config"]) for m in metrics]
    return ["loss", *names] if all(names) else []


def _name(config: Any) -> str:
    """The name of a metric; a function has none before the first batch."""
    return config.get("name", "") if isinstance(config, dict) else ""
