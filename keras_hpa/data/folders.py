"""From a folder and a table of labels to a source and a label matrix, and from predictions to a submission."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from keras_hpa.atlas import CHANNELS, CLASS_NAMES
from keras_hpa.data.channel_files import ChannelFiles
from keras_hpa.files import replacing
from keras_hpa.labels import format_labels, parse_labels


def load_folder(
    root: str | os.PathLike[str],
    labels_csv: str | os.PathLike[str],
    *,
    channels: Sequence[str] = CHANNELS,
    pattern: str = "{id}_{channel}.png",
    id_column: str = "Id",
    label_column: str = "Target",
    separator: str = " ",
    class_names: Sequence[str] | None = None,
    num_classes: int = len(CLASS_NAMES),
    allow_empty: bool = False,
) -> tuple[ChannelFiles, npt.NDArray[np.uint8]]:
    """Opens anybody's folder of images and table of labels.

    Images are opened when they are read, not here.

    Args:
        root: the folder with the images.
        labels_csv: a CSV file in UTF-8 with a header and one row per sample.
        channels: the names of the channels, in the order in which they are stacked.
        pattern: an image's path below `root`.
        id_column: the column that holds the ids.
        label_column: the column that holds the labels: numbers, or names of `class_names`.
        separator: what stands between two labels.
        class_names: the names of the classes.
        num_classes: how many classes there are, where `class_names` is not given.
        allow_empty: whether a sample may have no label.

    Returns:
        A source, and labels of shape `(num_samples, num_classes)`, in the order of the table.

    Raises:
        FileNotFoundError: if the folder or the table does not exist, or the folder is empty.
        ValueError: if the table lacks a column or has no rows, or an id or a label is wrong.

    Example:
        >>> source, labels = load_folder(
        ...     "plates", "plates.csv", channels=["dapi", "gfp"], pattern="{id}/{channel}.png",
        ...     class_names=["Nucleus", "Cytosol"], separator="|",
        ... )  # doctest: +SKIP
    """
    rows = _read_table(Path(labels_csv), (id_column, label_column))
    ids = [row[id_column] for row in rows]
    labels = parse_labels(
        [row[label_column] for row in rows],
        num_classes,
        separator,
        ids,
        allow_empty,
        class_names=class_names,
    )
    source = ChannelFiles(root, ids, channels=channels, pattern=pattern)
    _check_not_empty(source.root)
    return source, labels


def load_kaggle(
    root: str | os.PathLike[str], subset: str = "train"
) -> tuple[ChannelFiles, npt.NDArray[np.uint8] | None]:
    """Opens the data of Kaggle's Human Protein Atlas Image Classification challenge.

    Args:
        root: the folder with `train.csv`, `sample_submission.csv`, `train/` and `test/`.
        subset: "train" or "test".

    Returns:
        A source and labels of shape `(num_samples, 28)`, or for "test" a source and `None`, in the order of the table.

    Raises:
        FileNotFoundError: if a folder or a table does not exist, or the folder is empty.
        ValueError: if `subset` is neither, or the table is wrong.

    Example:
        >>> source, labels = load_kaggle("human-protein-atlas")  # doctest: +SKIP
    """
    if subset == "train":
        return load_folder(Path(root, "train"), Path(root, "train.csv"))
    if subset == "test":
        rows = _read_table(Path(root, "sample_submission.csv"), ("Id",))
        source = ChannelFiles(Path(root, "test"), [row["Id"] for row in rows])
        _check_not_empty(source.root)
        return source, None
    raise ValueError(f"`subset` must be 'train' or 'test'. Received: {subset!r}")


def write_submission(
    path: str | os.PathLike[str], ids: Sequence[str], predictions: npt.ArrayLike, *, separator: str = " "
) -> None:
    """Writes predictions in the form that Kaggle takes: `Id,Predicted`, with the labels' numbers.

    The file appears whole or not at all.

    Args:
        path: where to write.
        ids: the samples' ids, in the order of the rows of `predictions`.
        predictions: a 0/1 matrix of shape `(num_samples, num_classes)`.
        separator: what to put between two labels.

    Raises:
        ValueError: if ids repeat, or are not as many as the predictions, or the matrix holds anything but 0 and 1.

    Example:
        >>> write_submission("submission.csv", source.ids, calibrator.predict(scores))  # doctest: +SKIP
    """
    texts = format_labels(predictions, separator)
    if len(ids) != len(texts) or len(set(ids)) != len(ids):
        raise ValueError(
            f"`ids` must be {len(texts)} different ids, one per row of `predictions`. "
            f"Received: {len(ids)}, of which {len(set(ids))} differ"
        )
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("Id", "Predicted"))
        writer.writerows(zip(ids, texts, strict=True))


def _read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or []
            for column in columns:
                if header.count(column) != 1:
                    raise ValueError(f"{path} must have one column {column!r}. Received: columns {list(header)}")
            rows = list(reader)
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no table {os.fspath(path)!r}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path} must be a CSV file in UTF-8. Received: {error}") from None
    if not rows:
        raise ValueError(f"{path} must have a row per sample. Received: no rows")
    for number, row in enumerate(rows):
        if None in row or None in row.values():
            raise ValueError(f"{path} must have {len(header)} cells in each row. Received: row {number}: {row}")
    return rows


def _check_not_empty(folder: Path) -> None:
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            raise FileNotFoundError(f"`root` must hold images. Received: the empty folder {os.fspath(folder)!r}")
