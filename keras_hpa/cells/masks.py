"""Label images of samples: from a folder, from paths, from arrays, or from a function that finds cells."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from keras_hpa.cells.label_image import check_label_image
from keras_hpa.data import Source, read_image, subset

_ENDINGS = ("_cp_masks", "_cellmask", "_masks", "_mask", "_labels", "")
_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
_PICKLED = "_seg.npy"


class Masks(Protocol):
    """Label images of samples.

    Attributes:
        unused: the masks that are there and belong to no sample, by their names.
        is_parallel: whether several threads may read.
    """

    unused: tuple[str, ...]
    is_parallel: bool

    def read(self, index: int) -> npt.NDArray[Any]: ...


def open_masks(masks: Any, fields: Source) -> Masks:
    """Gives the label images of samples, in their order; refuses samples without one."""
    if isinstance(masks, (str, os.PathLike)):
        return _from_folder(os.fspath(masks), fields)
    if isinstance(masks, Source):
        return _from_source(masks, fields)
    if callable(masks) and not isinstance(masks, Mapping):
        return _CalledMasks(masks, fields)
    if isinstance(masks, Mapping):
        lacking = [sample_id for sample_id in fields.ids if masks.get(sample_id) is None]
        if lacking:
            raise ValueError(_no_mask(lacking, "none under its id"))
        known = set(fields.ids)
        unused = tuple(str(key) for key in masks if key not in known)
        return _GivenMasks([masks[sample_id] for sample_id in fields.ids], fields, unused)
    if isinstance(masks, (Sequence, np.ndarray)):
        if len(masks) != len(fields):
            raise ValueError(
                f"`masks` must be {len(fields)}, one per sample, in their order; a mapping finds them by id. "
                f"Received: {len(masks)}"
            )
        return _GivenMasks(list(masks), fields, ())
    raise TypeError(
        "`masks` must be a folder, a path with {id} in it, a mapping from ids to paths or arrays, a list of these, "
        f"samples, or a function that finds the cells of an image. Received: {type(masks)}"
    )


class _GivenMasks:
    """Label images in memory or in files, one per sample."""

    is_parallel = True

    def __init__(self, masks: list[Any], fields: Source, unused: tuple[str, ...], root: str | None = None):
        self.masks = masks
        self.ids = tuple(fields.ids)
        self.unused = unused
        self.root = root

    def read(self, index: int) -> npt.NDArray[Any]:
        mask, sample_id = self.masks[index], self.ids[index]
        if not isinstance(mask, (str, os.PathLike)):
            return check_label_image(mask, f"The mask of sample {sample_id!r}")
        path = os.fspath(mask)
        if not path.lower().endswith(_SUFFIXES):
            raise ValueError(
                f"The mask of sample {sample_id!r} must be a file of {', '.join(_SUFFIXES)}: JPEG changes labels. "
                f"Received: {path!r}"
            )
        try:
            labels = read_image(path, root=self.root)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f"The mask of sample {sample_id!r}: {error}") from None
        return check_label_image(labels, f"The mask of sample {sample_id!r} ({path!r})")


class _SourceMasks:
    """Label images that a source reads."""

    is_parallel = True

    def __init__(self, source: Source, unused: tuple[str, ...]):
        self.source = source
        self.unused = unused

    def read(self, index: int) -> npt.NDArray[Any]:
        return check_label_image(self.source.read(index), f"The mask of sample {self.source.ids[index]!r}")


class _CalledMasks:
    """Label images that a function finds in the images: once each, and kept, as it may take seconds."""

    is_parallel = False  # a network is not asked by several threads at once
    unused: tuple[str, ...] = ()

    def __init__(self, function: Callable[[npt.NDArray[Any]], Any], fields: Source):
        self.function: Callable[[npt.NDArray[Any]], Any] | None = function
        self.fields = fields
        self._found: dict[int, tuple[tuple[int, ...], np.dtype, bytes]] = {}

    def read(self, index: int) -> npt.NDArray[Any]:
        if index not in self._found:
            assert self.function is not None
            image = self.fields.read(index)
            try:
                found = self.function(image)
            except Exception as error:
                error.add_note(f"`masks` was called with the image of sample {self.fields.ids[index]!r}.")
                raise
            whose = f"The mask that `masks` gives for sample {self.fields.ids[index]!r}"
            labels = np.ascontiguousarray(check_label_image(found, whose))
            self._found[index] = labels.shape, labels.dtype, zlib.compress(labels.tobytes(), 1)
        shape, dtype, packed = self._found[index]
        return np.frombuffer(zlib.decompress(packed), dtype).reshape(shape)

    def __getstate__(self) -> dict[str, Any]:
        """Without the function, which need not be picklable, once it has done its work."""
        is_done = len(self._found) == len(self.fields)
        return self.__dict__ | ({"function": None} if is_done else {})


def _from_source(masks: Source, fields: Source) -> Masks:
    """The masks that samples of another folder, plate or array are, by their ids."""
    positions = {sample_id: position for position, sample_id in enumerate(masks.ids)}
    lacking = [sample_id for sample_id in fields.ids if sample_id not in positions]
    if lacking:
        raise ValueError(_no_mask(lacking, f"none in {masks!r}"))
    known = set(fields.ids)
    unused = tuple(sample_id for sample_id in masks.ids if sample_id not in known)
    return _SourceMasks(subset(masks, [positions[sample_id] for sample_id in fields.ids]), unused)


def _from_folder(given: str, fields: Source) -> Masks:
    """The masks that lie in a folder, by the names that programs give them; or by a pattern."""
    before, brace, _ = given.partition("{")
    root = Path(given if not brace else os.path.dirname(before) or ".")
    if not root.is_dir():
        raise FileNotFoundError(f"`masks` must be a folder, or a path with {{id}} in it. Received: {given!r}")
    there = {Path(folder, name).relative_to(root).as_posix() for folder, _, names in os.walk(root) for name in names}
    if brace:
        found, unused = _by_pattern(Path(given).relative_to(root).as_posix(), fields.ids, there)
    else:
        found, unused = _by_ending(fields.ids, there)
    lacking = [sample_id for sample_id, name in found.items() if name is None]
    if lacking:
        raise FileNotFoundError(_no_mask(lacking, f"no file in {os.fspath(root)!r}", _advice(root, lacking[0], there)))
    paths: list[Any] = [root / str(name) for name in found.values()]
    return _GivenMasks(paths, fields, unused, os.fspath(root))


def _by_pattern(pattern: str, ids: Sequence[str], there: set[str]) -> tuple[dict[str, str | None], tuple[str, ...]]:
    start, brace, end = pattern.partition("{id}")
    if not brace or "{" in start + end:
        raise ValueError(f"`masks` must be a folder, or a path with one {{id}} in it. Received: {pattern!r}")
    found = {one: name if (name := start + one + end) in there else None for one in ids}
    others = there - set(found.values())
    return found, tuple(sorted(name for name in others if name.startswith(start) and name.endswith(end)))


def _by_ending(ids: Sequence[str], there: set[str]) -> tuple[dict[str, str | None], tuple[str, ...]]:
    found: dict[str, str | None] = {}
    for sample_id in ids:
        found[sample_id] = None
        for ending in _ENDINGS:
            names = [name for suffix in _SUFFIXES if (name := f"{sample_id}{ending}{suffix}") in there]
            if len(names) > 1:
                raise ValueError(
                    "`masks` must hold one mask for each sample; a path with {id} in it says which, such as "
                    f"'{{id}}{ending}{Path(names[0]).suffix}'. Received: {names} for sample {sample_id!r}"
                )
            if names:
                found[sample_id] = names[0]
                break
        if found[sample_id] is None and sample_id + _PICKLED in there:
            found[sample_id] = sample_id + _PICKLED  # whose reading says how its masks are exported
    endings = tuple(ending + suffix for ending in _ENDINGS if ending for suffix in _SUFFIXES)
    others = there - set(found.values())
    return found, tuple(sorted(name for name in others if name.endswith(endings)))


def _no_mask(lacking: Sequence[str], what: str, advice: str = "") -> str:
    more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    return f"`masks` must have a mask for every sample{advice}. Received: {what} for sample {lacking[0]!r}{more}"


def _advice(root: Path, sample_id: str, there: set[str]) -> str:
    """What is in a folder in place of a sample's mask, and the path that it could be given by."""
    names = sorted(there)
    meant = [name for name in names if sample_id in name and name.lower().endswith(_SUFFIXES)]
    if meant:
        path = (root / meant[0].replace(sample_id, "{id}", 1)).as_posix()
        return f", found by its id alone or as in masks={path!r}"
    return f", found by its id; the folder has {names[:3]}" if names else "; the folder is empty"
