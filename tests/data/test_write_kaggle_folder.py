import json

import numpy as np
import pytest

from keras_hpa import ArraySource, Samples, SyntheticAtlas, load_folder, load_kaggle, write_kaggle_folder
from keras_hpa.files import _seal


def _source(**arguments):
    return SyntheticAtlas(**({"num_samples": 3, "image_size": (32, 48), "seed": 2} | arguments))


def test_saved_folder_reads_back_as_kaggles(tmp_path):
    source = _source()
    source.save(tmp_path / "data", num_test=1)
    train, test = load_kaggle(tmp_path / "data"), load_kaggle(tmp_path / "data", "test")
    np.testing.assert_array_equal(train.labels, source.labels[:2])
    assert train.ids + test.ids == source.ids
    for index, image in enumerate((train.read(0), train.read(1), test.read(0))):
        np.testing.assert_array_equal(image, source.read(index))
    assert (tmp_path / "data" / "sample_submission.csv").read_text().startswith("Id,Predicted\n")


def test_interrupted_save_is_taken_up(tmp_path, monkeypatch):
    source = _source()
    read = SyntheticAtlas.read

    def interrupted(self, index):
        if index == 1:
            raise KeyboardInterrupt
        return read(self, index)

    monkeypatch.setattr(SyntheticAtlas, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.save(tmp_path)
    assert len(list((tmp_path / "train").iterdir())) == 4
    left_over = tmp_path / "train" / f".keras_hpa-{'0' * 24}-{_seal('0' * 24)}"
    left_over.mkdir()
    (left_over / "half.png").write_bytes(b"half a file")
    (tmp_path / "train" / ".writing-1-half.png").write_bytes(b"somebody's")

    redrawn = []
    monkeypatch.setattr(SyntheticAtlas, "read", lambda self, index: redrawn.append(index) or read(self, index))
    source.save(tmp_path)
    assert redrawn == [0, 1, 2], "the first says whether the samples are the same"
    assert not left_over.exists()
    assert (tmp_path / "train" / ".writing-1-half.png").read_bytes() == b"somebody's"
    np.testing.assert_array_equal(load_kaggle(tmp_path).read(2), read(source, 2))


def test_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("months of work")
    with pytest.raises(ValueError, match=r"must be empty.*thesis\.tex"):
        _source().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("manifest", [b"{", b"[]", b"\xff"])
def test_folder_whose_manifest_is_not_ours_is_left_alone(tmp_path, manifest):
    (tmp_path / "kaggle_folder.json").write_bytes(manifest)
    with pytest.raises(ValueError, match=r"kaggle_folder\.json' must (hold|be a JSON file)"):
        _source().save(tmp_path)


def test_folder_of_another_data_set_is_left_alone(tmp_path):
    _source().save(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError,
        match=r"holds other samples than those with {'first_id': 'synthetic-3.*Received: .* {'first_id'",
    ):
        _source(seed=3).save(tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert json.loads((tmp_path / "kaggle_folder.json").read_text())["first_id"] == "synthetic-2-000000"


def test_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        _source().save(tmp_path / "file")


@pytest.mark.parametrize("num_test", [4, -1, 0.5, True])
def test_wrong_number_of_test_samples(tmp_path, num_test):
    with pytest.raises(ValueError, match="num_test"):
        _source().save(tmp_path / "data", num_test=num_test)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_samples_of_any_kind_read_back(tmp_path, dtype):
    images = np.random.default_rng(0).integers(np.iinfo(dtype).max, size=(5, 6, 7, 2)).astype(dtype)
    source = ArraySource(images, ["a", "b", "c", "plate/d", "e"], channels=["dapi", "gfp"])
    samples = Samples(source, np.eye(5, 3, dtype=int) + np.eye(5, 3, -3, dtype=int))
    write_kaggle_folder(samples, tmp_path, num_test=1, verbose=0)
    train = load_folder(tmp_path / "train", tmp_path / "train.csv", channels=["dapi", "gfp"])
    assert train.ids == source.ids[:4]
    np.testing.assert_array_equal(train.labels, samples.labels[:4])
    np.testing.assert_array_equal([train.read(index) for index in range(4)], images[:4])
    assert (tmp_path / "test" / "e_gfp.png").is_file()


def test_samples_without_labels_are_all_for_the_test_set(tmp_path):
    samples = Samples(ArraySource(np.zeros((2, 6, 7, 4), "uint8"), channels=["red", "green", "blue", "yellow"]))
    write_kaggle_folder(samples, tmp_path, num_test=2, verbose=0)
    assert load_kaggle(tmp_path, "test").ids == ("0", "1")


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (Samples(ArraySource(np.zeros((1, 2, 2, 2), "uint8"))), "must have labels"),
        (Samples(ArraySource(np.zeros((1, 2, 2, 2), "uint8")), [[-1]]), "must hold 0 and 1 only.*-1"),
        (Samples(ArraySource(np.zeros((1, 2, 2, 2), "float32")), [[1]]), "float32 for sample '0'"),
        (Samples(ArraySource(np.zeros((1, 2, 2, 2), "uint8"), ["../a"]), [[1]]), r"`samples.ids`.*'\.\./a'"),
        (Samples(ArraySource(np.zeros((1, 2, 2, 1), "uint8"), channels=["/x"]), [[1]]), "`samples.channels`.*'/x'"),
    ],
)
def test_samples_that_do_not_fit_the_layout_are_refused(tmp_path, samples, message):
    with pytest.raises(ValueError, match=message):
        write_kaggle_folder(samples, tmp_path / "data", verbose=0)
    assert not (tmp_path / "data").exists()
