"""Tables as people have them are read for what they say."""

import codecs
import pickle

import numpy as np
import pytest

from keras_hpa import load_table

pd = pytest.importorskip("pandas")

FILES = {"pattern": "{id}_{channel}.npy", "channels": ["dapi", "gfp"]}
NAMES = ("ER", "Golgi", "Plasma membrane")
TARGETS = [[1, 0, 0], [0, 1, 1], [0, 0, 1]]


@pytest.fixture
def root(tmp_path):
    """Samples a, b, c and 001, 002, 003 of two channels."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, name in enumerate(["a", "b", "c", "001", "002", "003"]):
        for shift, channel in enumerate(["dapi", "gfp"]):
            np.save(folder / f"{name}_{channel}.npy", np.full((4, 6), 10 * number + shift, np.uint16))
    return folder


def _text(delimiter=","):
    rows = [["Id", "Target", "Dose"], ["a", "ER", "0.5"], ["b", "Golgi|Plasma membrane", "1"]]
    return "\n".join(delimiter.join(row) for row in [*rows, ["c", "Plasma membrane", "2"]]) + "\n"


def _check(samples):
    assert samples.ids == ("a", "b", "c")
    assert samples.class_names == NAMES
    assert samples.labels.tolist() == TARGETS
    assert samples.read(1)[0, 0].tolist() == [10, 11]
    pickle.loads(pickle.dumps(samples))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"])
def test_delimiters_and_encodings_are_found(root, tmp_path, delimiter, encoding):
    marks = {"utf-16-be": codecs.BOM_UTF16_BE}
    (tmp_path / "t.csv").write_bytes(marks.get(encoding, b"") + _text(delimiter).encode(encoding))
    _check(load_table(tmp_path / "t.csv", root=root, **FILES))


def test_encoding_that_is_given(root, tmp_path):
    (tmp_path / "t.csv").write_bytes(_text().replace("Golgi", "Körper").encode("cp1252"))
    assert load_table(tmp_path / "t.csv", root=root, encoding="cp1252", **FILES).class_names[1] == "Körper"


@pytest.mark.parametrize(
    "text",
    [
        "Id;Target;Dose\na;ER;0,5\nb;Golgi|Plasma membrane;1\nc;Plasma membrane;2\n",
        "sep=;\nId;Target\na;ER\nb;Golgi|Plasma membrane\nc;Plasma membrane\n",
        " Id , Target ,,\na,ER,,\nb,Golgi|Plasma membrane,,\nc,Plasma membrane,,\n,,,\n,,,\n",
        'Id,Target,Note\na,ER,"two\nlines, one cell"\nb,Golgi|Plasma membrane,\nc,Plasma membrane,""""\n',
        '"Id","Target"\r\n"a","ER"\r\n\r\n"b","Golgi|Plasma membrane"\r\n"c","Plasma membrane"\r\n',
        'Id,Target\na,"ER"\nb,"Golgi,Plasma membrane"\nc,"Plasma membrane"\n',
        "Id,Target\na,\"['ER']\"\nb,\"['Golgi', 'Plasma membrane']\"\nc,\"['Plasma membrane']\"\n",
        'Id,Target\na,"[""ER""]"\nb,"[""Golgi"", ""Plasma membrane""]"\nc,"[""Plasma membrane""]"\n',
        "Id,Target\na,['ER']\nb,['Golgi' 'Plasma membrane']\nc,['Plasma membrane']\n",
        'Id,Target\na,ER\nb,"Golgi\nPlasma membrane"\nc,Plasma membrane\n',
        'Id,Target\na,"ER;"\nb,"Golgi; Plasma membrane;"\nc,Plasma membrane\n'.replace(';"', '"'),
    ],
)
def test_layouts_of_text(root, tmp_path, text):
    (tmp_path / "t.csv").write_text(text, newline="")
    _check(load_table(tmp_path / "t.csv", root=root, **FILES))


