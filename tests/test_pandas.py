"""Columns of pandas tables, whatever their index, wherever a list goes."""

import numpy as np
import pytest

from keras_hpa import (
    ArraySource,
    ChannelFiles,
    Samples,
    format_labels,
    parse_labels,
    plots,
    stratified_split,
    write_submission,
)
from tests.data.kaggle_folder import CHANNELS, write_kaggle_folder

pd = pytest.importorskip("pandas")


@pytest.fixture
def table():
    """Ids, labels and groups of six samples; the index counts backwards."""
    return pd.DataFrame(
        {"id": list("abcdef"), "golgi": [1, 0, 1, 0, 1, 0], "cytosol": [0, 1, 1, 0, 1, 1], "plate": list("xxyyzz")},
        index=[5, 4, 3, 2, 1, 0],
    )


@pytest.fixture
def samples(table):
    images = np.arange(6, dtype=np.uint8)[:, None, None, None] * np.ones((6, 4, 4, 2), np.uint8)
    return Samples(
        ArraySource(images, table["id"], channels=pd.Series(["dapi", "gfp"], index=[1, 0])),
        table[["golgi", "cytosol"]],
        class_names=pd.Series(["Golgi", "Cytosol"], index=[1, 0]),
        groups=table["plate"],
        metadata=table,
    )


def test_samples_go_by_position(samples, table):
    assert samples.ids == tuple("abcdef")
    assert samples.channels == ("dapi", "gfp")
    assert samples.class_names == ("Golgi", "Cytosol")
    np.testing.assert_array_equal(samples.labels, table[["golgi", "cytosol"]].to_numpy())
    assert samples.groups == samples.metadata["plate"] == list("xxyyzz")


def test_keys_of_samples_go_by_position(samples, table):
    assert samples[pd.Series([2, 0], index=[1, 0])].ids == ("c", "a")
    assert samples[table["plate"] == "y"].ids == ("c", "d")
    assert samples[table["id"][4:]].ids == ("e", "f")
    assert samples[pd.Index([0, 5])].ids == ("a", "f")


def test_labels_with_missing_entries_are_refused(samples, table):
    for missing in (pd.NA, np.nan, None):
        labels = table[["golgi", "cytosol"]].astype(object)
        labels.iloc[3, 1] = missing
        with pytest.raises(ValueError, match=r"`labels` must hold 0, 1, or -1.*in row 3, column 1"):
            Samples(samples.source, labels)
    labels = table[["golgi", "cytosol"]].astype("Int8")
    np.testing.assert_array_equal(Samples(samples.source, labels).labels, samples.labels)


@pytest.mark.parametrize("missing", [None, np.nan, "NA", "NaT"])
def test_groups_that_are_missing_name_their_samples(samples, table, missing):
    plates = table["plate"].astype(object)
    plates.iloc[[1, 4]] = getattr(pd, missing) if isinstance(missing, str) else missing
    with pytest.raises(ValueError, match=r"`groups` must name a group for every sample.*\['b', 'e'\]"):
        Samples(samples.source, groups=plates)


def test_label_texts_names_and_ids():
    table = pd.DataFrame({"id": ["a", "b"], "label": ["golgi", "x"]}, index=[1, 0])
    names = pd.Series(["Nucleus", "Golgi"], index=[7, 3])
    np.testing.assert_array_equal(parse_labels(table["label"][:1], names, ids=table["id"][:1]), [[0, 1]])
    with pytest.raises(ValueError, match=r"'x' in row 1 \(id 'b'\)"):
        parse_labels(table["label"], names, ids=table["id"])
    assert format_labels([[0, 1]], class_names=names) == ["Golgi"]


def test_missing_label_texts_are_empty():
    texts = pd.Series(["0", None, np.nan, pd.NA, pd.NaT], dtype=object)
    np.testing.assert_array_equal(parse_labels(texts, 1, allow_empty=True), [[1], [0], [0], [0], [0]])


def test_files_splits_submissions_and_figures(tmp_path, table):
    write_kaggle_folder(tmp_path, 2)
    ids, channels = pd.Series(["sample1", "sample0"], index=[1, 0]), pd.Series(CHANNELS, index=[3, 2, 1, 0])
    source = ChannelFiles(tmp_path / "train", ids, channels=channels)
    assert (source.ids, source.channels) == (("sample1", "sample0"), CHANNELS)
    train, test = stratified_split(table[["golgi", "cytosol"]], 0.3, groups=table["plate"])
    assert not set(table["plate"].iloc[train]) & set(table["plate"].iloc[test])
    write_submission(tmp_path / "submission.csv", ids, pd.DataFrame(np.eye(2, dtype=int), index=ids))
    assert (tmp_path / "submission.csv").read_text() == "Id,Predicted\nsample1,0\nsample0,1\n"
    figure = plots.plot_channels(source.read(0), channels)
    assert [axes.get_title().split(":")[0] for axes in figure.axes[:4]] == list(CHANNELS)
