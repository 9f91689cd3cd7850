"""What a random split pretends where several fields show one antibody.

    python benchmarks/antibody_leak.py                  an untrained network
    python benchmarks/antibody_leak.py --weights FILE   one that was trained

Fields are drawn, three of each antibody, and embedded. A field is scored by its ten nearest neighbours, or by a
logistic regression: once by any other fields, once by fields of other antibodies. Macro average precision over the
classes.
"""

import argparse
from collections.abc import Sequence

import keras
import numpy as np
from sklearn.metrics import average_precision_score
from trials import with_error

import keras_hpa
from keras_hpa.evaluation import probe_scores

_SIZE = 128  # pixels a side


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--antibodies", type=int, default=300)
    parser.add_argument("--fields", type=int, default=3, help="of each antibody")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--weights", help="of GapNet; none: random")
    args = parser.parse_args(argv)
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(args.seeds):
        keras.utils.set_random_seed(seed)
        samples = keras_hpa.SyntheticAtlas(
            args.antibodies * args.fields,
            image_size=_SIZE,
            seed=seed,
            balance="uniform",
            fields_per_antibody=args.fields,
        ).samples
        assert samples.labels is not None
        model = keras_hpa.GapNet((_SIZE, _SIZE, 4), samples.labels.shape[1], weights=args.weights, input_dtype="uint8")
        embeddings = np.asarray(keras_hpa.embed(model, samples, verbose=0))
        for method in ("neighbors", "linear"):
            for split, groups in (("random", None), ("by antibody", samples.groups)):
                scores = probe_scores(embeddings, samples.labels, groups=groups, method=method)
                precision = average_precision_score(samples.labels, scores, average="macro")
                found.setdefault((method, split), []).append(float(precision))
    print(
        f"{args.antibodies} antibodies of {args.fields} fields, {args.seeds} seeds", "random", "by antibody", sep=" | "
    )
    for method in ("neighbors", "linear"):
        print(method, *(with_error(found[method, split]) for split in ("random", "by antibody")), sep=" | ")


if __name__ == "__main__":
    main()
