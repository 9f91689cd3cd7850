"""What do the scores of a field add to those of its cells, and which pooling of cells tells most about fields?

    python benchmarks/cell_scores.py

Drawings of SyntheticAtlas in which three cells in ten are negative and each other cell shows one of the classes of its
field. A logistic regression on intensities and textures of single cells is trained on the labels of fields, as if every
cell showed them. Its cell scores are pooled to scores of fields, and these blended into those of cells. Mean average
precision over the classes with ten cells or more among those of the judged fields, whose true classes the atlas tells.

Prints two Markdown tables.
"""

import argparse
import itertools

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_hpa import SyntheticAtlas
from keras_hpa.cells import CellCrops, blend_scores, pool_scores

_BLENDS = (("mean", 0.1), ("mean", 0.5), ("product", 0.1), ("product", 0.3), ("product", 0.5), ("product", 0.7))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, default=280, help="drawn fields, half of them to train on")
    parser.add_argument("--seed", type=int, default=0, help="of the drawings")
    args = parser.parse_args()

    drawn = SyntheticAtlas(args.fields, image_size=256, balance="uniform", mixed=0.3, seed=args.seed)
    nuclei, masks = zip(*(drawn.cell_labels(index) for index in range(args.fields)), strict=True)
    masks = [np.where(np.isin(mask, nucleus), mask, 0) for nucleus, mask in zip(nuclei, masks, strict=True)]
    crops = CellCrops(drawn.samples, list(masks), size=96, pieces="largest")
    places = [drawn.ids.index(field) for field in crops.metadata["field"]]
    labels = [drawn.cell_classes(index) for index in range(args.fields)]
    true = np.stack([labels[place][cell - 1] for place, cell in zip(places, crops.metadata["cell"], strict=True)])
    values = np.stack([features(crops.read(index), crops.mask(index)) for index in range(len(crops))])
    trained = np.array(places) < args.fields // 2
    judged = np.flatnonzero(~trained)
    cells, true = crops[judged], true[judged]
    classes = np.flatnonzero(true.sum(axis=0) >= 10)
    scores = np.zeros((len(judged), len(classes)))
    for column, class_id in enumerate(classes):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        model.fit(values[trained], drawn.labels[places][trained, class_id])
        scores[:, column] = model.predict_proba(values[judged])[:, 1]
    true = true[:, classes]
    print(f"{len(judged)} cells of {len(set(cells.metadata['field']))} fields judged, {len(classes)} classes\n")

    print("| field from cells | mAP of fields |\n| --- | --- |")
    for how in ("max", "mean", "noisy_or"):
        pooled = pool_scores(cells, scores, how=how)
        of_fields = np.stack([drawn.labels[drawn.ids.index(field)] for field in pooled])[:, classes]
        print(f"| `{how}` | {mean_precision(of_fields, np.stack(list(pooled.values()))):.3f} |")
    print("\n| cells from field | field: max | field: mean | field: noisy_or |\n| --- | --- | --- | --- |")
    print(f"| cells alone | {mean_precision(true, scores):.3f} | | |")
    pooled = {how: pool_scores(cells, scores, how=how) for how in ("max", "mean", "noisy_or")}
    for how, share in _BLENDS:
        reached = [
            mean_precision(true, blend_scores(cells, scores, of_fields, how=how, field_share=share))
            for of_fields in pooled.values()
        ]
        print(f"| `{how}`, `field_share={share}` | " + " | ".join(f"{one:.3f}" for one in reached) + " |")


def features(crop: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Of the protein of one cell: how bright, where beside the other stains, and how fine."""
    picture = crop.astype(np.float32)
    red, green, blue, yellow = (picture[..., channel][mask] for channel in range(4))
    bright = np.quantile(green, [0.1, 0.5, 0.9, 0.99]) / max(float(green.mean()), 1.0)
    alike = [np.corrcoef(green, other)[0, 1] if other.std() and green.std() else 0.0 for other in (red, blue, yellow)]
    protein = picture[..., 1]
    bands = [cv2.GaussianBlur(protein, (0, 0), sigma) for sigma in (0.5, 1, 2, 4, 8)]
    texture = [np.std((fine - rough)[mask]) / max(green.std(), 1.0) for fine, rough in itertools.pairwise(bands)]
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1][mask]
    where = np.corrcoef(green, depth)[0, 1] if green.std() and depth.std() else 0.0
    inner = green[blue >= (blue.min() + blue.max()) / 2].mean() / max(float(green.mean()), 1.0)
    return np.nan_to_num([*bright, *alike, *texture, where, inner, green.mean(), green.std(), mask.sum()])


def mean_precision(true: np.ndarray, scores: np.ndarray) -> float:
    return float(np.mean([average_precision_score(true[:, one], scores[:, one]) for one in range(true.shape[1])]))


if __name__ == "__main__":
    main()
