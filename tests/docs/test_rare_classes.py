"""The code of docs/how-to/rare-classes.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    keras_hpa.SyntheticAtlas(40, image_size=(32, 32)).save(folder / "human-protein-atlas")
    return folder


@pytest.fixture
def _folder(drawn, monkeypatch):
    monkeypatch.chdir(drawn)


@pytest.mark.usefixtures("_folder", "_short_trainings")
def test_from_counts_to_thresholds(capsys):
    # --8<-- [start:count]
    samples = keras_hpa.load_kaggle("human-protein-atlas")
    counts = samples.labels.sum(axis=0)
    for number in np.argsort(counts)[:8]:
        print(samples.class_names[number], counts[number])
    # --8<-- [end:count]
    assert len(capsys.readouterr().out.splitlines()) == 8

    # --8<-- [start:split]
    train, validation = samples.split(validation_size=0.25)
    print(train.labels.sum(axis=0), validation.labels.sum(axis=0), sep="\n")
    # --8<-- [end:split]
    assert validation.labels.sum(axis=0).max() > 0
    assert not set(train.ids) & set(validation.ids)

    # --8<-- [start:sampler]
    train_batches = train.batches(image_size=128, sampler="rare_labels", augment="dihedral")
    # --8<-- [end:sampler]
    assert train_batches[0][0].shape[1:] == (128, 128, 4)

    # --8<-- [start:power]
    sampler = keras_hpa.RareLabels(train.labels, power=0.5)
    print(f"a pass draws a sample {sampler.expected.min():.1f} to {sampler.expected.max():.1f} times")
    # --8<-- [end:power]
    assert sampler.expected.max() > 1 > sampler.expected.min()
    assert "a pass draws a sample" in capsys.readouterr().out

    # --8<-- [start:loss]
    model = keras_hpa.GapNet((128, 128, 4), num_classes=28, classifier_activation=None)
    losses = [keras.losses.BinaryCrossentropy(from_logits=True), keras_hpa.MacroF1Loss(from_logits=True)]
    model.compile("adam", keras_hpa.WeightedSumLoss(losses), metrics=[keras_hpa.MacroF1(from_logits=True)])
    model.fit(train_batches, epochs=20)
    # --8<-- [end:loss]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())

    # --8<-- [start:thresholds]
    scores = keras_hpa.predict_scores(model, validation.batches(image_size=128))
    calibrator = keras_hpa.ThresholdCalibrator(from_logits=True, class_names=samples.class_names)
    print(calibrator.fit(scores, validation.labels).report())
    # --8<-- [end:thresholds]
    assert "few positives" in capsys.readouterr().out


def test_a_rare_sample_is_drawn_as_often_as_the_page_says():
    labels = np.zeros((1600, 2), int)
    labels[:-16, 0] = 1
    labels[-16:, 1] = 1
    expected = keras_hpa.RareLabels(labels).expected
    assert expected[-1] / expected[0] == pytest.approx((1584 / 16) ** 0.5)


@pytest.mark.usefixtures("_short_trainings")
def test_asymmetric_loss():
    # --8<-- [start:asymmetric]
    at_one_half = keras_hpa.GapNet((128, 128, 4), num_classes=28)
    at_one_half.compile("adam", keras_hpa.AsymmetricLoss(), metrics=[keras_hpa.MacroF1()])
    # --8<-- [end:asymmetric]
    assert np.isfinite(at_one_half.evaluate(np.zeros((2, 128, 128, 4)), np.ones((2, 28)), verbose=0)[0])


def test_what_goes_wrong():
    source = keras_hpa.ArraySource(np.zeros((4, 32, 32, 4), "uint8"))
    sampler = keras_hpa.RareLabels(np.eye(5))
    loss = keras_hpa.ClassBalancedCrossentropy([10, 20, 30])
    check_quoted_messages(
        "how-to/rare-classes.md",
        [
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, sampler="rare_labels")),
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, np.eye(4), sampler=sampler)),
            (ValueError, lambda: loss(np.zeros((16, 28)), np.full((16, 28), 0.5))),
            (ValueError, lambda: keras_hpa.stratified_split(np.eye(4), 0.2, groups=["one antibody"] * 4)),
        ],
    )
