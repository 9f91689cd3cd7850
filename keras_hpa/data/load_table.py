"""From a table of labels, and the images that it names, to samples."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from keras_hpa.data.samples import Samples
from keras_hpa.data.table_samples import Request, samples_of_table
from keras_hpa.data.tables import Call

Key = str | Sequence[str] | Mapping[str, str] | Callable[[str], str]


def load_table(
    table: Any,
    root: str | os.PathLike[str] | None = None,
    *,
    pattern: Any = None,
    channels: Sequence[str] | Mapping[str, Any] | None = None,
    label_columns: str | Sequence[str] | None = None,
    id_column: str | None = None,
    groups: str | Sequence[str] | None = None,
    key: Key | None = None,
    separator: str | None = "auto",
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    allow_empty: bool | str = False,
    leave_out: Sequence[int | str] = (),
    missing: Literal["error", "zeros", "drop"] = "error",
    project: Mapping[str, Any] | None = None,
    scene: int | str | None = None,
    pixel_size: float | str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> Samples:
    """Opens images and their labels as a table names them.

    The table is a pandas or polars DataFrame, or a file: CSV, TSV or any text with one sign between cells, in UTF-8,
    UTF-16 or another encoding; Excel (`.xlsx`) or Parquet, which need `pip install "keras-hpa[tables]"`. Whatever can
    be read in two ways is an error, which shows the columns and a call that works. The table's other columns become
    the `metadata` of the samples. Folders are listed, to see whether a file is missing; no image is opened.

    Images are named in one of four ways:

    - `pattern="{id}_{channel}.tif"`: by the id. Other fields are columns of the table, `{plate}/{well}_{channel}.tif`.
    - One column of paths per channel: `channels={"dapi": "blue_path", "gfp": "green_path"}`, or a list of such
      columns' names.
    - Ids that are paths of files which hold all channels.
    - A row for several images, such as a row per well: fields of `pattern` that are no columns, as `{field}` in
      `{well}_s{field}_w{channel}.tif`, are looked for in the folder, and `key` says which fields find the row.

    Args:
        table: the table, or its path.
        root: the folder that paths are below; of a file its own folder unless given.
        pattern: an image's path below `root`. A width may be given, `{id:03}`; `*` is anything within a name; a
            compiled regular expression with named groups will do.
        channels: the channels' names in the order in which they are stacked; or a mapping from these names to what
            stands in the files' names, or, without `pattern`, to columns of paths, a tuple of columns being joined.
        label_columns: the column that holds the labels; or a list of columns, of one class each, that hold 1, 0, or -1
            for unknown; `[]` for no labels. In the one column a cell holds names or numbers of classes, or a list of
            these, written out too; a lone -1 says that nothing is known of the sample. Unless given, the column whose
            name says it.
        id_column: the column that holds the ids. Unless given, the column whose name says it.
        groups: the column, or several, of the samples' groups (patients, plates), which a split keeps whole; fields of
            `pattern` as well.
        key: what finds the row of an image that `pattern` found: names of fields that are columns too; a mapping from
            fields to columns; or a function from an image's id to that in the table. Unless given, the fields that
            are columns.
        separator: what stands between two labels in a cell; `None` where each cell is one label, for names of several
            words; "auto" for the one of ; | , that occurs.
        class_names: the names of the classes, in order. Unless given, those that occur, in alphabetical order.
        num_classes: how many classes there are, where labels are numbers.
        allow_empty: what an empty cell of labels is, or one with NA, N/A, NaN or null: `False` for an error, `True` for
            no label, "unknown".
        leave_out: rows, counted from 0 below the header, or ids, that are not loaded.
        missing: what becomes of a sample that has not all its files or no row: "error", "zeros" for dark images in
            place of a channel's, "drop" to leave it out, which the log tells.
        project: how stacks become images, `{"Z": "max", "T": 0}`, as `read_stack` takes it.
        scene: which image of a file that holds several, as `read_stack` takes it.
        pixel_size: micrometres per pixel, or the column that holds them; where it is left out, what the files say.
        delimiter: what stands between two cells of a text file; found unless given.
        encoding: of a text file, where it is not UTF-8 and its first bytes do not say it, such as "cp1252".
        sheet: of a workbook that has several.

    Returns:
        `Samples` in the order of the table, or of the files' names where a row stands for several.

    Raises:
        FileNotFoundError: if there is no such table or folder, or a sample's file is missing.
        ValueError: if the table is wrong or can be read in two ways; the message names cell, row or file.
        ImportError: if a workbook or Parquet file is given and the library that reads it is not installed.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ("A01_dapi", "A01_gfp", "A02_dapi", "A02_gfp"):
        ...     np.save(os.path.join(folder.name, f"{name}.npy"), np.zeros((8, 8), "uint16"))
        >>> table = {"well": ["A01", "A02"], "Golgi": [1, 0], "ER": [0, -1], "plate": ["p", "p"]}
        >>> samples = load_table(
        ...     table,
        ...     root=folder.name,
        ...     pattern="{well}_{channel}.npy",
        ...     channels=["dapi", "gfp"],
        ...     label_columns=["Golgi", "ER"],
        ... )
        >>> samples.ids, samples.labels.tolist(), samples.metadata
        (('A01', 'A02'), [[1, 0], [0, -1]], {'well': ['A01', 'A02'], 'plate': ['p', 'p']})
        >>> folder.cleanup()
    """
    request = Request(
        pattern=pattern,
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
        scene=scene,
        pixel_size=pixel_size,
        delimiter=delimiter,
        encoding=encoding,
        sheet=sheet,
    )
    shown = {} if root is None else {"root": root}
    return samples_of_table(table, root, request, Call("load_table", [table], shown | request.given()))
