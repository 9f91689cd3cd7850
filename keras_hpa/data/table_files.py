"""Files of tables: CSV of any delimiter, Excel, Parquet."""

import codecs
import csv
import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DELIMITERS = (",", ";", "\t", "|")
_MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF8: "UTF-8-sig",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_LARGEST = 2**31  # bytes of a table, unpacked


class Rows:
    """The header and the rows of a table; with each row the number of its line, from 1 on."""

    def __init__(self, header: list[str], rows: list[tuple[int, list[Any]]], *, is_sheet: bool = False):
        if is_sheet:
            rows = [(line, row + [None] * (len(header) - len(row))) for line, row in rows]
        for position in reversed(range(len(header))):  # spreadsheets write columns that once held something
            if not header[position] and all(_is_empty(row[position]) for _, row in rows if position < len(row)):
                header = header[:position] + header[position + 1 :]
                rows = [(line, row[:position] + row[position + 1 :]) for line, row in rows]
        trimmed = []
        for line, row in rows:
            while len(row) > len(header) and _is_empty(row[-1]):
                row = row[:-1]
            trimmed.append((line, row))
        self.header = [text or f"column {number + 1}" for number, text in enumerate(header)]
        self.rows = trimmed
        self.is_sheet = is_sheet


def read_table_file(
    path: Path,
    call: Any,
    *,
    delimiter: str | None,
    encoding: str | None,
    sheet: str | None,
    needed: Sequence[str],
) -> Rows:
    suffix = path.suffix.lower()
    delimiter = {"\\t": "\t", "tab": "\t"}.get(delimiter or "", delimiter)
    if delimiter is not None and (not isinstance(delimiter, str) or len(delimiter) != 1):
        raise ValueError(f"`delimiter` must be one sign, such as ';'. Received: {delimiter!r}")
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except FileNotFoundError:
        raise FileNotFoundError(_no_table(path, call)) from None
    except IsADirectoryError:
        raise ValueError(f"`table` must be a file. Received: the folder {os.fspath(path)!r}") from None
    if suffix == ".parquet":
        return _read_parquet(path)
    if suffix in (".xls", ".ods", ".numbers") or start.startswith(b"\xd0\xcf\x11\xe0"):
        raise ValueError(f"{path} must be a workbook saved as .xlsx, or a CSV file. Received: {suffix!r}")
    if suffix in (".xlsx", ".xlsm"):
        if not start.startswith(b"PK"):
            raise ValueError(
                f"{path} must be a workbook, as its name says. Rename it to .csv if it is text, whose `delimiter` is "
                f"then found or given. Received: a file that begins with {start!r}"
            )
        return _read_excel(path, call, sheet)
    if start.startswith((b"PK\3\4", b"PAR1")):
        kind = ".xlsx" if start.startswith(b"PK") else ".parquet"
        raise ValueError(f"{path} must hold text, as its name says. Received: a file that is {kind} by its content")
    if sheet is not None:
        raise ValueError(f"`sheet` must be left out where the table is no workbook. Received: {sheet!r}")
    return _read_text(path, call, delimiter, encoding, needed)


def _no_table(path: Path, call: Any) -> str:
    others = []
    if path.parent.is_dir():
        names = sorted(os.listdir(path.parent))
        others = [name for name in names if name.lower().endswith((".csv", ".tsv", ".txt", ".xlsx", ".parquet"))]
    if not others:
        return f"There is no table {os.fspath(path)!r}"
    near = os.fspath(path.parent / others[0])
    arguments = [near if value is not None and Path(str(value)) == path else value for value in call.arguments]
    shown = type(call)(call.function, arguments, call.options).but()
    return f"There is no table {os.fspath(path)!r}, but {others[:5]}, as in {shown}"


def _read_text(path: Path, call: Any, delimiter: str | None, encoding: str | None, needed: Sequence[str]) -> Rows:
    text = _decode(path, path.read_bytes(), call, encoding)
    first, _, rest = text.partition("\n")
    skipped = 0
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:  # Excel's own way to say it
        text, skipped = rest, 1
        delimiter = delimiter or first.strip()[4]
    if not text.strip():
        raise ValueError(f"{path} must have a header and a row per sample{_named(needed)}. Received: no rows")
    if delimiter is None:
        delimiter = _find_delimiter(path, text, call, needed)
    rows = _parse(path, text, delimiter, skipped)
    header = rows[0][1]
    if len(header) == 1:
        other = next((one for one in DELIMITERS if one != delimiter and one in header[0]), None)
        if other is not None:
            raise ValueError(
                f"{path} must have its columns between `delimiter`{_named(needed)}, as in {call.but(delimiter=other)}. "
                f"Received: {delimiter!r}, and the header {header[0]!r}"
            )
    return Rows([name.strip() for name in header], rows[1:])


