import numpy as np
import pytest

from keras_hpa import load_folder, load_kaggle, parse_labels, write_submission
from tests.data.kaggle_folder import write_kaggle_folder


def test_kaggle_folder(tmp_path):
    images = write_kaggle_folder(tmp_path, 3)
    source, labels = load_kaggle(tmp_path)
    np.testing.assert_array_equal(labels, np.eye(28)[:3])
    np.testing.assert_array_equal(source.read(2), images[2])
    test_source, nothing = load_kaggle(tmp_path, "test")
    assert nothing is None
    assert test_source.ids == source.ids
    with pytest.raises(ValueError, match="'validation'"):
        load_kaggle(tmp_path, "validation")


def test_anybodys_folder(tmp_path):
    write_kaggle_folder(tmp_path, 2)
    (tmp_path / "mine.csv").write_text("\ufeffwhere,well\nCytosol|Nuclei,sample1\nNUCLEI,sample0\n", encoding="utf-8")
    source, labels = load_folder(
        tmp_path / "train",
        tmp_path / "mine.csv",
        channels=["blue"],
        id_column="well",
        label_column="where",
        separator="|",
        class_names=["Nuclei", "Cytosol"],
    )
    assert source.ids == ("sample1", "sample0")
    np.testing.assert_array_equal(labels, [[1, 1], [1, 0]])
    assert source.read(0).shape == (8, 8, 1)


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
    np.testing.assert_array_equal(parse_labels(["3 16", "27"]), predictions)
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
    source, labels = load_kaggle(real_data / "atlas_sample")
    assert labels.shape == (len(source), 28) == (60, 28)
    assert source.read(59).shape == (512, 512, 4)
    assert len(load_kaggle(real_data / "atlas_sample", "test")[0]) == 12
