"""From an OME-Zarr plate, image or folder of images, with or without a table, to samples."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from keras_hpa.data.found_files import Found, FoundSample
from keras_hpa.data.load_table import Key
from keras_hpa.data.ome_zarr import find_images
from keras_hpa.data.samples import Samples
from keras_hpa.data.table_samples import Request, samples_of_folder, samples_of_table
from keras_hpa.data.tables import Call
from keras_hpa.data.zarr_images import ZarrImages


def load_ome_zarr(
    root: str | os.PathLike[str],
    table: Any = None,
    *,
    channels: Sequence[str] | None = None,
    level: int | None = None,
    max_pixel_size: float | None = None,
    min_size: int | tuple[int, int] | None = None,
    project: Mapping[str, Any] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    label_columns: str | Sequence[str] | None = None,
    id_column: str | None = None,
    groups: str | Sequence[str] | None = None,
    key: Key | None = None,
    separator: str | None = "auto",
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    allow_empty: bool | str = False,
    leave_out: Sequence[int | str] = (),
    missing: Literal["error", "drop"] = "error",
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Samples:
    """Opens OME-Zarr images of version 0.4 or 0.5: a plate, one image, a file of several, or a folder of files.

    Of a plate every field of every well is a sample, `A01_0`, with `row`, `col`, `well` and `field` in its metadata. Of
    a folder of `*.zarr` each is one, by its name, or a `plate`. A table has a row for each well, field or id, as
    `load_table` takes it. Metadata of plate and wells are read, and those of the first image; pixels when a sample is
    read.

    Args:
        root: a folder, or a URL of fsspec such as "s3://bucket/plate.zarr".
        table: a table of labels, as `load_table` takes it.
        channels: names of the channels to read, in order; all that the images have unless given.
        level: as in `ZarrImages`.
        max_pixel_size: as in `ZarrImages`.
        min_size: as in `ZarrImages`.
        project: as in `read_stack`.
        storage_options: as in `ZarrImages`.
        label_columns: as in `load_table`.
        id_column: as in `load_table`.
        groups: as in `load_table`; "plate", "well", "row", "col" and "field" as well.
        key: as in `load_table`.
        separator: as in `load_table`.
        class_names: as in `load_table`.
        num_classes: as in `load_table`.
        allow_empty: as in `load_table`.
        leave_out: ids, and rows of the table, that are not loaded.
        missing: "drop" leaves out fields without a row and rows without fields; "error" refuses them.
        delimiter: as in `load_table`.
        encoding: as in `load_table`.

    Returns:
        `Samples` in the order of the plate, or of the files' names.

    Raises:
        FileNotFoundError: if there is no such image, plate or table, or a well of a plate is missing.
        ImportError: if zarr, or fsspec's library of the store, is not installed.
        ValueError: if metadata are not those of OME-Zarr, or the table is wrong; as `load_table`.

    Example:
        >>> samples = load_ome_zarr(
        ...     "s3://bucket/plate.zarr", "wells.csv", label_columns="moa", groups="well", max_pixel_size=0.65
        ... )  # doctest: +SKIP
    """
    opener = _Opener(
        os.fspath(root),
        {
            "channels": channels,
            "level": level,
            "max_pixel_size": max_pixel_size,
            "min_size": min_size,
            "project": project,
            "storage_options": storage_options,
        },
    )
    request = Request(
        channels=channels,
        label_columns=label_columns,
        id_column=id_column,
        groups=groups,
        key=key,
        separator=separator,
        class_names=class_names,
        num_classes=num_classes,
        allow_empty=allow_empty,
        leave_out=leave_out,
        missing=missing,
        project=project,
        delimiter=delimiter,
        encoding=encoding,
    )
    shown = {name: value for name, value in opener.options.items() if value is not None and name != "storage_options"}
    call = Call("load_ome_zarr", [root, table], request.given() | shown)
    if missing not in ("error", "drop"):
        raise ValueError(f"`missing` must be 'error' or 'drop'. Received: {missing!r}")
    found = find_images(opener.root, storage_options)
    opener.found = found
    request.opener = opener
    request.pattern = re.compile("".join(f"(?P<{name}>.*)" for name in found.samples[0].fields))
    if table is None:
        return samples_of_folder(Path(opener.root), request, call)
    return samples_of_table(table, opener.root, request, call)


@dataclass
class _Opener:
    """Stands for a folder of files where tables are joined with samples."""

    root: str
    options: dict[str, Any]
    found: Found | None = None

    def source(self, samples: Sequence[FoundSample]) -> ZarrImages:
        paths = [str(sample.files[""]) for sample in samples]
        return ZarrImages(self.root, [sample.id for sample in samples], paths=paths, **self.options)
