"""Label text to label matrix and back, for any classes."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

_MAX_DIGITS = 9


def parse_labels(
    texts: Sequence[object],
    classes: int | Sequence[str],
    *,
    separator: str = " ",
    ids: Sequence[str] | None = None,
    allow_empty: bool = False,
) -> npt.NDArray[np.uint8]:
    """Turns label texts such as `"16 0"` into a 0/1 matrix.

    Args:
        texts: one text per sample: its labels in any order. `None`, NaN and pandas's NA count as empty.
        classes: how many classes there are, or their names. Labels are whole numbers from 0 on; names may stand for
            them, without regard to case, and a name wins over a number that is written the same.
        separator: what stands between two labels. A space stands for any white space.
        ids: the samples' ids, for error messages.
        allow_empty: whether a sample may have no label at all.

    Returns:
        A uint8 array of shape `(len(texts), num_classes)`.

    Raises:
        ValueError: if a label is unknown, out of range or repeated, or a row is empty; the message names row and id.

    Example:
        >>> parse_labels(["1 0", "2"], 3)
        array([[1, 1, 0],
               [0, 0, 1]], dtype=uint8)
        >>> parse_labels(["cytosol|Nucleoli"], ["Nucleoli", "Golgi", "Cytosol"], separator="|")
        array([[1, 0, 1]], dtype=uint8)
    """
    _check_separator(separator)
    if isinstance(texts, str) or not hasattr(texts, "__iter__"):
        raise ValueError(f"`texts` must be a list of texts, one per sample. Received: {texts!r}")
    texts, ids = list(texts), None if ids is None else list(ids)
    if ids is not None and len(ids) != len(texts):
        raise ValueError(f"`ids` must be as long as `texts`. Received: {len(ids)} ids, {len(texts)} texts")
    return label_rows(
        [split_labels(text, separator) for text in texts],
        classes,
        where=lambda row: f"row {row}" if ids is None else f"row {row} (id {ids[row]!r})",
        allow_empty=allow_empty,
        texts=texts,
    )


def label_rows(
    rows: Sequence[Sequence[str]],
    classes: int | Sequence[str],
    *,
    where: Callable[[int], str],
    advice: Callable[[int], str] = lambda row: "",
    allow_empty: bool = False,
    texts: Sequence[object] | None = None,
) -> npt.NDArray[np.uint8]:
    """Turns lists of labels, one per sample, into a 0/1 matrix; `where` names a row, `advice` says what to do of it."""
    numbers_by_name, num_classes = _check_classes(classes)
    matrix = np.zeros((len(rows), num_classes), np.uint8)
    for row, labels in enumerate(rows):
        text = labels if texts is None else texts[row]
        if not labels and not allow_empty:
            raise ValueError(
                f"Every sample must have a label unless `allow_empty=True`. Received: {text!r} in {where(row)}"
            )
        for label in labels:
            number = numbers_by_name.get(label.casefold(), label_number(label))
            if number is None:
                known = "a whole number or a name of `classes`" if numbers_by_name else "a whole number"
                raise ValueError(f"A label must be {known}{advice(row)}. Received: {label!r} in {where(row)}")
            if number >= num_classes:
                raise ValueError(
                    f"A label must lie in 0 to {num_classes - 1}{advice(row)}. Received: {label!r} in {where(row)}"
                )
            if matrix[row, number]:
                raise ValueError(
                    f"A label must not be repeated{advice(row)}. Received: {label!r} twice in {where(row)}: {text!r}"
                )
            matrix[row, number] = 1
    return matrix


def format_labels(
    matrix: npt.ArrayLike, separator: str = " ", *, class_names: Sequence[str] | None = None
) -> list[str]:
    """Turns a 0/1 matrix into label texts such as `"0 16"`: the inverse of `parse_labels`.

    Args:
        matrix: labels of shape `(num_samples, num_classes)`, 0 or 1.
        separator: what to put between two labels.
        class_names: names to write in place of numbers.

    Returns:
        One text per row with its labels in ascending order; a row without labels gives `""`.

    Raises:
        ValueError: if `matrix` has another shape or holds anything but 0 and 1, or a name holds the separator.

    Example:
        >>> format_labels([[1, 0, 1], [0, 0, 0]])
        ['0 2', '']
    """
    _check_separator(separator)
    labels = np.asarray(matrix)
    if labels.ndim != 2 or (class_names is not None and labels.shape[1] != len(class_names)):
        columns = "num_classes" if class_names is None else len(class_names)
        raise ValueError(f"`matrix` must have shape (num_samples, {columns}). Received: shape {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"`matrix` must hold 0 and 1 only. Received: {labels[~np.isin(labels, (0, 1))][0]!r}")
    names = list(map(str, range(labels.shape[1]))) if class_names is None else check_class_names(class_names)
    for name in names:
        if separator in name:
            raise ValueError(f"A class name must not hold the separator {separator!r}. Received: {name!r}")
    return [separator.join(names[number] for number in np.flatnonzero(row)) for row in labels]


def is_missing(value: object) -> bool:
    """Whether a value of a table is None, NaN, NaT or pandas's NA."""
    return (
        value is None
        or type(value).__name__ == "NAType"
        or (
            not getattr(value, "ndim", 0) and bool(value != value)  # NaN alone differs from itself
        )
    )