def _decode(path: Path, content: bytes, call: Any, encoding: str | None) -> str:
    marked = next((name for mark, name in _MARKS.items() if content.startswith(mark)), None)
    if encoding is not None:
        try:
            codec = codecs.lookup(encoding)
        except (LookupError, TypeError):
            raise ValueError(
                f"`encoding` must be one that Python knows, such as 'utf-8', 'utf-16' or 'cp1252', as in "
                f"{call.but(encoding='cp1252')}. Received: {encoding!r}"
            ) from None
        if marked is not None and not codec.name.startswith(marked.lower().removesuffix("-sig")):
            raise ValueError(
                f"{path} says with its first bytes that it is in {marked}: leave `encoding` out, as in "
                f"{call.but(encoding=None)}. Received: {encoding!r}"
            )
    elif marked is None and content.count(b"\0") > len(content) // 4:
        guess = "utf-16-le" if content[1:2] == b"\0" else "utf-16-be"
        raise ValueError(
            f"{path} must be in UTF-8, or `encoding` must say in what, as in {call.but(encoding=guess)}. "
            f"Received: text with {content.count(0)} zero bytes"
        )
    try:
        text = content.decode(marked or encoding or "utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} must be in {marked or encoding or 'UTF-8'}, or `encoding` must say in what, as in "
            f"{call.but(encoding='cp1252')}. Received: byte {content[error.start]:#04x} in line {line}"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ValueError(f"{path} must be a CSV file. Received: a zero byte in line {line}")
    return text.removeprefix("\ufeff")


def _find_delimiter(path: Path, text: str, call: Any, needed: Sequence[str]) -> str:
    """The one delimiter that gives every row as many cells as the header."""
    headers = {one: _header(text, one) for one in DELIMITERS}
    holding = [one for one, header in headers.items() if needed and all(name in header for name in needed)]
    if len(holding) == 1:
        return holding[0]
    several = [one for one in DELIMITERS if len(headers[one]) > 1]
    if len(several) < 2:
        return several[0] if several else ","
    even = [one for one in several if _is_even(text, one)]
    if len(even) == 1:
        return even[0]
    shown = call.but(delimiter=(even or several)[0])
    raise ValueError(
        f"{path} must have one delimiter, or `delimiter` must say which it is, as in {shown}. "
        f"Received: {' and '.join(map(repr, even or several))} in the header {text.splitlines()[0]!r}"
    )


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next((row for row in _reader(text, delimiter) if row), [])]
    except csv.Error:
        return []


def _is_even(text: str, delimiter: str) -> bool:
    try:
        return len({len(row) for row in _reader(text, delimiter) if any(cell.strip() for cell in row)}) == 1
    except csv.Error:
        return False


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _parse(path: Path, text: str, delimiter: str, skipped: int) -> list[tuple[int, list[Any]]]:
    reader = _reader(text, delimiter)
    rows: list[tuple[int, list[Any]]] = []
    line = skipped + 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((line, row))
            line = skipped + reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path} must be a CSV file. Received: {error}, in the row that begins in line {line}"
        ) from None
    return rows


def _read_excel(path: Path, call: Any, sheet: str | None) -> Rows:
    openpyxl = needs("openpyxl", f"{path} is a workbook")
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _LARGEST:
            raise ValueError(f"{path} must unpack to at most {_LARGEST} bytes. Received: {size}")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise ValueError(f"{path} must be a workbook. Received: {error}") from None
    try:
        sheets = {one.title: [list(row) for row in one.iter_rows(values_only=True)] for one in book.worksheets}
    finally:
        book.close()
    filled = [title for title, rows in sheets.items() if any(not _is_empty(cell) for row in rows for cell in row)]
    if sheet is None and len(filled) > 1:
        raise ValueError(
            f"{path} must have one sheet, or `sheet` must name it, as in {call.but(sheet=filled[0])}. "
            f"Received: sheets {filled}"
        )
    if sheet is not None and sheet not in sheets:
        shown = call.but(sheet=(filled or list(sheets))[0])
        raise ValueError(f"`sheet` must be a sheet of {path}, as in {shown}. Received: {sheet!r} of {list(sheets)}")
    if not filled:
        raise ValueError(f"{path} must have a header and a row per sample. Received: no rows")
    numbered = [(line, row) for line, row in enumerate(sheets[sheet or filled[0]], 1)]
    numbered = [(line, row) for line, row in numbered if not all(_is_empty(cell) for cell in row)]
    header = ["" if cell is None else str(cell).strip() for cell in numbered[0][1]]
    if header[0] and not any(header[1:]) and any(not _is_empty(cell) for _, row in numbered[1:] for cell in row[1:]):
        raise ValueError(
            f"{path} must begin with a header that names its columns: delete what stands above it. "
            f"Received: {header[0]!r} alone, in cell A{numbered[0][0]}"
        )
    return Rows(header, numbered[1:], is_sheet=True)


def _read_parquet(path: Path) -> Rows:
    parquet = needs("pyarrow.parquet", f"{path} is a Parquet file")
    try:
        columns = parquet.read_table(path).to_pydict()
    except Exception as error:  # pyarrow's own, of several kinds
        raise ValueError(f"{path} must be a Parquet file. Received: {error}") from None
    columns = {name: cells for name, cells in columns.items() if not name.startswith("__index_level_")}
    return Rows(
        list(columns), [(number + 1, list(row)) for number, row in enumerate(zip(*columns.values(), strict=True))]
    )


def needs(module: str, reason: str, extra: str = "tables") -> Any:
    """Imports a library of an extra where it is needed."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError:
        raise ImportError(
            f'{reason}: `pip install "keras-hpa[{extra}]"` brings what it takes. Received: no module {module!r}'
        ) from None


def _named(needed: Sequence[str]) -> str:
    return f", with columns {list(needed)}" if needed else ""


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
