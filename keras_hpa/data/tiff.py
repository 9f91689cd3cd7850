"""TIFF, by tifffile, which reads every kind that microscopes write."""

from __future__ import annotations

import gzip
import io
import math
import os
import tempfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from keras_hpa.data.image_content import SPARE_BYTES, Declared, ImageContent, Unreadable, check_bytes
from keras_hpa.data.image_file import check_signature
from keras_hpa.data.ome_tiff import Pages, Planes, choose_scene, find_planes
from keras_hpa.data.tiff_pages import check_chain, check_page, is_reduced, palette_of, said_axes, said_shape

if TYPE_CHECKING:
    import tifffile

_BESIDE_THE_IMAGE = {"label", "macro", "map", "thumbnail"}  # what slide scanners put there
_GZIP_START = b"\x1f\x8b\x08"
_ONE_BY_ONE = {"generic", "shaped", "uniform"}


Scene = int | str | None


def read_tiff(
    file: BinaryIO, max_bytes: int, file_name: str, open_sibling: Callable[[str], BinaryIO], scene: Scene = None
) -> ImageContent:
    """Reads the image of a TIFF.

    Args:
        file: the file.
        max_bytes: how many bytes the image may take.
        file_name: the file's own name.
        open_sibling: opens a file of the same folder, as this one was opened.
        scene: the number or the name of the image, where the file holds several.
    """
    with ExitStack() as opened:

        def open_pages(name: str) -> Pages:
            try:
                return list(open_tiff(opened.enter_context(open_sibling(name)), opened).pages)
            except Unreadable as error:
                raise Unreadable(f"of {name!r}, which holds a part of its image: {error}") from error.__cause__

        def read(name: str) -> bytes:
            return opened.enter_context(open_sibling(name)).read(SPARE_BYTES)

        try:
            tiff = open_tiff(file, opened)
            pages = list(tiff.pages)
            if tiff.is_ome:
                planes = find_planes(tiff.ome_metadata, file_name, pages, read, open_pages, scene)
                return _decode(planes, max_bytes)
            planes, series = _planes_of_series(tiff, pages, scene)
            return _decode(planes, max_bytes, series)
        except FileNotFoundError as error:
            name = os.path.basename(error.filename)
            raise Unreadable(f"it is one of several files of an image, of which {name!r} is missing") from None
        except (Unreadable, OSError, MemoryError):
            raise
        except Exception as error:  # tifffile and its codecs raise what comes: struct.error, IndexError, their own, ...
            raise Unreadable(f"it is damaged ({type(error).__name__}: {error})") from error


def read_gzipped_tiff(
    file: BinaryIO, max_bytes: int, file_name: str, open_sibling: Callable[[str], BinaryIO], scene: Scene = None
) -> ImageContent:
    check_signature(file, "gzip file")
    file.seek(0)
    limit = 2 * max_bytes + SPARE_BYTES
    with _unpack_at_once(file, limit) or _unpack_by_parts(file, limit) as unpacked:
        return read_tiff(unpacked, max_bytes, file_name.removesuffix(".gz"), open_sibling, scene)


def _unpack_at_once(file: BinaryIO, limit: int) -> BinaryIO | None:
    """Unpacks by libdeflate, twice as fast as zlib; `None` if the file has several parts, or is large or damaged."""
    import imagecodecs

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    content = file.read() if size <= SPARE_BYTES else b""
    num_bytes = int.from_bytes(content[-4:], "little")
    if not content or num_bytes > min(limit, SPARE_BYTES) or content.find(_GZIP_START, 1) >= 0:
        return None
    try:
        unpacked = imagecodecs.gzip_decode(content, out=num_bytes)
    except Exception:  # the other way says what is wrong
        return None
    return io.BytesIO(unpacked) if len(unpacked) == num_bytes else None


def _unpack_by_parts(file: BinaryIO, limit: int) -> BinaryIO:
    file.seek(0)
    with ExitStack() as undone:
        unpacked = undone.enter_context(tempfile.SpooledTemporaryFile(SPARE_BYTES))
        try:
            with gzip.GzipFile(fileobj=file) as packed:
                while part := packed.read(2**20):
                    unpacked.write(part)
                    if unpacked.tell() > limit:
                        raise Unreadable(f"it unpacks to more than {limit} bytes")
        except (OSError, EOFError, zlib.error) as error:
            raise Unreadable(f"it is damaged ({error})") from error
        undone.pop_all()
    unpacked.seek(0)
    return cast(BinaryIO, unpacked)


class _Nameless:
    """A file without a name, so that tifffile opens no other file that this one names."""

    def __init__(self, file: Any):
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self._file = file

    def readinto(self, array: npt.NDArray[Any]) -> int:
        view = memoryview(cast(Any, array)).cast("B")
        count = 0
        while count < len(view) and (part := self._file.readinto(view[count:])):
            count += part
        return count


def open_tiff(file: BinaryIO, opened: ExitStack) -> tifffile.TiffFile:
    """Opens a TIFF whose pages do not loop and are not cut off, and that names no other file; `opened` closes it."""
    file.seek(0)
    check_chain(file, check_signature(file, "TIFF"))
    file.seek(0)
    import tifffile

    tiff = opened.enter_context(tifffile.TiffFile(_Nameless(file)))
    tiff.pages.cache = True  # each page is parsed once
    return tiff


