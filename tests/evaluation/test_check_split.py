import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score

import keras_hpa
from keras_hpa.evaluation import check_split
from keras_hpa.evaluation.linear_probe import linear_probe

NAMES = ["Cytosol", "Nucleoli", "Golgi"]


def _samples(num_samples=200, *, seed=0, group_size=2, num_plates=4, plate_gain=0.0):
    """Noise of which each image is like no other, on plates that are alike unless they get a gain of their own."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 200, (num_samples, 8, 8, 2))
    plates = rng.integers(num_plates, size=num_samples)
    images = np.repeat(np.repeat(coarse, 4, 1), 4, 2) * (1 + plate_gain * plates[:, None, None, None])
    labels = (rng.uniform(size=(num_samples, 3)) < [0.5, 0.4, 0.3]).astype(int)
    source = keras_hpa.ArraySource(np.round(images).astype(np.uint16), [f"s{n}" for n in range(num_samples)])
    groups = [f"antibody {number // group_size}" for number in range(num_samples)]
    metadata = {"plate": [f"P{plate}" for plate in plates]}
    return keras_hpa.Samples(source, labels, class_names=NAMES, groups=groups, metadata=metadata)


def _kinds(report):
    return [finding.check for finding in report.findings]


def test_a_clean_split_reports_nothing():
    train, test = _samples().split(test_size=0.25)
    report = check_split(train, test, verbose=0)
    assert report.is_clean, str(report)
    assert "nothing was found" in str(report)
    assert not report.left_out
    rows = report.to_frame()
    assert set(rows["check"]) == {"labels", "sides", "plates"}
    assert list(rows[rows["check"] == "plates"]["name"].sort_values()) == ["P0", "P1", "P2", "P3"]
    assert rows[rows["check"] == "labels"]["train"].tolist() == train.labels.sum(axis=0).tolist()


def test_splits_by_chance_are_seldom_found_fault_with():
    found = [
        check_split(*_samples(80, seed=seed).split(test_size=0.3, seed=seed), num_draws=99, verbose=0).is_clean
        for seed in range(8)
    ]
    assert sum(found) == 8


def test_ids_and_groups_on_both_sides_are_named():
    samples = _samples(seed=1)
    report = check_split(samples[:150], samples[147:], verbose=0)
    assert _kinds(report) == ["ids", "groups"], "what is the same sample is no near duplicate besides"
    assert report.findings[0].names == ("s147", "s148", "s149")
    assert report.findings[1].names == ("antibody 73", "antibody 74")
    assert "3 ids on both sides: s147, s148, s149. Remove them" in str(report)


def test_near_duplicates_across_the_sides_are_named():
    samples = _samples()
    train, test = samples[:150], samples[150:]
    images = np.stack([test.read(index) for index in range(len(test))])
    images[[3, 7]] = [samples.read(10) // 2, samples.read(20) + 9]
    copied = keras_hpa.Samples(
        keras_hpa.ArraySource(images, test.ids), test.labels, class_names=NAMES, groups=test.groups
    )
    report = check_split(train, copied, verbose=0)
    assert [finding.names for finding in report.findings if finding.check == "near duplicates"] == [
        ("s10 and s153", "s20 and s157")
    ]
    assert "plates, as the metadata do not name them" in report.left_out


def test_classes_and_label_shares_that_differ_are_named():
    samples = _samples()
    labels = samples.labels.copy()
    labels[:140, 1] = 0
    labels[140:, 2] = 0
    labels[160:, 0] = 1
    labels[:5, 0] = -1
    changed = keras_hpa.Samples(samples.source, labels, class_names=NAMES, groups=samples.groups)
    report = check_split(changed[:140], changed[140:], read_images=False, verbose=0)
    findings = {finding.sentence: finding.names for finding in report.findings}
    assert findings["1 class has samples only to test on"] == ("Nucleoli",)
    assert findings["1 class has samples only to train on"] == ("Golgi",)
    (told,) = (names for sentence, names in findings.items() if "more frequent" in sentence)
    assert [name.split(" (")[0] for name in told] == NAMES
    assert any("no images were read" in one for one in report.left_out)


def test_a_difference_that_few_groups_explain_is_not_reported():
    samples = _samples(group_size=20)
    labels = samples.labels.copy()
    labels[:, 0] = np.repeat([1, 0, 1, 0, 1, 1, 0, 0, 1, 1], 20)
    alike = [keras_hpa.Samples(samples.source, labels, groups=groups) for groups in (samples.groups, None)]
    alike[1] = keras_hpa.Samples(samples.source.__class__(np.zeros((200, 2, 2, 1))), labels)
    by_group, by_row = (check_split(one[:140], one[140:], read_images=False, verbose=0) for one in alike)
    assert "labels" not in _kinds(by_group)
    assert "groups, as the samples of a side have none" in by_row.left_out


def test_plates_and_sides_that_intensities_tell_apart_are_named():
    samples = _samples(plate_gain=0.4)
    report = check_split(*samples.split(test_size=0.25), verbose=0)
    assert _kinds(report) == ["plates"]
    assert {name.split(" ")[0] for name in report.findings[0].names} >= {"P0", "P3"}
    assert "plates have samples on both sides" in report.findings[0].advice
    plates = np.array(samples.metadata["plate"])
    far = keras_hpa.Samples(samples, groups=list(range(len(samples))))
    report = check_split(far[plates != "P3"], far[plates == "P3"], verbose=0)
    assert _kinds(report) == ["sides", "plates"]
    assert "Each lies on one side" in report.findings[1].advice


def test_embeddings_take_the_place_of_intensities():
    train, test = _samples().split(test_size=0.25)
    rng = np.random.default_rng(0)
    embeddings = [rng.normal(size=(len(one), 6)) for one in (train, test)]
    embeddings[1][:, 2] += 3
    report = check_split(train, test, embeddings=embeddings, read_images=False, verbose=0)
    assert "sides" in _kinds(report)


def test_the_probe_is_a_ridge_classifier_and_its_null_holds():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 4))
    member = (features[:, 0] + rng.normal(size=300) > 0).astype(int)
    found = linear_probe(features, member, np.arange(300), num_draws=100)
    guessed = RidgeClassifier(alpha=3).fit(features, member).decision_function(features)
    assert found.auc[1] == pytest.approx(roc_auc_score(member, guessed), abs=0.02)
    assert found.auc[0] == pytest.approx(found.auc[1])
    assert found.p_value[1] == pytest.approx(1 / 101)
    p_values = [
        linear_probe(rng.normal(size=(60, 3)), rng.permutation(np.arange(60) % 3), np.arange(60), num_draws=39).p_value
        for _ in range(100)
    ]
    assert (np.min(p_values, axis=1) <= 0.05).mean() <= 0.12, "five in a hundred, the three sets together"


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda one: one.source, {}, TypeError, "`test` must be `Samples`. Received: _Subset"),
        (lambda one: one[:0], {}, ValueError, "`test` must hold samples"),
        (lambda one: one.select_channels(one.channels[:1]), {}, ValueError, "`test` must have the channels of `train`"),
        (lambda one: one, {"plates": "day"}, ValueError, "`plates` must name metadata of `train`.*Received: 'day'"),
        (lambda one: one, {"embeddings": ([[0.0]], [[0.0]])}, ValueError, "`embeddings` must be two finite matrices"),
        (
            lambda one: keras_hpa.Samples(one.source, one.labels[:, :2]),
            {},
            ValueError,
            "`test` must have the classes of `train`",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, options, error, message):
    samples = _samples(20)
    with pytest.raises(error, match=message):
        check_split(samples[:10], change(samples[10:]), verbose=0, **options)
