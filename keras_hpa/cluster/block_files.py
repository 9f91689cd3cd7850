"""Blocks of scores as Parquet files, each with what could not be read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from keras_hpa.data import needs
from keras_hpa.files import not_as_expected, replacing

_ABOUT = b"keras_hpa"
_REASON = "Blocks are Parquet files"


class Block(NamedTuple):
    """What a finished block has: its number, how many samples have scores, and why the others have none."""

    number: int
    num_scored: int
    errors: dict[str, str]


def block_path(folder: Path, number: int) -> Path:
    """Gives the path of a block; names sort as the samples do."""
    return folder / "scores" / f"{number:08d}.parquet"


def write_block(
    path: Path, number: int, ids: Sequence[str], columns: Mapping[str, npt.NDArray[Any]], errors: dict[str, str]
) -> None:
    """Writes a table of ids, and of a list per sample for each of `columns`, whole or not at all.

    Args:
        path: the file.
        number: of the block.
        ids: of the samples that were scored.
        columns: matrices with a row per id.
        errors: for each other id of the block the reason.
    """
    arrow, parquet = needs("pyarrow", _REASON, extra="ray"), needs("pyarrow.parquet", _REASON, extra="ray")
    arrays = {"id": arrow.array(ids, arrow.string())}
    for name, matrix in columns.items():
        values = arrow.array(np.ascontiguousarray(matrix).ravel())
        arrays[name] = arrow.FixedSizeListArray.from_arrays(values, matrix.shape[1])
    about = {"block": number, "errors": list(errors.items())}
    table = arrow.table(arrays).replace_schema_metadata({_ABOUT: json.dumps(about)})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)


def read_block(path: Path, number: int, num_samples: int) -> Block:
    """Reads what a block has, but for the scores.

    Raises:
        ValueError: if the file is damaged, or is not this block.
    """
    arrow, parquet = needs("pyarrow", _REASON, extra="ray"), needs("pyarrow.parquet", _REASON, extra="ray")
    expected = f"block {number}, of {num_samples} samples"
    try:
        metadata = parquet.read_metadata(path)
        about: Any = json.loads((metadata.metadata or {})[_ABOUT])
        block = Block(about["block"], metadata.num_rows, {str(key): str(reason) for key, reason in about["errors"]})
    except (arrow.ArrowException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise not_as_expected(path, "", expected, str(error)) from error
    if block.number != number or block.num_scored + len(block.errors) != num_samples:
        raise not_as_expected(path, "", expected, f"block {block.number}, {block.num_scored} + {len(block.errors)}")
    return block
