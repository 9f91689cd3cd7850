"""From a folder, with or without a table of labels, to samples, and from predictions to a submission."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from keras_hpa.atlas import CHANNELS, CLASS_NAMES
from keras_hpa.data.folder_layouts import find_layout
from keras_hpa.data.load_table import Key
from keras_hpa.data.samples import Samples
from keras_hpa.data.table_samples import Request, samples_of_folder, samples_of_table
from keras_hpa.data.tables import Call
from keras_hpa.files import write_csv
from keras_hpa.labels import format_labels


def load_folder(
    root: str | os.PathLike[str],
    table: Any = None,
    *,
    channels: Sequence[str] | Mapping[str, str] | None = None,
    pattern: Any = None,
    layout: str | None = None,
    label_columns: str | Sequence[str] | None = None,
    id_column: str | None = None,
    groups: str | Sequence[str] | None = None,
    key: Key | None = None,
    separator: str | None = " ",
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
) -> Samples:
    """Opens anybody's folder of images, with a table of labels or without one.

    Without a table every file whose name fits `pattern` belongs to a sample, whose id and metadata are what the name
    says: `{plate}/{well}_s{field}_w{channel}.tif`. A field `{label}` is the sample's class, as where there is a folder
    for each: `{label}/{id}.tif`. Fields `{z}` and `{t}` are planes and time points, of which `project` makes an image.

    With a table, all is as by `load_table`, whose arguments these are.

    Folders are listed, each once; images are opened when they are read, not here.

    Args:
        root: the folder with the images.
        table: a table of labels, as `load_table` takes it.
        channels: the names of the channels, in the order in which they are stacked; or a mapping from these names to
            what stands in the files' names: `{"dapi": "ch1", "gfp": "ch2"}`. Without a table they may be found.
        pattern: an image's path below `root`, such as `"{id}/{channel}.tif"`; `"{id}_{channel}.png"` unless given.
        layout: in place of `pattern`, how an instrument or a site names files: "harmony" (Opera, Operetta; with channel
            names from `Index.idx.xml`), "metaxpress", "kaggle2018", "kaggle2021", "hpa" (the website of the Human
            Protein Atlas), or "class folders".
        label_columns: as in `load_table`.
        id_column: as in `load_table`.
        groups: as in `load_table`; fields of `pattern` as well.
        key: as in `load_table`.
        separator: as in `load_table`.
        class_names: as in `load_table`.
        num_classes: as in `load_table`.
        allow_empty: as in `load_table`.
        leave_out: ids, and rows of the table, that are not loaded.
        missing: what becomes of a sample that has not all its files: "error", which lists them, "zeros" for dark images
            in place of a channel's, "drop" to leave it out, which the log tells.
        project: as in `load_table`.
        scene: as in `load_table`.
        pixel_size: as in `load_table`; a field of `pattern` as well. Unless given, what `Index.idx.xml` or files say.
        delimiter: as in `load_table`.
        encoding: as in `load_table`.

    Returns:
        `Samples` in the order of the table, or of the files' names.

    Raises:
        FileNotFoundError: if the folder or the table does not exist, the folder is empty, or a sample lacks a file.
        ValueError: if no file fits, or the table is wrong; as `load_table`.

    Example:
        >>> import numpy as np, os, tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> for name in ("A01_s1_w1", "A01_s1_w2", "A01_s2_w1", "A01_s2_w2"):
        ...     np.save(os.path.join(folder.name, f"{name}.npy"), np.zeros((8, 8), "uint16"))
        >>> samples = load_folder(
        ...     folder.name, pattern="{well}_s{field}_w{channel}.npy", channels={"dapi": "1", "gfp": "2"}
        ... )
        >>> samples.ids, samples.channels, samples.metadata["field"]
        (('A01_1', 'A01_2'), ('dapi', 'gfp'), ['1', '2'])
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
    )
    options = request.given()
    if separator == " ":
        options.pop("separator")
    call = Call("load_folder", [root, table], options | ({} if layout is None else {"layout": layout}))
    id_format = None
    if layout is not None:
        if pattern is not None:
            raise ValueError(f"`pattern` must be left out where `layout` is given. Received: {pattern!r}")
        found = find_layout(layout, Path(root), call)
        request.pattern, id_format = found.pattern, found.id_format
        request.channels = found.channels if channels is None else channels
        request.pixel_size = found.pixel_size if pixel_size is None else pixel_size
    elif pattern is None:
        request.pattern = "{id}_{channel}.png"
    if table is None:
        return samples_of_folder(Path(root), request, call, id_format=id_format)
    return samples_of_table(table, root, request, call, id_format=id_format)


def load_kaggle(
    root: str | os.PathLike[str],
    subset: str = "train",
    *,
    missing: Literal["error", "zeros", "drop"] = "error",
) -> Samples:
    """Opens the data of Kaggle's Human Protein Atlas Image Classification challenge.

    Args:
        root: the folder with `train.csv`, `sample_submission.csv`, `train/` and `test/`.
        subset: "train" or "test".
        missing: as for [`load_folder`](load_folder.md).

    Returns:
        `Samples` of the 28 classes of the atlas, in the order of the table; those of "test" have no labels.

    Raises:
        FileNotFoundError: if a folder, a table or a file does not exist, or the folder is empty.
        ValueError: if `subset` is neither, or the table is wrong.

    Example:
        >>> train, validation = load_kaggle("human-protein-atlas").split(validation_size=0.2)  # doctest: +SKIP
    """
    if subset not in ("train", "test"):
        raise ValueError(f"`subset` must be 'train' or 'test'. Received: {subset!r}")
    table = "train.csv" if subset == "train" else "sample_submission.csv"
    samples = load_folder(
        Path(root, subset),
        Path(root, table),
        channels=CHANNELS,
        id_column="Id",
        label_columns="Target" if subset == "train" else [],
        class_names=CLASS_NAMES,
        missing=missing,
    )
    return samples if subset == "train" else Samples(samples.source, class_names=CLASS_NAMES)


def write_submission(
    path: str | os.PathLike[str],
    ids: Sequence[str],
    predictions: npt.ArrayLike,
    *,
    separator: str = " ",
    escape_formulas: bool = True,
) -> None:
    """Writes predictions in the form that Kaggle takes: `Id,Predicted`, with the labels' numbers.

    The file appears whole or not at all.

    Args:
        path: where to write.
        ids: the samples' ids, in the order of the rows of `predictions`.
        predictions: a 0/1 matrix of shape `(num_samples, num_classes)`.
        separator: what to put between two labels.
        escape_formulas: whether an id that a spreadsheet would run as a formula, because it begins with =, +, -, @, a
            tab or a carriage return and is no number, gets an apostrophe in front.

    Raises:
        ValueError: if ids repeat, or are not as many as the predictions, or the matrix holds anything but 0 and 1.

    Example:
        >>> write_submission("submission.csv", samples.ids, calibrator.predict(scores))  # doctest: +SKIP
    """
    texts, ids = format_labels(predictions, separator), list(ids)
    for one in ids:
        if not isinstance(one, str) or one.splitlines() != [one]:
            raise ValueError(f"`ids` must be texts of one line. Received: {one!r}")
    if len(ids) != len(texts) or len(set(ids)) != len(ids):
        raise ValueError(
            f"`ids` must be {len(texts)} different ids, one per row of `predictions`. "
            f"Received: {len(ids)}, of which {len(set(ids))} differ"
        )
    write_csv(path, [("Id", "Predicted"), *zip(ids, texts, strict=True)], escape_formulas=escape_formulas)
