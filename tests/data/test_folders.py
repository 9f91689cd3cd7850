import numpy as np
import pytest
import tifffile

from keras_hpa import atlas, load_folder, load_kaggle, parse_labels, write_submission
from tests.data.kaggle_folder import write_kaggle_folder


def test_kaggle_folder(tmp_path):
    images = write_kaggle_folder(tmp_path, 3)
    samples = load_kaggle(tmp_path)
    assert samples.channels == atlas.CHANNELS
    assert samples.class_names == atlas.CLASS_NAMES
    np.testing.assert_array_equal(samples.labels, np.eye(28)[:3])
    np.testing.assert_array_equal(samples.read(2), images[2])
    test = load_kaggle(tmp_path, "test")
    assert test.labels is None
    assert (test.ids, test.class_names) == (samples.ids, atlas.CLASS_NAMES)
    with pytest.raises(ValueError, match="'validation'"):
        load_kaggle(tmp_path, "validation")
    next((tmp_path / "train").glob("*_red.png")).unlink()
    with pytest.raises(FileNotFoundError, match="missing='drop'"):
        load_kaggle(tmp_path)
    assert len(load_kaggle(tmp_path, missing="drop")) == 2
    for path in (tmp_path / "train").glob("*_red.png"):
        path.unlink()
    with pytest.raises(ValueError, match=r"`missing='drop'` must leave samples.*none of 3 is complete"):
        load_kaggle(tmp_path, missing="drop")


def test_rows_without_files_are_named_when_they_are_dropped(tmp_path, caplog):
    write_kaggle_folder(tmp_path, 2)
    with (tmp_path / "train.csv").open("a") as table:
        table.write("\nghost,0\n")
    assert len(load_kaggle(tmp_path, missing="drop")) == 2
    assert "left out: 'ghost'" in caplog.text
    assert len(caplog.records) == 1


def test_anybodys_folder(tmp_path):
    write_kaggle_folder(tmp_path, 2)
    (tmp_path / "mine.csv").write_text("\ufeffwhere,well\nCytosol|Nuclei,sample1\nNUCLEI,sample0\n", encoding="utf-8")
    samples = load_folder(
        tmp_path / "train",
        tmp_path / "mine.csv",
        channels=["blue"],
        id_column="well",
        label_columns="where",
        separator="|",
        class_names=["Nuclei", "Cytosol"],
    )
    assert samples.ids == ("sample1", "sample0")
    assert samples.class_names == ("Nuclei", "Cytosol")
    np.testing.assert_array_equal(samples.labels, [[1, 1], [1, 0]])
    assert samples.read(0).shape == (8, 8, 1)


def _load(tmp_path, table, **options):
    """Four samples of two channels in TIFFs, with a table."""
    for sample_id in "abcd":
        for channel in ("dapi", "mcherry"):
            tifffile.imwrite(tmp_path / f"{sample_id}_{channel}.tif", np.ones((4, 4), "uint16"))
    (tmp_path / "labels.csv").write_text(table)
    options = {"channels": ["dapi", "mcherry"], "pattern": "{id}_{channel}.tif"} | options
    return load_folder(tmp_path, tmp_path / "labels.csv", **options)


@pytest.mark.parametrize(
    ("texts", "options", "class_names", "labels"),
    [
        (["er", "Golgi", "nuclei", "ER cytosol"], {}, ("cytosol", "er", "Golgi", "nuclei"), [[1], [2], [3], [0, 1]]),
        (["3", "0 1", "1", "0"], {}, None, [[3], [0, 1], [1], [0]]),
        (["0", "0", "0", ""], {"allow_empty": True, "num_classes": 2}, None, [[0], [0], [0], []]),
        (["2", "x", "2|x", "2"], {"separator": "|"}, ("2", "x"), [[0], [1], [0, 1], [0]]),
        (
            ["Golgi body", "ER; Golgi body", "ER", "ER"],
            {"separator": ";"},
            ("ER", "Golgi body"),
            [[1], [0, 1], [0], [0]],
        ),
        (["b", "1", "b", "b"], {"class_names": ["a", "b"]}, ("a", "b"), [[1]] * 4),
    ],
)
def test_classes_are_those_of_the_table_unless_given(tmp_path, texts, options, class_names, labels):
    table = "".join(f"{sample_id},{text}\n" for sample_id, text in zip("abcd", texts, strict=True))
    samples = _load(tmp_path, f"Id,Target\n{table}", **options)
    assert samples.channels == ("dapi", "mcherry")
    assert samples.class_names == class_names
    assert [np.flatnonzero(row).tolist() for row in samples.labels] == labels
    num_classes = options.get("num_classes") or len(class_names or range(4))
    assert samples.labels.shape == (4, num_classes)
    assert samples.read(3).shape == (4, 4, 2)