def test_known_names_say_what_a_cell_holds(root, tmp_path):
    (tmp_path / "t.csv").write_text("Id,Target\na,ER\nb,Golgi Plasma\nc,Plasma membrane\n")
    samples = load_table(tmp_path / "t.csv", root=root, class_names=["ER", "Golgi Plasma", "plasma membrane"], **FILES)
    assert samples.labels.tolist() == np.eye(3).tolist()
    spaced = load_table(tmp_path / "t.csv", root=root, class_names=["er", "golgi", "plasma", "membrane"], **FILES)
    assert spaced.labels.tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


def _frame(rows=((1, 0, 0), (0, 1, 1), (0, 0, 1))):
    return pd.DataFrame(
        [(name, *row, 0.5) for name, row in zip("abc", rows, strict=True)], columns=["Id", *NAMES, "Dose"]
    )


@pytest.mark.parametrize("kind", ["pandas", "index", "polars", "arrow", "mapping", "csv", "xlsx", "parquet", "tsv"])
def test_one_column_per_class(root, tmp_path, kind):
    frame, table = _frame(), None
    if kind == "index":
        table = frame.set_index("Id")
    elif kind == "polars":
        table = pytest.importorskip("polars").from_pandas(frame)
    elif kind == "arrow":
        table = pytest.importorskip("pyarrow").Table.from_pandas(frame)
    elif kind == "mapping":
        table = {name: frame[name].tolist() for name in frame}
    elif kind == "pandas":
        table = frame.sample(frac=1, random_state=0).sort_values("Id")
    elif kind == "xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(tmp_path / "t.xlsx", index=False)
    elif kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(tmp_path / "t.parquet")
    else:
        frame.to_csv(tmp_path / f"t.{kind}", index=False, sep="\t" if kind == "tsv" else ",")
    samples = load_table(
        tmp_path / f"t.{kind}" if table is None else table, root=root, label_columns=list(NAMES), **FILES
    )
    _check(samples)
    assert samples.metadata == {"Dose": ["0.5"] * 3 if kind in ("csv", "tsv") else [0.5] * 3}


@pytest.mark.parametrize(
    ("present", "absent", "unknown"),
    [
        (1, 0, -1),
        (True, False, -1),
        ("TRUE", "FALSE", "-1"),
        (1.0, 0.0, -1.0),
        ("1,0", "0,0", "-1"),
        ("x", "no", "-1,0"),
    ],
)
def test_ways_to_write_0_1_and_unknown(root, present, absent, unknown):
    table = _frame(((present, absent, absent), (absent, present, present), (absent, unknown, present)))
    samples = load_table(table, root=root, label_columns=list(NAMES), **FILES)
    assert samples.labels.tolist() == [[1, 0, 0], [0, 1, 1], [0, -1, 1]]


@pytest.mark.parametrize(
    ("cells", "options", "labels"),
    [
        ([["ER"], ["Golgi", "Plasma membrane"], ["Plasma membrane"]], {}, TARGETS),
        ([np.array(["ER"]), ("Golgi", "Plasma membrane"), {"Plasma membrane"}], {}, TARGETS),
        ([[0], [1, 2], [2]], {"class_names": NAMES}, TARGETS),
        ([0, 1, 2], {}, np.eye(3)),
        ([0.0, 1.0, float("nan")], {"allow_empty": True}, [[1, 0], [0, 1], [0, 0]]),
        ([0.0, 1.0, float("nan")], {"allow_empty": "unknown"}, [[1, 0], [0, 1], [-1, -1]]),
        ([0, 1, -1], {}, [[1, 0], [0, 1], [-1, -1]]),
        (["0 2", "1", "1 2"], {}, [[1, 0, 1], [0, 1, 0], [0, 1, 1]]),
        (["0;2", "1", "1;2"], {}, [[1, 0, 1], [0, 1, 0], [0, 1, 1]]),
        (["[0, 2]", "[1]", "[1 2]"], {}, [[1, 0, 1], [0, 1, 0], [0, 1, 1]]),
        (["ER", "Golgi body", "ER"], {"separator": None}, [[1, 0], [0, 1], [1, 0]]),
        (["ER", None, "er"], {"allow_empty": True}, [[1], [0], [1]]),
        (pd.Categorical(["ER", "Golgi", "ER"]), {}, [[1, 0], [0, 1], [1, 0]]),
    ],
)
def test_one_column_of_labels(root, cells, options, labels):
    table = pd.DataFrame({"Id": list("abc")}).assign(locations=cells)
    samples = load_table(table, root=root, **options, **FILES)
    np.testing.assert_array_equal(samples.labels, labels)


