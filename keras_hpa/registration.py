"""Makes the package's classes known to Keras, which finds them by name once the modules that define them are loaded.

`import keras_hpa` loads neither those modules nor Keras. They are loaded when Keras is, whichever is imported first.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from itertools import dropwhile, islice
from types import ModuleType
from typing import Any

_MODULES = (
    "layers.channel_mixer",
    "layers.class_token_and_positions",
    "layers.gapnet_pl_preprocessing",
    "layers.image_standardization",
    "layers.min_max_normalization",
    "layers.percentile_normalization",
    "layers.pixel_size",
    "layers.pool_bag",
    "layers.scale_integers",
    "layers.texture_features",
    "layers.warm_up_batch_normalization",
    "losses.asymmetric_loss",
    "losses.binary_crossentropy",
    "losses.class_balanced_crossentropy",
    "losses.class_balanced_focal_crossentropy",
    "losses.macro_f1_loss",
    "losses.symmetric_lovasz_hinge",
    "losses.weighted_sum_loss",
    "metrics.batch_macro_f1",
    "metrics.macro_f1",
    "metrics.mean_average_precision",
    "models.bag_of_cells",
    "thresholds.probability_layer",
    "thresholds.threshold_layer",
)


def register_classes() -> None:
    """Loads what Keras must know, at once if Keras is loaded, else as the last step of its import."""
    finder = next((one for one in sys.meta_path if isinstance(one, _KerasFinder)), None)
    if finder is None:
        finder = _KerasFinder()
        sys.meta_path.insert(0, finder)
    if "keras" in sys.modules:
        importlib.import_module("keras")  # waits if another thread is importing it
        finder.withdraw()
        for name in _MODULES:
            importlib.import_module(f"keras_hpa.{name}")


class _KerasFinder:
    """Finds nothing itself: what the finders after it find for `keras` is given a last step."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        following = islice(dropwhile(lambda one: one is not self, list(sys.meta_path)), 1, None)
        found = (finder.find_spec(fullname, path, target) for finder in following)
        spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _KerasLoader(spec.loader, self)  # type: ignore[assignment]
        return spec

    def withdraw(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _KerasLoader:
    """Loads Keras by the loader that was found, leaves no trace of itself in the module, and then loads ours."""

    def __init__(self, loader: Any, finder: _KerasFinder):
        self._loader = loader
        self._finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._finder.withdraw()
        for name in _MODULES:
            try:
                importlib.import_module(f"keras_hpa.{name}")
            except Exception as error:  # whoever imports Keras may want nothing of this package
                import logging

                logging.getLogger(__name__).warning("Keras cannot load what keras_hpa.%s defines: %r", name, error)
