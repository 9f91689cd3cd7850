import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from keras_hpa import stratified_folds
from keras_hpa.evaluation import probe_scores

RNG = np.random.default_rng(0)
LABELS = (RNG.random((120, 3)) < [0.5, 0.3, 0.2]).astype(int)
EMBEDDINGS = RNG.normal(size=(120, 10)) + 3 * np.pad(LABELS, ((0, 0), (0, 7)))
GROUPS = list(np.arange(120) // 4)


def test_equals_a_logistic_regression_per_class_and_fold():
    expected = np.empty(LABELS.shape)
    for others, judged in stratified_folds(LABELS, 4, groups=GROUPS, seed=1):
        scaler = StandardScaler().fit(EMBEDDINGS[others])
        for number in range(3):
            line = LogisticRegression(C=0.01, max_iter=2000)
            line.fit(scaler.transform(EMBEDDINGS[others]), LABELS[others, number])
            expected[judged, number] = line.predict_proba(scaler.transform(EMBEDDINGS[judged]))[:, 1]
    scores = probe_scores(EMBEDDINGS, LABELS, groups=GROUPS, num_folds=4, seed=1)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.parametrize("method", ["linear", "neighbors"])
def test_what_features_know_is_found_and_noise_is_not(method):
    knows = probe_scores(EMBEDDINGS, LABELS, method=method)
    noise = probe_scores(RNG.normal(size=(120, 10)), LABELS, method=method)
    assert roc_auc_score(LABELS, knows) > 0.9
    assert abs(roc_auc_score(LABELS, noise) - 0.5) < 0.15


@pytest.mark.parametrize("method", ["linear", "neighbors"])
def test_a_group_does_not_vouch_for_itself(method):
    groups = np.arange(120) // 4
    of_group = RNG.normal(size=(30, 60))[groups]  # every group is recognised, and nothing else
    labels = (RNG.random(30) < 0.5).astype(int)[groups][:, None]
    alone = probe_scores(of_group, labels, method=method, k=3)
    apart = probe_scores(of_group, labels, method=method, k=3, groups=list(groups))
    assert roc_auc_score(labels, alone) > 0.95
    assert roc_auc_score(labels, apart) < 0.75


def test_neighbors_are_the_share_of_the_nearest():
    scores = probe_scores([[0.0], [0.1], [0.2], [5.0]], [[1], [0], [1], [0]], method="neighbors", k=2)
    np.testing.assert_allclose(scores[:, 0], [0.5, 1.0, 0.5, 0.5])


def test_unknown_labels_teach_nothing():
    labels = LABELS.copy()
    labels[::3, 0] = -1
    expected = np.empty(120)
    for others, judged in stratified_folds(labels, 5):
        scaler, known = StandardScaler().fit(EMBEDDINGS[others]), others[labels[others, 0] >= 0]
        line = LogisticRegression(C=0.01, max_iter=2000).fit(scaler.transform(EMBEDDINGS[known]), LABELS[known, 0])
        expected[judged] = line.predict_proba(scaler.transform(EMBEDDINGS[judged]))[:, 1]
    np.testing.assert_allclose(probe_scores(EMBEDDINGS, labels)[:, 0], expected, rtol=1e-5)


def test_a_class_with_one_value_has_its_share():
    labels = np.column_stack([LABELS[:, 0], np.zeros(120, int)])
    labels[0, 1] = 1
    scores = probe_scores(EMBEDDINGS, labels, num_folds=3)
    assert np.isfinite(scores).all()
    assert scores[0, 1] == 0, "the other folds know no positive"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "svm"}, "`method` must be one of"),
        ({"embeddings": [[np.nan]] * 120}, "`embeddings` must be finite"),
        ({"embeddings": [0.0] * 120}, "`embeddings` must be finite, of shape"),
        ({"labels": LABELS[:5]}, r"of shape \(120, num_classes\)"),
        ({"labels": LABELS + 1}, "`labels` must be 1, 0 or -1"),
        ({"groups": [0] * 119}, "`groups`"),
    ],
)
def test_errors(arguments, message):
    given = {"embeddings": EMBEDDINGS, "labels": LABELS} | arguments
    with pytest.raises(ValueError, match=message):
        probe_scores(given.pop("embeddings"), given.pop("labels"), **given)
