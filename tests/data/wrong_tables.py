"""Tables and folders as people have them by mistake, and what the error must say of each.

Every case lies in a folder of its own with `images/` and a table. `says` are parts of the error, in any order; one of
them names the cell, the row or the file. The call that the error shows is run, and must work, unless `mend` says what
has to be mended in the table or the folder first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PAIRS = tuple(f"{sample}_{channel}.tif" for sample in "abcd" for channel in ("dapi", "gfp"))
PLATE = tuple(f"{well}_s{site}_w{wave}.TIF" for well in ("A01", "A02", "B01") for site in (1, 2) for wave in (1, 2))
FILES = {"root": "images", "pattern": "{id}_{channel}.tif", "channels": ["dapi", "gfp"]}
WELLS = {
    "root": "images",
    "pattern": "{well}_s{field}_w{channel}.TIF",
    "channels": {"dapi": "1", "gfp": "2"},
    "label_columns": "moa",
}


@dataclass
class Case:
    """A table, or what makes one; the options of the call; and what its error says."""

    name: str
    table: str | bytes | Callable[[Path], Any] | None
    says: Sequence[str]
    options: dict[str, Any] = field(default_factory=dict)
    files: Sequence[str] = PAIRS
    file: str = "labels.csv"
    base: dict[str, Any] = field(default_factory=lambda: FILES)
    function: str = "load_table"
    mend: str = ""


def _excel(*sheets: Sequence[Sequence[Any]]) -> Callable[[Path], Any]:
    def write(folder: Path) -> str:
        openpyxl = __import__("openpyxl")
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number, rows in enumerate(sheets):
            sheet = book.create_sheet(f"Sheet{number + 1}")
            for row in rows:
                sheet.append(row)
        book.save(folder / "labels.xlsx")
        return "labels.xlsx"

    return write


def _frame(columns: dict[str, Any], library: str = "pandas", index: Any = None) -> Callable[[Path], Any]:
    def make(_: Path) -> Any:
        frames = __import__(library)
        return frames.DataFrame(columns) if index is None else frames.DataFrame(columns, index=index)

    return make


_ROWS = "Id,Target\na,0\nb,1\nc,0\nd,1\n"

TABLES = [
    # What the file is.
    Case("windows_1252", "Id,Target\na,Körper\nb,x\n".encode("cp1252"), ["line 2", "0xf6", "encoding='cp1252'"]),
    Case("utf_16_without_mark", _ROWS.encode("utf-16-le"), ["labels.csv", "encoding='utf-16-le'"]),
    Case("wrong_encoding", _ROWS.encode("utf-16"), ["labels.csv", "UTF-16"], {"encoding": "cp1252"}),
    Case("unknown_encoding", _ROWS, ["`encoding`", "'latin-nine'"], {"encoding": "latin-nine"}),
    Case("workbook_named_csv", b"PK\3\4" + bytes(60), ["labels.csv", ".xlsx"], mend="rename it"),
    Case("text_named_xlsx", _ROWS, ["labels.xlsx", "delimiter"], file="labels.xlsx", mend="rename it"),
    Case("old_workbook", b"\xd0\xcf\x11\xe0", ["labels.xls", ".xlsx"], file="labels.xls", mend="save it as .xlsx"),
    Case("empty_file", "", ["labels.csv", "no rows"], mend="fill it"),
    Case("header_alone", "Id,Target\n", ["labels.csv", "no rows"], mend="fill it"),
    Case("no_such_file", lambda _: "labls.csv", ["labls.csv", "labels.csv"]),
    Case("two_sheets", _excel([["Id", "Target"], ["a", 0]], [["x"], [1]]), ["Sheet1", "Sheet2", "sheet='Sheet1'"]),
    # How it is laid out.
    Case("two_delimiters", "Id;x,Target;y\na;1,b;2\n", ["labels.csv", "delimiter"], mend="one delimiter"),
    Case("other_delimiter", "Id;Target\na;0\nb;1\n", ["delimiter=';'", "Id;Target"], {"delimiter": ","}),
    Case("short_row", "Id,Target,plate\na,0,p\nb,1\nc,0,p\n", ["line 3", "3 cells", "leave_out=[1]"]),
    Case("long_row", "Id,Target\na,0\nb,1,x\n", ["line 3", "2 cells", "leave_out=[1]"]),
    Case("open_quote", 'Id,Target\na,0\n"b,1\n', ["labels.csv", "line 3"], mend="close the quote"),
    Case("repeated_header", "Id,Target,Target\na,0,1\n", ["'Target'", "columns 2 and 3"], mend="rename one"),
    Case("title_above_the_header", _excel([["My screen"], ["Id", "Target"], ["a", 0]]), ["A1"], mend="delete row 1"),
    # Which columns.
    Case("no_column_of_ids", "a,b,Target\n1,2,0\n", ["'a', 'b'", "id_column='a'"], mend="one must be the id"),
    Case("two_columns_of_ids", "image,file,Target\na,b,0\nb,a,1\n", ["'image', 'file'", "id_column='image'"]),
    Case("no_column_of_labels", "Id,x,y\na,1,0\nb,0,1\n", ["'x', 'y'", "label_columns=['x', 'y']"]),
    Case(
        "absent_label_column", "Id,Target\na,0\n", ["'Tarfet'", "label_columns='Target'"], {"label_columns": "Tarfet"}
    ),
    Case("absent_group_column", _ROWS, ["'plate'", "groups=['Id']"], {"groups": "plate"}),
    Case(
        "absent_path_column",
        "Id,r,g,Target\na,a_dapi.tif,a_gfp.tif,0\n",
        ["'b'", "'r', 'g'"],
        {"channels": {"dapi": "r", "gfp": "b"}, "pattern": None},
        mend="name the column",
    ),
    # Cells.
    Case("empty_label", "Id,Target\na,0\nb,\n", ["line 3", "'b'", "allow_empty=True"]),
    Case(
        "empty_0_1_cell",
        "Id,x,y\na,1,0\nb,,1\n",
        ["line 3", "'x'", "allow_empty='unknown'"],
        {"label_columns": ["x", "y"]},
    ),
    Case(
        "missing_in_a_frame",
        _frame({"Id": ["a", "b"], "x": [1, float("nan")], "y": [0, 1]}),
        ["row 1", "'x'", "'b'"],
        {"label_columns": ["x", "y"]},
    ),
    Case(
        "neither_0_nor_1",
        _frame({"Id": ["a", "b"], "x": [1, 2], "y": [0, 1]}, "polars"),
        ["row 1", "'x'", "2"],
        {"label_columns": ["x", "y"]},
    ),
    Case(
        "decimal_comma",
        "Id;x;y\na;1;0\nb;0,5;1\n",
        ["line 3", "'x'", "'0,5'", "leave_out=[1]"],
        {"label_columns": ["x", "y"]},
    ),
    Case(
        "excel_error",
        _excel([["Id", "x", "y"], ["a", 1, 0], ["b", "#N/A", 1]]),
        ["B3", "'#N/A'", "allow_empty='unknown'"],
        {"label_columns": ["x", "y"]},
    ),
    Case(
        "unknown_class",
        "Id,Target\na,Golgi\nb,Glogi\n",
        ["line 3", "'Glogi'", "leave_out=[1]"],
        {"class_names": ["Golgi", "ER"]},
    ),
    Case("repeated_label", "Id,Target\na,ER;Golgi\nb,ER;er\n", ["line 3", "'er'", "leave_out=[1]"]),
    Case("name_of_two_words", "Id,Target\na,Plasma membrane\nb,Nucleus\n", ["'Plasma membrane'", "separator=None"]),
    Case(
        "two_separators", "Id,Target\na,ER;Golgi\nb,ER|Golgi\n", ["';'", "'|'", "separator=';'"], mend="one separator"
    ),
    Case(
        "wrong_separator",
        "Id,Target\na,ER;Golgi\nb,ER\n",
        ["'ER;Golgi'", "separator=';'"],
        {"separator": "|", "class_names": ["ER", "Golgi"]},
    ),
    Case(
        "half_a_list",
        "Id,Target\na,\"['ER', 'Golgi']\"\nb,\"['ER', 'Gol\"\n",
        ["line 3", "['ER', 'Gol"],
        mend="close the list",
    ),
    Case("sample_without_id", "Id,Target\na,0\n,1\n", ["line 3", "'Id'", "leave_out=[1]"]),
    Case("repeated_id", "Id,Target\na,0\nb,1\na,1\n", ["line 4", "line 2", "'a'", "leave_out=[2]"]),
    Case("id_that_leads_out", "Id,Target\na,0\n../b,1\n", ["line 3", "'../b'", "leave_out=[1]"]),
    Case(
        "sample_without_plate",
        "Id,Target,plate\na,0,p\nb,1,\n",
        ["line 3", "'plate'", "leave_out=[1]"],
        {"groups": "plate"},
    ),
    # A table that does not fit its folder.
    Case(
        "zeros_lost",
        _frame({"Id": [1, 2], "Target": ["ER", "Golgi"]}),
        ["'1_dapi.tif'", "{id:03}_{channel}.tif"],
        files=[f"00{number}_{channel}.tif" for number in (1, 2) for channel in ("dapi", "gfp")],
    ),
    Case("upper_case", "Id,Target\nA,0\nb,1\n", ["line 2", "'A_dapi.tif'", "'a_dapi.tif'", "leave_out=[0]"]),
    Case("other_suffix", _ROWS, ["'a_dapi.tiff'", "'{id}_{channel}.tif'"], {"pattern": "{id}_{channel}.tiff"}),
    Case("suffix_twice", "Id,Target\na_dapi.tif,0\n", ["'a_dapi.tif_dapi.tif'", "line 2"], mend="ids are paths"),
    Case(
        "no_pattern",
        _ROWS,
        ["`pattern`", "'a_dapi.tif'", "pattern='{id}_{channel}.tif'"],
        {"pattern": None, "channels": None},
    ),
    Case(
        "field_without_column",
        _ROWS,
        ["'plate'", "'Id', 'Target'"],
        {"pattern": "{plate}/{site}_{channel}.tif"},
        mend="name the key",
    ),
]

FOLDERS = [
    Case("no_folder", None, ["'image'", "images"], {"root": "image"}, function="load_folder"),
    Case("empty_folder", None, ["images", "empty"], files=(), function="load_folder", mend="fill it"),
    Case(
        "nothing_matches",
        None,
        ["'a_dapi.tif'", "'{id}-{channel}.png'", "pattern='{id}_{channel}.tif'"],
        {"pattern": "{id}-{channel}.png"},
        function="load_folder",
    ),
    Case(
        "channel_is_missing",
        None,
        ["'b'", "'gfp'", "b_gfp.tif", "missing='drop'"],
        files=[name for name in PAIRS if name != "b_gfp.tif"],
        function="load_folder",
    ),
    Case(
        "no_file_of_a_channel",
        None,
        ["'er'", "'dapi', 'gfp'", "channels=['dapi', 'gfp']"],
        {"channels": ["dapi", "er"]},
        function="load_folder",
    ),
    Case(
        "two_files_of_one_channel",
        None,
        ["'x_a_dapi.tif'", "'y_a_dapi.tif'"],
        {"pattern": "*_{id}_{channel}.tif"},
        files=["x_a_dapi.tif", "y_a_dapi.tif", "x_a_gfp.tif"],
        function="load_folder",
        mend="remove one",
    ),
    Case(
        "planes_without_projection",
        None,
        ["'z'", "project={'Z': 'max'}"],
        {"pattern": "{id}_z{z}_{channel}.tif", "channels": ["dapi"]},
        files=[f"a_z{plane}_dapi.tif" for plane in (1, 2)],
        function="load_folder",
    ),
    Case(
        "no_layout",
        None,
        ["`layout`", "'harmony'"],
        {"layout": "operetta", "pattern": None},
        function="load_folder",
        mend="one of the layouts",
    ),
    Case(
        "well_twice",
        "well,moa\nA01,x\nA02,y\nB01,x\nA1,y\n",
        ["line 5", "line 2", "'A1'", "leave_out=[3]"],
        base=WELLS,
        files=PLATE,
    ),
    Case(
        "wells_of_two_plates",
        "barcode;well;moa\nP1;A01;x\nP1;A02;y\nP1;B01;x\nP2;A01;y\nP2;A02;y\nP2;B01;x\n",
        ["line 5", "line 2", "'A01'", "key={'well': 'well', 'plate': 'barcode'}"],
        base=WELLS | {"pattern": "{plate}_{well}_s{field}_w{channel}.TIF"},
        files=[f"{plate}_{name}" for plate in ("p1", "p2") for name in PLATE],
    ),
    Case(
        "labels_beside_numbers",
        "well,batch,moa\nA01,1,x\nA02,1,y\nB01,2,x\n",
        ["label_columns='moa'", "['batch', 'moa']"],
        base={name: value for name, value in WELLS.items() if name != "label_columns"},
        files=PLATE,
    ),
    Case("well_without_row", "well,moa\nA01,x\nA02,y\n", ["'B01'", "missing='drop'"], base=WELLS, files=PLATE),
    Case(
        "well_without_files",
        "well,moa\nA01,x\nA02,y\nB01,x\nC01,y\n",
        ["line 5", "'C01'", "missing='drop'"],
        base=WELLS,
        files=PLATE,
    ),
    Case(
        "no_key",
        "w,moa\nA01,x\nA02,y\nB01,x\n",
        ["`key`", "'well'", "'w'", "key={'well': 'w'}"],
        base=WELLS,
        files=PLATE,
    ),
    Case(
        "unknown_key",
        "well,moa\nA01,x\nA02,y\nB01,x\n",
        ["'site'", "'well', 'field'", "key='well'"],
        {"key": "site"},
        base=WELLS,
        files=PLATE,
    ),
]