def _planes_of_series(
    tiff: tifffile.TiffFile, pages: Pages, scene: Scene
) -> tuple[Planes, tifffile.TiffPageSeries | None]:
    """Finds the one image of a file that is no OME-TIFF, at full resolution; what would be left unread is an error."""
    members = {id(series): _members(series, pages) for whole in tiff.series for series in whole.levels}
    covered = {page.offset for listed in members.values() for page in listed}
    series = [whole for whole in tiff.series if whole.name.lower() not in _BESIDE_THE_IMAGE]
    series = [whole for whole in series if not is_reduced(whole.keyframe)] or series
    if not series:
        raise Unreadable("it has no pages")
    left = [page for page in pages if page.shape and page.offset not in covered and not is_reduced(page)]
    if left or (tiff.is_imagej and series[0].kind != "imagej"):
        raise Unreadable(f"its metadata do not fit its {len(pages)} pages: it is truncated, or pages were added")
    if scene is not None:
        series = [choose_scene(series, [whole.name for whole in series], scene)]
    listed = sorted((page for whole in series for page in members[id(whole)]), key=lambda page: page.offset)
    if len(series) == 1:
        whole = series[0]
        listed = members[id(whole)]
        if len({page.is_subifd for page in listed}) > 1:
            raise Unreadable("it holds several images, of which one is subordinate to another: save each as a file")
        return Planes(listed, whole.get_shape(squeeze=False), _as_said(whole, listed[0])), whole
    kinds = {(page.shape, page.dtype) for page in listed}
    is_stack = all(whole.kind in _ONE_BY_ONE and not whole.keyframe.is_subifd for whole in series)
    if len(kinds) > 1 or not is_stack or any(whole.kind == "shaped" and len(whole) > 1 for whole in series):
        images = ", ".join(f"{whole.dtype} {' x '.join(map(str, whole.shape))}" for whole in series[:5])
        raise Unreadable(f"it holds {len(series)} images ({images}), not one: `scene=0` takes the first")
    listed.sort(key=lambda page: page.index)
    first = listed[0]
    return Planes(listed, (len(listed), *first.shape), "?" + first.axes), None


def _members(series: tifffile.TiffPageSeries, pages: Pages) -> Pages:
    by_offset = {page.offset: page for page in pages}
    listed = list(series)
    if any(page is None for page in listed):
        raise Unreadable(f"its metadata declare {len(listed)} planes, of which {listed.count(None)} are missing")
    return [by_offset.get(page.offset) or page.aspage() for page in listed]


def _as_said(series: tifffile.TiffPageSeries, page: tifffile.TiffPage) -> str:
    """Replaces letters that tifffile makes up where the file says nothing of an axis."""
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    said, num_values = said_shape(page), math.prod(shape)
    if said is not None and math.prod(said) not in {num_values, num_values if series.kind == "shaped" else page.size}:
        raise Unreadable(f"it is truncated: it declares shape {said}, and has {num_values} values")
    if said_axes(page):
        return axes
    if said is None:
        return axes.replace("I", "?")
    has_components = any(axis == "S" and length > 1 for axis, length in zip(axes, shape, strict=True))
    is_known = "Q" not in axes or has_components or page.tags.valueof(274, 1) != 1
    return axes.replace("Q", "?").replace("I", "?") if is_known else "?" * len(axes)


def _decode(planes: Planes, max_bytes: int, series: tifffile.TiffPageSeries | None = None) -> ImageContent:
    declared = [check_page(page, max_bytes) for page in planes.pages]
    first, page = declared[0], planes.pages[0]
    kinds = {(one.dtype, one.shape, one.orientation) for one in declared}
    if len(kinds) > 1:
        raise Unreadable(f"its pages differ in type, size or orientation: {sorted(map(str, kinds))[:2]}")
    check_bytes(planes.shape, first.dtype, max_bytes)
    kept = [n for n, axis in enumerate(planes.axes) if planes.shape[n] != 1 or axis in "YX"]
    axes, shape = "".join(planes.axes[n] for n in kept), tuple(planes.shape[n] for n in kept)
    array: npt.NDArray[Any]
    if series is not None and math.prod(shape) > len(declared) * page.size:  # one page stands for those behind it
        num_bytes = math.prod(shape) * first.dtype.itemsize
        if not page.is_final or page.dataoffsets[0] + num_bytes > page.parent.filehandle.size:
            raise Unreadable("it is truncated")
        array = first.intensities(series.asarray(maxworkers=1), palette_of(page, first))
    elif len(declared) == 1:
        array = _decode_page(page, first)
    else:
        array = np.empty((len(declared), *page.shape), first.dtype)
        for number, one in enumerate(declared):
            array[number] = _decode_page(planes.pages[number], one)
    array = array.reshape(shape)
    if "C" not in axes and first.meaning != "RGB":
        axes = axes.replace("S", "C")
    if "Y" in axes and "X" in axes:
        sides = axes.index("Y"), axes.index("X")
        array = np.moveaxis(first.upright(np.moveaxis(array, sides, (0, 1))), (0, 1), sides)
    return ImageContent(array, axes, planes.names)


def _decode_page(page: tifffile.TiffPage, declared: Declared) -> npt.NDArray[Any]:
    if len(page.dataoffsets) == 1 and not (page.is_tiled or page.is_contiguous):  # its one piece is the page
        array = next(page.segments(maxworkers=1))[0].reshape(page.shape)
    else:
        array = page.asarray(maxworkers=1)
    if array.shape != declared.shape:
        raise Unreadable(f"it decodes to shape {array.shape}, but declares {declared.shape}")
    return declared.intensities(array, palette_of(page, declared))
