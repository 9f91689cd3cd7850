"""What a table says of its samples beside their labels: their groups, and how large their pixels are."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from keras_hpa.data.table_columns import listed
from keras_hpa.data.tables import Table, is_nothing


def groups_of(
    table: Table, groups: Any, columns: Mapping[str, Sequence[Any]], rows: Sequence[int] | None = None
) -> list[Hashable] | None:
    names = listed(groups)
    if not names:
        return None
    for name in names:
        for position, cell in enumerate(columns[name]):
            row = position if rows is None else rows[position]
            if is_nothing(cell):
                raise ValueError(
                    f"`groups` must name a group for every sample; or call {table.without(row)}. Received: {cell!r} in "
                    f"{table.where(row, name)}, for samples {[table.ids[row]] if table.ids else []}"
                )
    cells = [[cell.strip() if isinstance(cell, str) else cell for cell in columns[name]] for name in names]
    return list(cells[0]) if isinstance(groups, str) else list(zip(*cells, strict=True))


def pixel_sizes_of(table: Table, pixel_size: float | str | None, columns: Mapping[str, Sequence[Any]]) -> Any:
    """Micrometres per pixel: one number, or those of a column."""
    if not isinstance(pixel_size, str):
        return pixel_size
    if pixel_size not in columns:
        raise ValueError(
            f"`pixel_size` must be micrometres per pixel or the name of a column, as in "
            f"{table.call.but(pixel_size=0.325)}. Received: {pixel_size!r}, and columns {list(columns)}"
        )
    cells = columns[pixel_size]
    try:
        return [None if is_nothing(cell) else float(str(cell).replace(",", ".")) for cell in cells]
    except ValueError as error:
        raise ValueError(
            f"`pixel_size` must name a column of numbers, as in {table.call.but(pixel_size=0.325)}. Received: {error}, "
            f"in column {pixel_size!r} of {table.name}"
        ) from None