def split_labels(text: object, separator: str) -> list[str]:
    """Gives the labels in one text."""
    stripped = "" if is_missing(text) else str(text).strip()
    if not stripped:
        return []
    return stripped.split() if separator == " " else [label.strip() for label in stripped.split(separator)]


def label_number(label: str) -> int | None:
    """Gives the number that a label is, or None for a name."""
    return int(label) if label.isascii() and label.isdigit() and len(label) <= _MAX_DIGITS else None


def check_label_matrix(labels: npt.ArrayLike, num_samples: int | None = None) -> npt.NDArray[np.int8]:
    """Gives labels as an int8 array of its own; refuses what is not a matrix of 0, 1 and -1 for each sample.

    Entries that are masked or missing are refused: an unknown label is written as -1.
    """
    matrix = np.asarray(labels)
    if matrix.ndim != 2 or (num_samples is not None and len(matrix) != num_samples):
        rows = "num_samples" if num_samples is None else num_samples
        raise ValueError(f"`labels` must have shape ({rows}, num_classes). Received: shape {matrix.shape}")
    if np.ma.is_masked(labels):
        raise ValueError("`labels` must hold 0, 1, or -1 where unknown. Received: masked entries")
    if matrix.dtype == object:  # a table of several types, or with missing entries
        wrong_kind = [[is_missing(value) or isinstance(value, complex) for value in row] for row in matrix]
        matrix = np.where(np.reshape(np.array(wrong_kind, bool), matrix.shape), 2, matrix)
    wrong = ~np.isin(matrix, (-1, 0, 1)) if matrix.dtype.kind in "biufO" else np.ones(matrix.shape, bool)
    for row, column in np.argwhere(wrong)[:1]:
        received = np.asarray(labels)[row, column]
        received = received.item() if isinstance(received, np.generic) else received
        raise ValueError(
            f"`labels` must hold 0, 1, or -1 where unknown. Received: {received!r} in row {row}, column {column}"
        )
    return matrix.real.astype(np.int8)  # of no rows, numbers may be complex


def check_class_names(class_names: Sequence[str]) -> tuple[str, ...]:
    """Gives names of classes as a tuple; refuses what is not different texts, case and outer white space aside."""
    if isinstance(class_names, str) or not hasattr(class_names, "__iter__"):
        raise ValueError(f"`class_names` must be a list of names. Received: {class_names!r}")
    names, seen = tuple(class_names), set()
    for name in names:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"`class_names` must be texts, none empty. Received: {name!r}")
        if _fold(name) in seen:
            raise ValueError(f"`class_names` must differ, case aside. Received: {name!r} twice")
        seen.add(_fold(name))
    return names


def _check_classes(classes: int | Sequence[str]) -> tuple[dict[str, int], int]:
    numbers: dict[str, int] = {}
    if isinstance(classes, (int, np.integer)) and not isinstance(classes, bool):
        count = int(classes)
    elif isinstance(classes, (bool, str)) or not hasattr(classes, "__iter__"):
        raise ValueError(f"`classes` must be a number of classes or a list of names. Received: {classes!r}")
    else:
        names = check_class_names(classes)
        numbers, count = {_fold(name): number for number, name in enumerate(names)}, len(names)
    if count < 1:
        raise ValueError(f"`classes` must be one or more. Received: {classes!r}")
    return numbers, count


def _fold(name: str) -> str:
    return name.strip().casefold()


def _check_separator(separator: str) -> None:
    if not isinstance(separator, str) or not separator:
        raise ValueError(f"`separator` must be a text, not empty. Received: {separator!r}")
