"""What all figures share: how they begin, and their colours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, VALIDATION = "#0072B2", "#D55E00"


def new_figure(size: tuple[float, float]) -> Any:
    """An empty figure, width and height in inches, that Matplotlib's global state does not know."""
    return load("matplotlib.figure").Figure(figsize=size, layout="constrained", dpi=120)


def load(module: str) -> Any:
    """A module of Matplotlib, which is an extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError("Figures need Matplotlib: pip install 'keras-hpa[plots]'") from error


def remove_frame(axes: Axes) -> None:
    """Leaves the left and the lower axis."""
    axes.spines[["top", "right"]].set_visible(False)
