"""Runs the program of README.md as it is written, and says how far its validation lags behind its training.

    python benchmarks/readme_program.py --seeds 0 1 2

After every epoch it prints macro-F1 on the validation samples as `fit` logs it, and what the same weights score once
`reestimate_batch_norm` has taken their statistics again from 40 batches; the statistics are then put back. At the end:
macro-F1 at thresholds that were fitted on other samples (`cross_fit`), and how long the program ran without what was
added here. The drawings of the first seed serve the others too.
"""

import argparse
import os
import re
import time
from pathlib import Path

import keras

import keras_hpa

README = Path(__file__).resolve().parents[1] / "README.md"


class Lag(keras.callbacks.Callback):
    """Macro-F1 of every epoch: in training, in validation, with statistics taken again; and what the last took."""

    def __init__(self, training, validation):
        super().__init__()
        self.training, self.validation = training, validation
        self.rows, self.seconds = [], 0.0

    def on_epoch_end(self, epoch, logs=None):
        start, weights = time.perf_counter(), self.model.get_weights()
        keras_hpa.reestimate_batch_norm(self.model, self.training, steps=40)
        again = self.model.evaluate(self.validation, return_dict=True, verbose=0)["macro_f1"]
        self.model.set_weights(weights)
        self.rows.append((logs["macro_f1"], logs["val_macro_f1"], again))
        self.seconds += time.perf_counter() - start
        print(f"| {epoch + 1} | {' | '.join(f'{value:.3f}' for value in self.rows[-1])} |", flush=True)


def run(code: str) -> tuple[list[tuple[float, float, float]], float, float]:
    """Runs the program in the current folder: the rows of `Lag`, the cross-fitted macro-F1, and seconds."""
    before_fit, fit, after_fit = re.split(r"^(model\.fit\(.*\n)", code, flags=re.MULTILINE)
    names: dict = {}
    start = time.perf_counter()
    exec(before_fit, names)
    names["lag"] = Lag(names["train_batches"], names["validation_batches"])
    exec(fit.replace("callbacks=[", "callbacks=[lag, "), names)
    exec(after_fit, names)
    seconds = time.perf_counter() - start - names["lag"].seconds
    return names["lag"].rows, keras_hpa.cross_fit("auto", names["scores"], names["validation"].labels), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument(
        "--replace", nargs="*", default=(), metavar="OLD=>NEW", help="changes of the program, to try them"
    )
    parser.add_argument("--folder", type=Path, default=Path("readme_program"), help="where the program runs")
    args = parser.parse_args()
    [code] = re.findall(r"```python\n(.*?)```", args.readme.read_text(encoding="utf-8"), re.DOTALL)
    for change in args.replace:
        old, new = change.split("=>")
        assert old in code, old
        code = code.replace(old, new)
    args.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(args.folder)
    for seed in args.seeds:
        print(f"\nseed {seed}\n\n| epoch | training | validation | statistics taken again |\n| --- | --- | --- | --- |")
        keras.utils.set_random_seed(seed)
        rows, cross_fitted, seconds = run(code)
        largest = max(abs(shown - again) for _, shown, again in rows[2:])
        print(
            f"\nlargest lag from the third epoch on {largest:.3f}, cross-fitted {cross_fitted:.3f}, {seconds:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
