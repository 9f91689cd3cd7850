"""What all figures share: how they begin, and their colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, VALIDATION = "#0072B2", "#D55E00"


def new_figure(size: tuple[float, float]) -> Any:
    """An empty figure, width and height in inches, that Matplotlib's global state does not know."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("Figures need Matplotlib: pip install 'keras-hpa[plots]'") from error
    return Figure(figsize=size, layout="constrained", dpi=120)


def remove_frame(axes: Axes) -> None:
    """Leaves the left and the lower axis."""
    axes.spines[["top", "right"]].set_visible(False)
