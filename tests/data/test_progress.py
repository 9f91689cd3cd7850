import numpy as np

from keras_hpa import ArraySource, PackedSource
from keras_hpa.data.progress import Progress


def test_one_line_that_is_written_over(capsys, monkeypatch):
    times = iter([100.0, 100.1, 130.0, 160.0])
    monkeypatch.setattr("time.monotonic", lambda: next(times))
    progress = Progress(60, verbose=1, about="7 GB in all")
    for done in (0, 1, 30, 60):
        progress.update(done)
    lines = [line.rstrip() for line in capsys.readouterr().out.split("\r")]
    assert lines == [
        "",
        "0/60 samples, about 0 s left, 7 GB in all",
        "30/60 samples, about 30 s left, 7 GB in all",
        "60/60 samples, 60 s, 7 GB in all",
    ]


def test_a_pack_says_its_size_unless_told_not_to(capsys, tmp_path):
    source = ArraySource(np.zeros((4, 8, 8, 1), np.uint8))
    PackedSource.build(source, tmp_path / "said")
    assert "4/4 samples" in (said := capsys.readouterr().out)
    assert "2.56e-07 GB in all" in said
    assert "GB free before" in said
    assert said.endswith("\n")
    PackedSource.build(source, tmp_path / "not", verbose=0)
    assert not capsys.readouterr().out
