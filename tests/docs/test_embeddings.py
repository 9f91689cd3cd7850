"""The code of docs/how-to/embeddings.md."""

import numpy as np
import pytest

import keras_hpa


@pytest.mark.usefixtures("_short_trainings")
def test_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawn = keras_hpa.SyntheticAtlas(48, image_size=(32, 32), balance="uniform").samples
    samples = keras_hpa.Samples(
        drawn, drawn.labels, class_names=drawn.class_names, groups=[f"antibody {i // 4}" for i in range(48)]
    )
    model = keras_hpa.GapNet((32, 32, 4), num_classes=28)
    # --8<-- [start:embed]
    embeddings = keras_hpa.embed(model, samples, transforms="dihedral", path="embeddings")
    # --8<-- [end:embed]
    assert embeddings.shape == (48, 224)

    # --8<-- [start:probe]
    scores = keras_hpa.evaluation.probe_scores(embeddings, samples.labels, groups=samples.groups)
    table = keras_hpa.evaluation.evaluate(
        scores, samples.labels, groups=samples.groups, class_names=samples.class_names, num_draws=200
    )
    print(table.to_frame()[["support", "average_precision"]].tail(2))
    # --8<-- [end:probe]
    assert "macro" in capsys.readouterr().out

    # --8<-- [start:plot]
    figure = keras_hpa.plots.plot_embedding(embeddings, samples.labels, class_names=samples.class_names)
    figure.savefig("embeddings.png")
    # --8<-- [end:plot]
    assert (tmp_path / "embeddings.png").stat().st_size > 5000

    new, reference = samples[:8], samples[8:]
    # --8<-- [start:nearest]
    found = keras_hpa.nearest_samples(
        embeddings[:8],
        embeddings[8:],
        reference.labels,
        groups=new.groups,
        reference_groups=reference.groups,
        k=5,
    )
    for row in found.rows(new.ids, reference.ids)[:5]:
        print(row)  # id, rank, neighbour, distance
    # --8<-- [end:nearest]
    assert capsys.readouterr().out.count("neighbour") == 5
    assert np.isin(found.indices, np.arange(40)).all()


def test_anndata(tmp_path, monkeypatch):
    pytest.importorskip("anndata")
    monkeypatch.chdir(tmp_path)
    samples = keras_hpa.SyntheticAtlas(4, image_size=(32, 32)).samples
    embeddings = np.zeros((4, 8))
    # --8<-- [start:anndata]
    keras_hpa.inference.to_anndata(embeddings, samples).write_h5ad("embeddings.h5ad")
    # --8<-- [end:anndata]
    assert (tmp_path / "embeddings.h5ad").is_file()
