from pathlib import Path

import keras
import numpy as np

import keras_hpa


def page(name):
    return (Path(__file__).parents[2] / "docs" / "explanation" / f"{name}.md").read_text()


# What the pages print is held to what they show: docs/explanation/*.md.
def test_batch_averaged_f1(capsys):
    # --8<-- [start:perfect]
    labels = keras_hpa.SyntheticAtlas(31072).labels.astype("float32")  # label sets as often as in the challenge
    for batch_size in (32, 256):
        logged, exact = keras_hpa.BatchMacroF1(), keras_hpa.MacroF1()
        for start in range(0, len(labels), batch_size):
            batch = labels[start : start + batch_size]
            logged.update_state(batch, batch)  # a perfect predictor
            exact.update_state(batch, batch)
        print(f"batches of {batch_size}: {float(logged.result()):.3f}, exact {float(exact.result()):.3f}")
    # --8<-- [end:perfect]
    assert capsys.readouterr().out in page("batch-averaged-f1")


def test_thresholds_over_fit(capsys):
    # --8<-- [start:overfit]
    def draw(rng, num_samples, num_positives):
        labels = np.zeros((num_samples, 1), int)
        labels[:num_positives] = 1
        logits = rng.normal(size=(num_samples, 1)) + 2.5 * labels - 3
        return 1 / (1 + np.exp(-logits)), labels

    rng = np.random.default_rng(0)
    new = draw(rng, 100_000, 2000)  # what the class is really like: 2 % of the samples
    for num_positives in (5, 20, 100, 500):
        found, held = [], []
        for _ in range(50):
            scores, labels = draw(rng, 50 * num_positives, num_positives)
            calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit(scores, labels)
            found.append(calibrator.f_beta_[0])
            held.append(calibrator.score(*new))
        print(f"{num_positives:4} positives: F1 {np.mean(found):.3f} where found, {np.mean(held):.3f} on new data")
    # --8<-- [end:overfit]
    assert capsys.readouterr().out in page("thresholds-over-fit")


def test_what_keras_does_to_a_pydataset(capsys):
    # --8<-- [start:calls]
    class Watched(keras.utils.PyDataset):
        def __init__(self):
            super().__init__()
            self.calls = []

        def __len__(self):
            return 4

        def __getitem__(self, index):
            self.calls.append(index)
            return np.zeros((2, 1)), np.zeros((2, 1))

        def on_epoch_end(self):
            self.calls.append("end")

    watched = Watched()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(watched, epochs=1, shuffle=False, verbose=0)
    print(watched.calls)
    # --8<-- [end:calls]
    assert capsys.readouterr().out in page("pydataset")


def test_order_is_the_sequences_alone(capsys):
    # --8<-- [start:sequence]
    source = keras_hpa.ArraySource(np.arange(8, dtype="uint8").reshape(8, 1, 1, 1))
    sequence = keras_hpa.MultiChannelSequence(source, np.arange(8), batch_size=2, shuffle=True, seed=0)
    print([sequence[number][1].tolist() for number in range(4)])
    sequence.epoch = 1
    print([sequence[number][1].tolist() for number in range(4)])
    # --8<-- [end:sequence]
    assert capsys.readouterr().out in page("pydataset")