def test_groups_and_other_columns_come_along(tmp_path):
    samples = _load(tmp_path, "Id,Target,plate,day\na,0,p,1\nb,1,p,2\nc,0,q,3\nd,1,q,4\n", groups="plate")
    assert samples.groups == ["p", "p", "q", "q"]
    assert samples.metadata == {"plate": ["p", "p", "q", "q"], "day": ["1", "2", "3", "4"]}
    one, other = samples.split(test_size=0.5)
    assert {one.ids, other.ids} == {("a", "b"), ("c", "d")}


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ("Id,Target\na,Golgi;ER\n", {}, "`separator`.*' '.*'Golgi;ER'"),
        ("Id,Target\na,20571\n", {}, "`num_classes` or `class_names`.*20571"),
        ("Id,Target\na,\n", {"allow_empty": True}, "`class_names` or `num_classes` must be given"),
        ("Id,Target\na,0\n", {"class_names": ["x"], "num_classes": 1}, "`num_classes` must not be given beside"),
        ("Id,Target\na,x|\n", {"separator": "|"}, "''.*row 0"),
        ("Id,Target\na,0\n", {"separator": ""}, "`separator`"),
        ("Id,Target\na,0\n", {"groups": "plate"}, "one column 'plate'"),
        ("Id,Target,plate\na,0,\nb,0,p\n", {"groups": "plate"}, r"`groups`.*\['a'\]"),
        ("Id,Target\na,0\n./a,0\n", {}, r"`ids` must not repeat.*'\./a' beside 'a'"),
    ],
)
def test_what_a_table_leaves_open_is_refused(tmp_path, table, options, message):
    with pytest.raises(ValueError, match=message):
        _load(tmp_path, table, **options)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("Id,Label\na,0\n", "'Target'"),
        ("Id,Target,Id\na,0,b\n", "one column 'Id'"),
        ("Id,Target\n", "no rows"),
        ("", "'Id'"),
        ("Id,Target\na\n", "2 cells"),
        ("Id,Target\na,0,1\n", "2 cells"),
        ("Id,Target\na,0\na,1\n", "repeat.*'a'"),
        ("Id,Target\n../a,0\n", r"'\.\./a'"),
        ("Id,Target\na,99\n", r"'99' in row 0 \(id 'a'\)"),
        ('Id,Target\n"a,0\n', "CSV"),
        (b"Id,Target\n\xff,0\n", "UTF-8"),
    ],
)
def test_wrong_table_is_refused(tmp_path, table, message):
    write_kaggle_folder(tmp_path, 1)
    (tmp_path / "train.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(ValueError, match=message):
        load_kaggle(tmp_path)


def test_missing_table_and_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train\.csv"):
        load_kaggle(tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train.csv").write_text("Id,Target\na,0\n")
    with pytest.raises(FileNotFoundError, match="empty folder"):
        load_kaggle(tmp_path)


def test_submission_reads_back(tmp_path):
    predictions = np.eye(28, dtype=int)[[3, 27]]
    predictions[0, 16] = 1
    write_submission(tmp_path / "submission.csv", ["a", "b"], predictions)
    assert (tmp_path / "submission.csv").read_bytes() == b"Id,Predicted\na,3 16\nb,27\n"
    np.testing.assert_array_equal(parse_labels(["3 16", "27"], 28), predictions)
    assert [path.name for path in tmp_path.iterdir()] == ["submission.csv"]


@pytest.mark.parametrize("ids", [["a"], ["a", "a"], ["a", "b", "c"]])
def test_submission_refuses_wrong_ids(tmp_path, ids):
    with pytest.raises(ValueError, match="`ids`"):
        write_submission(tmp_path / "submission.csv", ids, np.eye(2))
    assert not list(tmp_path.iterdir())


def test_failed_submission_leaves_the_old_one(tmp_path):
    (tmp_path / "submission.csv").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_submission(tmp_path / "submission.csv", ["a", "\ud800"], np.eye(2))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("submission.csv", "old")]


@pytest.mark.real_data
def test_real_folder(real_data):
    samples = load_kaggle(real_data / "atlas_sample")
    assert samples.labels.shape == (len(samples), 28) == (60, 28)
    assert samples.read(59).shape == (512, 512, 4)
    assert len(load_kaggle(real_data / "atlas_sample", "test")) == 12
