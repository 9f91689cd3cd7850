"""From a folder and a table of labels to samples, and from predictions to a submission."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy.typing as npt

from keras_hpa.atlas import CHANNELS, CLASS_NAMES
from keras_hpa.data.channel_files import ChannelFiles
from keras_hpa.data.samples import Samples
from keras_hpa.files import write_csv
from keras_hpa.labels import format_labels, label_number, parse_labels, split_labels

_MOST_NUMBERED = 10_000  # classes; beyond that numbers are codes, and their columns would fill the memory


def load_folder(
    root: str | os.PathLike[str],
    labels_csv: str | os.PathLike[str],
    *,
    channels: Sequence[str],
    pattern: str = "{id}_{channel}.png",
    id_column: str = "Id",
    label_column: str = "Target",
    separator: str = " ",
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    groups: str | None = None,
    allow_empty: bool = False,
) -> Samples:
    """Opens anybody's folder of images and table of labels.

    Images are opened when they are read, not here. The table's other columns become the `metadata` of the samples.

    Unless `class_names` or `num_classes` is given, the classes are those that occur in the table: if all labels are
    whole numbers, 0 to the largest; otherwise the names, in alphabetical order, without regard to case. Give
    `class_names` where a class may be missing from the table, or where another table must get the same columns.

    Args:
        root: the folder with the images.
        labels_csv: a CSV file in UTF-8 with a header and one row per sample.
        channels: the names of the channels, in the order in which they are stacked.
        pattern: an image's path below `root`, such as `"{id}/{channel}.tif"`.
        id_column: the column that holds the ids.
        label_column: the column that holds the labels: numbers from 0 on, or names.
        separator: what stands between two labels; not a space where names have several words.
        class_names: the names of the classes.
        num_classes: how many classes there are, where labels are numbers.
        groups: the column that holds the samples' groups (patients, plates), which a split keeps whole.
        allow_empty: whether a sample may have no label.

    Returns:
        `Samples` in the order of the table.

    Raises:
        FileNotFoundError: if the folder or the table does not exist, or the folder is empty.
        ValueError: if the table lacks a column or has no rows, or an id, a label or a group is wrong.

    Example:
        >>> samples = load_folder(
        ...     "plates", "plates.csv", channels=["dapi", "gfp"], pattern="{id}/{channel}.png", separator="|",
        ... )  # doctest: +SKIP
    """
    table = _read_table(Path(labels_csv), [id_column, label_column, *([] if groups is None else [groups])])
    ids, texts = table[id_column], table[label_column]
    if class_names is not None and num_classes is not None:
        raise ValueError(f"`num_classes` must not be given beside `class_names`. Received: {num_classes!r}")
    classes = num_classes if class_names is None else list(class_names)
    if classes is None:
        classes = _find_classes(texts, separator)
    labels = parse_labels(texts, classes, separator=separator, ids=ids, allow_empty=allow_empty)
    source = ChannelFiles(root, ids, channels=channels, pattern=pattern)
    _check_not_empty(source.root)
    return Samples(
        source,
        labels,
        class_names=None if isinstance(classes, int) else classes,
        groups=None if groups is None else [cell.strip() or None for cell in table[groups]],
        metadata={name: cells for name, cells in table.items() if name not in (id_column, label_column)},
    )


def load_kaggle(root: str | os.PathLike[str], subset: str = "train") -> Samples:
    """Opens the data of Kaggle's Human Protein Atlas Image Classification challenge.

    Args:
        root: the folder with `train.csv`, `sample_submission.csv`, `train/` and `test/`.
        subset: "train" or "test".

    Returns:
        `Samples` of the 28 classes of the atlas, in the order of the table; those of "test" have no labels.

    Raises:
        FileNotFoundError: if a folder or a table does not exist, or the folder is empty.
        ValueError: if `subset` is neither, or the table is wrong.

    Example:
        >>> train, validation = load_kaggle("human-protein-atlas").split(validation_size=0.2)  # doctest: +SKIP
    """
    if subset == "train":
        return load_folder(Path(root, "train"), Path(root, "train.csv"), channels=CHANNELS, class_names=CLASS_NAMES)
    if subset == "test":
        table = _read_table(Path(root, "sample_submission.csv"), ["Id"])
        source = ChannelFiles(Path(root, "test"), table["Id"], channels=CHANNELS)
        _check_not_empty(source.root)
        return Samples(source, class_names=CLASS_NAMES)
    raise ValueError(f"`subset` must be 'train' or 'test'. Received: {subset!r}")


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


def _find_classes(texts: Sequence[str], separator: str) -> list[str] | int:
    """Gives the names of the classes that occur, or how many there are where all labels are numbers."""
    if not isinstance(separator, str) or not separator:
        return 1  # `parse_labels` refuses it
    labels = list(dict.fromkeys(label for text in texts for label in split_labels(text, separator)))
    if not labels:
        raise ValueError("`class_names` or `num_classes` must be given where the table has no label. Received: neither")
    numbers = [number for label in labels if (number := label_number(label)) is not None]
    if len(numbers) == len(labels):
        if max(numbers) >= _MOST_NUMBERED:
            raise ValueError(
                f"`num_classes` or `class_names` must be given where labels are numbers from {_MOST_NUMBERED} on. "
                f"Received: a label {max(numbers)}"
            )
        return max(numbers) + 1
    for label in labels:
        if separator.isspace() and any(sign in label for sign in ";|,"):
            raise ValueError(
                "`separator` must be what stands between two labels; or give `class_names`. "
                f"Received: {separator!r}, and {label!r} in the table"
            )
    names = {label.casefold(): label for label in reversed(labels) if label}
    return [names[folded] for folded in sorted(names)]


def _read_table(path: Path, columns: Sequence[str]) -> dict[str, list[str]]:
    """Gives a table's columns; each of `columns` must be there once."""
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
    return {name: [row[name] for row in rows] for name in header}


def _check_not_empty(folder: Path) -> None:
    with os.scandir(folder) as entries:
        if next(entries, None) is None:
            raise FileNotFoundError(f"`root` must hold images. Received: the empty folder {os.fspath(folder)!r}")
