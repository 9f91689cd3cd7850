import json

import numpy as np
import pytest

from keras_hpa import load_kaggle
from keras_hpa.synthetic_atlas import SyntheticAtlas


def _source(**arguments):
    return SyntheticAtlas(**({"num_samples": 3, "image_size": (32, 48), "seed": 2} | arguments))


def test_saved_folder_reads_back_as_kaggles(tmp_path):
    source = _source()
    source.save(tmp_path / "data", num_test=1)
    train, labels = load_kaggle(tmp_path / "data")
    test, _ = load_kaggle(tmp_path / "data", "test")
    np.testing.assert_array_equal(labels, source.labels[:2])
    assert tuple(train.ids) + tuple(test.ids) == source.ids
    for index, image in enumerate((train.read(0), train.read(1), test.read(0))):
        np.testing.assert_array_equal(image, source.read(index))
    assert (tmp_path / "data" / "sample_submission.csv").read_text().startswith("Id,Predicted\n")


def test_interrupted_save_is_taken_up(tmp_path, monkeypatch):
    source = _source()
    read, calls = SyntheticAtlas.read, []

    def interrupted(self, index):
        if calls:
            raise KeyboardInterrupt
        calls.append(index)
        return read(self, index)

    monkeypatch.setattr(SyntheticAtlas, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        source.save(tmp_path)
    assert len(list((tmp_path / "train").iterdir())) == 4
    (tmp_path / "train" / ".writing-1-half.png").write_bytes(b"half a file")

    redrawn = []
    monkeypatch.setattr(SyntheticAtlas, "read", lambda self, index: redrawn.append(index) or read(self, index))
    source.save(tmp_path)
    assert redrawn == [1, 2]
    assert not list(tmp_path.rglob(".writing*"))
    np.testing.assert_array_equal(load_kaggle(tmp_path)[0].read(2), read(source, 2))


def test_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("months of work")
    with pytest.raises(ValueError, match=r"must be empty.*thesis\.tex"):
        _source().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("manifest", [b"{", b"[]", b"\xff"])
def test_folder_whose_manifest_is_not_ours_is_left_alone(tmp_path, manifest):
    (tmp_path / "synthetic_atlas.json").write_bytes(manifest)
    with pytest.raises(ValueError, match=r"must be empty.*synthetic_atlas\.json"):
        _source().save(tmp_path)


def test_folder_of_another_data_set_is_left_alone(tmp_path):
    _source().save(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(
        ValueError, match=r"holds samples of other settings than {'seed': .*Received: .* with {'seed': "
    ):
        _source(seed=3).save(tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert json.loads((tmp_path / "synthetic_atlas.json").read_text())["seed"] == 2


def test_file_instead_of_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="must be a folder"):
        _source().save(tmp_path / "file")


@pytest.mark.parametrize(("num_test", "error"), [(4, ValueError), (-1, ValueError), (0.5, TypeError)])
def test_wrong_number_of_test_samples(tmp_path, num_test, error):
    with pytest.raises(error, match="num_test"):
        _source().save(tmp_path / "data", num_test=num_test)
    assert not (tmp_path / "data").exists()
