"""From a stack of planes or time points to one image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data.image_content import ImageContent, Unreadable

_WAYS = ("max", "mean", "middle", "sharpest")


def check_project(project: Mapping[str, Any] | None) -> dict[str, str | int]:
    """Gives for each axis, "Z" or "T", how it is projected."""
    if project is None:
        return {}
    if not isinstance(project, Mapping):
        raise ValueError(f"`project` must be a mapping such as {{'Z': 'max'}}. Received: {project!r}")
    for axis, way in project.items():
        is_index = isinstance(way, (int, np.integer)) and not isinstance(way, bool)
        if not isinstance(axis, str) or len(axis) != 1 or axis.upper() in "XYCS" or not axis.isalpha():
            raise ValueError(f"`project` must name axes such as 'Z' and 'T', not those of images. Received: {axis!r}")
        if not is_index and way not in _WAYS:
            raise ValueError(
                "`project` must be 'max', 'mean', 'middle', 'sharpest' or a plane's number, from 0 on. "
                f"Received: {way!r} for {axis!r}"
            )
    return {axis.upper(): way if isinstance(way, str) else int(way) for axis, way in project.items()}


def choose_planes(
    planes: Mapping[tuple[int, ...], str], axes: Sequence[str], project: Mapping[str, Any] | None, call: Any
) -> str | tuple[str, tuple[str, ...]]:
    """Gives the files that are read of planes in files of their own: one, or an axis and all along it."""
    ways = check_project(project)
    left = dict(sorted(planes.items()))
    for number, axis in enumerate(axes):
        places = sorted({place[number] for place in left})
        if len(places) < 2:
            continue
        way = ways.get(axis)
        if way is None:
            field = axis.lower()
            raise ValueError(
                f"`project` must say which plane is the image where {{{field}}} has several, as in "
                f"{call.but(project={**ways, axis: 'max' if axis == 'Z' else 0})}. "
                f"Received: {project!r}, and {field!r} from {places[0]} to {places[-1]}, such as "
                f"{next(iter(left.values()))!r}"
            )
        if way == "middle" or isinstance(way, int):
            index = len(places) // 2 if isinstance(way, str) else way
            if not -len(places) <= index < len(places):
                raise ValueError(f"`project[{axis!r}]` must lie in 0 to {len(places) - 1}. Received: {index}")
            left = {place: path for place, path in left.items() if place[number] == places[index]}
    several = [axis for number, axis in enumerate(axes) if len({place[number] for place in left}) > 1]
    if len(several) > 1:
        raise ValueError(
            f"`project` must choose a plane of all axes but one, where planes are files of their own, as in "
            f"{call.but(project={**ways, several[-1]: 0})}. Received: {project!r}, and several along {several}"
        )
    paths = tuple(left.values())
    return paths[0] if len(paths) == 1 else (several[0], paths)


def project_content(content: ImageContent, project: Mapping[str, Any] | None, axes: str | None = None) -> ImageContent:
    """Projects the axes of an image that are named; one that the file does not have is left alone."""
    array, names = content.array, (axes or content.axes).upper()
    ways = check_project(project)
    for axis, way in sorted(ways.items(), key=lambda pair: not isinstance(pair[1], int)):
        if len(names) == array.ndim and names.count(axis) == names.count("Y") == names.count("X") == 1:
            rest = [number for number, name in enumerate(names) if name not in (axis, "Y", "X")]
            order = [names.index(axis), names.index("Y"), names.index("X"), *rest]
            array = project_stack(array.transpose(order), way)
            names = "YX" + "".join(names[number] for number in rest)
    return ImageContent(array, names, content.names)


def planes_of(content: ImageContent, axis: str, project: Mapping[str, Any] | None) -> list[ImageContent]:
    """The planes along an axis, the others projected; one where the file has no such axis."""
    content = project_content(content, {name: way for name, way in (project or {}).items() if name.upper() != axis})
    if content.axes.count(axis) != 1:
        return [content]
    number = content.axes.index(axis)
    left = content.axes.replace(axis, "")
    return [ImageContent(plane, left, content.names) for plane in np.moveaxis(content.array, number, 0)]


def project_stack(stack: npt.NDArray[Any], way: str | int) -> npt.NDArray[Any]:
    """Projects the first axis of `(planes, height, width, ...)`; the values keep their type, a mean is rounded."""
    count = len(stack)
    if way == "max":
        return stack.max(axis=0)
    if way == "mean":
        mean = stack.mean(axis=0, dtype=np.float64)
        return (np.rint(mean) if stack.dtype.kind in "iu" else mean).astype(stack.dtype)
    if way == "middle":
        return stack[count // 2]
    if way == "sharpest":
        return stack[_sharpest(stack)]
    if not -count <= int(way) < count:
        raise Unreadable(f"`project` must choose a plane of 0 to {count - 1}, not {way}")
    return stack[int(way)]


def _sharpest(stack: npt.NDArray[Any]) -> int:
    """The plane in focus, one for all channels: its second derivatives vary the most, each channel counting alike."""
    import cv2

    channels = stack.reshape(*stack.shape[:3], -1).astype(np.float32)
    scores = np.zeros(len(stack))
    for channel in range(channels.shape[3]):
        each = np.array(
            [cv2.Laplacian(np.ascontiguousarray(plane), cv2.CV_32F).var() for plane in channels[..., channel]]
        )
        scores += each / each.max() if each.max() > 0 else 0
    return int(scores.argmax())
