"""One image file to one array of several channels."""

import os
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from keras_hpa.data.image_content import MAX_BYTES, ImageContent, Unreadable
from keras_hpa.data.projections import project_content
from keras_hpa.data.read_image import read_content
from keras_hpa.data.stack_channels import stack_channels

_MOST_CHANNELS = 64  # along an axis that has no name
_LONGEST_SIDE = 8  # in lengths of the other, of an image whose axes have no names


def read_stack(
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    project: Mapping[str, str | int] | None = None,
    scene: int | str | None = None,
    max_bytes: int = MAX_BYTES,
    root: str | os.PathLike[str] | None = None,
) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    """Reads an image file of several channels: TIFF (OME-TIFF, also gzipped), NPY, or a colour PNG or JPEG.

    An OME-TIFF whose channels lie in several files of one folder is read whole from any of them. Of a pyramid the full
    resolution is read. Slices and time points are an error, not channels, unless `project` says what becomes of them;
    so are several images, unless `scene` chooses one.

    Args:
        path: a file whose name says what it holds.
        axes: what the axes of the file are, such as "CYX" or "YXC"; read from the file unless given. A file that does
            not say takes its smallest axis for the channels, if one axis is smaller than all others and not longer
            than 64, and the others could be an image: neither is more than eight times the other. Pages of a TIFF
            that are not named are channels if they are fewer than rows and columns, and not more than 64.
        project: how an axis of the file becomes one plane, such as `{"Z": "max", "T": 0}`: "max" or "mean" of its
            planes, the "middle" one, the "sharpest" one (one for all channels), or the plane of a number, from 0 on.
            A file without that axis is read as it is.
        scene: which image of a file that holds several: its number, from 0 on, or its name.
        max_bytes: an image that would take more when decoded is refused before it is.
        root: a folder that the file must lie below, links included.

    Returns:
        An array of shape `(height, width, channels)`, and the channels' names if the file has them, "" for one that
        has none.

    Raises:
        FileNotFoundError, ValueError: as `read_image`; and if the axes are not one of height, of width, and of
            channels.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> folder = tempfile.TemporaryDirectory()
        >>> np.save(os.path.join(folder.name, "a.npy"), np.zeros((3, 8, 6), "uint16"))
        >>> image, names = read_stack(os.path.join(folder.name, "a.npy"))
        >>> image.shape, names
        ((8, 6, 3), None)
        >>> folder.cleanup()
    """

    def arrange(content: ImageContent) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
        if project is None:
            return to_channels_last(content, axes)
        projected = project_content(content, project, axes)
        return to_channels_last(projected, None if axes is None else projected.axes)

    return read_content(path, root, max_bytes, arrange, scene)


def to_channels_last(content: ImageContent, given: str | None) -> tuple[npt.NDArray[Any], tuple[str, ...] | None]:
    """Gives an image of height, width and channels, and the channels' names; `given` are axes that a user says."""
    array, axes = content.array, (given or content.axes).upper()
    if array.ndim > 3 and len(axes) == array.ndim:
        kept = [n for n, length in enumerate(array.shape) if length > 1 or axes[n] in "YX"]
        array, axes = array.reshape([array.shape[n] for n in kept]), "".join(axes[n] for n in kept)
    axes = axes if given else _guess_axes(axes, array.shape)
    if sorted(axes) == ["X", "Y"] and array.ndim == 2:
        axes, array = axes + "C", array[..., None]
    if sorted(axes) not in (["C", "X", "Y"], ["S", "X", "Y"]) or array.ndim != 3:
        found = ", ".join(f"{axis}={length}" for axis, length in zip(content.axes, content.array.shape, strict=True))
        raise Unreadable(
            f"its axes must be height, width and channels, but it has {found}"
            + (f", and `axes` is {given!r}" if given else "")
            + ': Y and X are height and width, C or S channels, and "?" is not said. Say what becomes of '
            'any other axis, such as `project={"Z": "max"}`, or with `axes`, such as "CYX", that it is the channels'
        )
    last = array.transpose(axes.index("Y"), axes.index("X"), 3 - axes.index("Y") - axes.index("X"))
    names = content.names if content.names is not None and len(content.names) == last.shape[2] else None
    if not last.flags.c_contiguous:
        last = stack_channels([last[..., channel] for channel in range(last.shape[2])])
    return last, names


def _guess_axes(axes: str, shape: tuple[int, ...]) -> str:
    """Names the axes of which the file says nothing, where there is only one way to."""
    sizes = sorted(shape)
    if len(shape) != 3 or sizes[0] == sizes[1] or sizes[0] > _MOST_CHANNELS:
        return axes
    smallest = shape.index(sizes[0])
    if axes == "???" and sizes[2] <= _LONGEST_SIDE * sizes[1]:
        return "YX"[:smallest] + "C" + "YX"[smallest:]
    return axes.replace("?", "C") if axes != "???" and axes[smallest] == "?" else axes
