"""The messages of docs/tutorial.md; its code is that of examples/tutorial.py, run in tests/examples."""

from pathlib import Path

import numpy as np
import site_figures

import keras_hpa
from keras_hpa.f_beta import f_beta_per_class, mean_f_beta
from keras_hpa.files import write_json
from tests.docs.quoted_messages import check_quoted_messages


def test_what_goes_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tutorial/data").mkdir(parents=True)
    Path("tutorial/data/thesis.tex").touch()
    atlas = keras_hpa.SyntheticAtlas(2500, image_size=128)

    def save_over_another_run():
        Path("tutorial/data/thesis.tex").unlink()
        settings = {"num_samples": 140, "first_id": atlas.ids[0], "image": "uint8 of shape (48, 48, 4)", "num_test": 20}
        write_json("tutorial/data/kaggle_folder.json", "keras_hpa Kaggle folder", 1, settings | {"digest": "0"})
        atlas.save("tutorial/data", num_test=100)

    source = keras_hpa.ArraySource(np.zeros((2, 96, 96, 4), "uint8"))
    check_quoted_messages(
        "tutorial.md",
        [
            (ValueError, lambda: atlas.save("tutorial/data")),
            (ValueError, save_over_another_run),
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, image_size=(96, 96, 4))),
        ],
    )
    assert [path.name for path in Path("tutorial/data").iterdir()] == ["kaggle_folder.json"], "nothing was touched"


def test_the_last_sentence_is_that_of_the_answers_of_both_networks():
    docs = Path(__file__).parents[2] / "docs"
    page, printed = ((docs / name).read_text() for name in ("tutorial.md", "figures/tutorial_comparison.txt"))
    assert '```text\n--8<-- "docs/figures/tutorial_comparison.txt"\n```' in page
    sentence = site_figures.comparison_sentence(docs / "figures")
    assert sentence == printed.rstrip("\n")
    with np.load(docs / "figures" / "tutorial_comparison.npz") as answers:
        first, second = (
            mean_f_beta(f_beta_per_class(answers["labels"], answers[name])) for name in ("first", "second")
        )
    assert f"macro-F1 at fitted thresholds     {second:.3f}\n" in page
    assert sentence.startswith(f"macro F1 is {second:.3f} against {first:.3f}: ")
    assert "the second model is better" in sentence