def test_numbers_are_ids(root, tmp_path):
    table = pd.DataFrame({"image": [1, 2, 3], "Target": ["x", "y", "x"]})
    padded = {**FILES, "pattern": "{id:03}_{channel}.npy"}
    for one in (table, table.astype({"image": float}), table.astype({"image": str})):
        samples = load_table(one, root=root, **padded)
        assert samples.ids == ("1", "2", "3")
        assert samples.read(1)[0, 0].tolist() == [40, 41]
    (tmp_path / "t.csv").write_text("image,Target\n001,x\n002,y\n")
    assert load_table(tmp_path / "t.csv", root=root, **FILES).ids == ("001", "002")
    pytest.importorskip("openpyxl")
    table.to_excel(tmp_path / "t.xlsx", index=False)
    assert load_table(tmp_path / "t.xlsx", root=root, **padded).ids == ("1", "2", "3")


def test_a_path_column_per_channel(root):
    table = pd.DataFrame(
        {
            "r_image": [f"{name}_gfp.npy" for name in "ab"],
            "b_image": [str(root / f"{name}_dapi.npy") for name in "ab"],
            "Folder": [str(root)] * 2,
            "label": ["x", "y"],
            "plate": ["p", "q"],
        }
    )
    samples = load_table(table, root=root, channels={"dapi": "b_image", "gfp": ("Folder", "r_image")}, groups="plate")
    assert samples.ids == ("a_dapi", "b_dapi")
    assert samples.channels == ("dapi", "gfp")
    assert samples.read(1)[0, 0].tolist() == [10, 11]
    assert samples.select_channels(["gfp"]).read(0)[0, 0].tolist() == [1]
    assert samples.metadata == {"plate": ["p", "q"]}
    assert load_table(table, root=root, channels=["b_image"]).channels == ("b_image",)


def test_paths_of_whole_files(tmp_path):
    for name in ("one", "two"):
        np.save(tmp_path / f"{name}.npy", np.zeros((3, 8, 6), np.uint8))
    (tmp_path / "t.csv").write_text("file,class\none.npy,0\ntwo.npy,1\n")
    samples = load_table(tmp_path / "t.csv", channels=["dapi", "gfp", "er"])
    assert samples.ids == ("one.npy", "two.npy")
    assert samples.read(0).shape == (8, 6, 3)
    assert load_table(tmp_path / "t.csv").channels == ("0", "1", "2")


def test_columns_in_the_pattern_and_several_groups(root):
    table = pd.DataFrame(
        {"well": ["a", "b", "c"], "stain": ["dapi", "gfp", "gfp"], "y": [1, 0, 1], "z ": [0, 0, 1], "day": 1}
    )
    samples = load_table(
        table,
        root=root,
        pattern="{well}_{stain}.npy",
        channels=["one"],
        label_columns=["y", "z"],
        groups=["well", "day"],
    )
    assert samples.ids == ("a_dapi", "b_gfp", "c_gfp")
    assert samples.groups == [("a", 1), ("b", 1), ("c", 1)]
    assert samples.read(2)[0, 0].tolist() == [21]


def test_what_is_left_out_or_missing(root, caplog):
    (root / "b_gfp.npy").unlink()
    table = _frame()
    options = {"root": root, "label_columns": list(NAMES), **FILES}
    assert load_table(table, leave_out=["b"], **options).ids == ("a", "c")
    assert load_table(table, leave_out=[1], **options).ids == ("a", "c")
    dropped = load_table(table, missing="drop", **options)
    assert dropped.ids == ("a", "c")
    assert dropped.labels.tolist() == [TARGETS[0], TARGETS[2]]
    assert dropped.metadata == {"Dose": [0.5, 0.5]}
    assert "'b'" in caplog.text
    zeros = load_table(table, missing="zeros", **options)
    assert zeros.read(1)[0, 0].tolist() == [10, 0]
    assert zeros.filled == {("b", "gfp")}


