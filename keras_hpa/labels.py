"""Label text to label matrix and back, for any classes."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_MAX_DIGITS = 9


def parse_labels(
    texts: Sequence[object],
    num_classes: int = 28,
    separator: str = " ",
    ids: Sequence[str] | None = None,
    allow_empty: bool = False,
    *,
    class_names: Sequence[str] | None = None,
) -> npt.NDArray[np.uint8]:
    """Turns label texts such as `"16 0"` into a 0/1 matrix.

    Args:
        texts: one text per sample: its labels in any order. `None` and NaN count as empty.
        num_classes: how many classes there are; labels are 0 to `num_classes - 1`.
        separator: what stands between two labels. A space stands for any white space.
        ids: the samples' ids, for error messages.
        allow_empty: whether a sample may have no label at all.
        class_names: names that may stand for labels, without regard to case; a name wins over a number that is
            written the same. When given, its length takes the place of `num_classes`.

    Returns:
        A uint8 array of shape `(len(texts), num_classes)`.

    Raises:
        ValueError: if a label is unknown, out of range or repeated, or a row is empty; the message names row and id.

    Example:
        >>> parse_labels(["1 0", "2"], num_classes=3)
        array([[1, 1, 0],
               [0, 0, 1]], dtype=uint8)
        >>> parse_labels(["cytosol|Nucleoli"], separator="|", class_names=["Nucleoli", "Golgi", "Cytosol"])
        array([[1, 0, 1]], dtype=uint8)
    """
    if not separator:
        raise ValueError(f"`separator` must not be empty. Received: {separator!r}")
    if ids is not None and len(ids) != len(texts):
        raise ValueError(f"`ids` must be as long as `texts`. Received: {len(ids)} ids, {len(texts)} texts")
    numbers_by_name = {} if class_names is None else _number_names(class_names)
    num_classes = num_classes if class_names is None else len(class_names)
    if num_classes < 1:
        raise ValueError(f"`num_classes` must be at least 1. Received: {num_classes}")

    matrix = np.zeros((len(texts), num_classes), np.uint8)
    for row, text in enumerate(texts):
        where = f"row {row}" if ids is None else f"row {row} (id {ids[row]!r})"
        labels = _split(text, separator)
        if not labels and not allow_empty:
            raise ValueError(f"Every sample must have a label unless `allow_empty=True`. Received: {text!r} in {where}")
        for label in labels:
            number = numbers_by_name.get(label.casefold(), _to_number(label))
            if number is None:
                known = "a whole number" if class_names is None else "a whole number or a name of `class_names`"
                raise ValueError(f"A label must be {known}. Received: {label!r} in {where}")
            if number >= num_classes:
                raise ValueError(f"A label must lie in 0 to {num_classes - 1}. Received: {label!r} in {where}")
            if matrix[row, number]:
                raise ValueError(f"A label must not be repeated. Received: {label!r} twice in {where}: {text!r}")
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
    labels = np.asarray(matrix)
    if labels.ndim != 2 or (class_names is not None and labels.shape[1] != len(class_names)):
        columns = "num_classes" if class_names is None else len(class_names)
        raise ValueError(f"`matrix` must have shape (num_samples, {columns}). Received: shape {labels.shape}")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"`matrix` must hold 0 and 1 only. Received: {labels[~np.isin(labels, (0, 1))][0]!r}")
    names = [str(number) for number in range(labels.shape[1])] if class_names is None else list(class_names)
    for name in names:
        if separator in name:
            raise ValueError(f"A class name must not hold the separator {separator!r}. Received: {name!r}")
    return [separator.join(names[number] for number in np.flatnonzero(row)) for row in labels]


def _number_names(class_names: Sequence[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for number, name in enumerate(class_names):
        if numbers.setdefault(name.casefold(), number) != number:
            raise ValueError(f"`class_names` must differ, case aside. Received: {name!r} twice")
    return numbers


def _split(text: object, separator: str) -> list[str]:
    if text is None or text != text:  # NaN alone differs from itself
        return []
    stripped = str(text).strip()
    if not stripped:
        return []
    return stripped.split() if separator.isspace() else [label.strip() for label in stripped.split(separator)]


def _to_number(label: str) -> int | None:
    return int(label) if label.isascii() and label.isdigit() and len(label) <= _MAX_DIGITS else None