def test_a_table_to_predict(root):
    assert load_table(pd.DataFrame({"name": list("abc")}), root=root, **FILES).labels is None
    assert load_table(_frame(), root=root, label_columns=[], **FILES).metadata["ER"] == [1, 0, 0]


def test_the_way_back(root):
    samples = load_table(_frame(), root=root, label_columns=list(NAMES), groups="Dose", **FILES)
    frame = samples.to_frame()
    assert frame.columns.tolist() == ["id", *NAMES, "Dose"]
    again = load_table(frame, root=root, label_columns=list(NAMES), groups="Dose", **FILES)
    _check(again)
    assert again.groups == samples.groups
    assert again.metadata == samples.metadata


def test_csv_needs_no_pandas(root, tmp_path, monkeypatch):
    for name in ("pandas", "polars", "openpyxl", "pyarrow"):
        monkeypatch.setitem(__import__("sys").modules, name, None)
    (tmp_path / "t.csv").write_text(_text())
    samples = load_table(tmp_path / "t.csv", root=root, **FILES)
    _check(samples)
    with pytest.raises(ImportError, match=r"keras-hpa\[tables\]"):
        samples.to_frame()
    (tmp_path / "t.xlsx").write_bytes(b"PK")
    with pytest.raises(ImportError, match=r"keras-hpa\[tables\]"):
        load_table(tmp_path / "t.xlsx", root=root, **FILES)


@pytest.mark.parametrize("cell", ["nan", "NaN", "NA", "#N/A", "<NA>", "null", None, float("nan"), pd.NA, ""])
def test_what_stands_for_nothing(root, cell):
    table = pd.DataFrame({"Id": ["a", "b"], "Target": ["ER", cell], "x": [1, cell], "y": [0, 1]})
    with pytest.raises(ValueError, match=r"allow_empty=True.*row 1 \(id 'b'\)"):
        load_table(table, root=root, label_columns="Target", **FILES)
    with pytest.raises(ValueError, match=r"allow_empty='unknown'.*row 1 \(id 'b'\), column 'x'"):
        load_table(table, root=root, label_columns=["x", "y"], **FILES)
    unknown = load_table(table, root=root, label_columns=["x", "y"], allow_empty="unknown", **FILES)
    assert unknown.labels.tolist() == [[1, 0], [-1, 1]]


def test_names_decide_which_column_is_which_class(root):
    samples = load_table(_frame(), root=root, label_columns=list(NAMES), class_names=NAMES[::-1], **FILES)
    assert samples.class_names == NAMES[::-1]
    assert samples.labels.tolist() == [row[::-1] for row in TARGETS]
    numbered = _frame().rename(columns={name: number for number, name in enumerate(NAMES)})
    assert load_table(numbered, root=root, label_columns=range(3), **FILES).labels.tolist() == TARGETS


def test_an_index_of_names_holds_the_ids(root):
    frame = _frame().set_index("Id").rename_axis(None)
    assert load_table(frame, root=root, label_columns=list(NAMES), **FILES).ids == ("a", "b", "c")


def test_a_worksheet_that_begins_elsewhere(root, tmp_path):
    book = pytest.importorskip("openpyxl").Workbook()
    for row in (
        [],
        [None, "Id", None, "Target", "Note"],
        [None, 1.0, None, "ER"],
        [None, "002", None, "Golgi"],
        [None, " "],
    ):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    samples = load_table(tmp_path / "t.xlsx", root=root, pattern="{id:03}_{channel}.npy", channels=["gfp"])
    assert samples.ids == ("1", "002")
    assert samples.metadata == {"Note": [None, None]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf8", "UTF-8-SIG", "utf-16", "utf-16-le"])
def test_an_encoding_that_agrees_with_the_mark(root, tmp_path, encoding):
    marked = "utf-8-sig" if "8" in encoding else "utf-16"
    (tmp_path / "t.csv").write_bytes(_text().encode(marked))
    _check(load_table(tmp_path / "t.csv", root=root, encoding=encoding, delimiter=",", **FILES))
