import numpy as np
import pytest

from keras_hpa.evaluation import instance_average_precision


def brute_force(masks, labels, found_masks, scores, iou):
    """Object by object, pixel by pixel, threshold by threshold."""
    result = []
    for number in range(labels[0].shape[1]):
        cells, num_true = [], 0
        for mask, known, found, scored in zip(masks, labels, found_masks, scores, strict=True):
            true = {label: mask == label for label in range(1, mask.max() + 1) if (mask == label).any()}
            num_true += sum(known[label - 1, number] == 1 for label in true)
            for label in range(1, found.max() + 1):
                own = found == label
                if not own.any():
                    continue
                overlaps = {one: (own & area).sum() / (own | area).sum() for one, area in true.items()}
                partner = max(overlaps, key=overlaps.get, default=None)
                matched = partner is not None and overlaps[partner] >= iou
                hit = known[partner - 1, number] if matched else 0
                if hit >= 0:
                    cells.append((scored[label - 1, number], hit))
        if not num_true:
            result.append(np.nan)
            continue
        points = []
        for cut in sorted({score for score, _ in cells}, reverse=True):
            passed = [hit for score, hit in cells if score >= cut]
            points.append((sum(passed) / num_true, sum(passed) / len(passed)))
        area, before = 0.0, 0.0
        for place, (recall, _) in enumerate(points):
            area += (recall - before) * max(precision for _, precision in points[place:])
            before = recall
        result.append(area)
    return np.array(result)


@pytest.mark.parametrize("seed", range(6))
def test_equals_a_brute_force(seed):
    rng = np.random.default_rng(seed)
    masks, labels, found_masks, scores = [], [], [], []
    for _ in range(4):
        mask, found = np.zeros((40, 40), int), np.zeros((40, 40), int)
        for label, (top, left) in enumerate(rng.permutation([(y, x) for y in (2, 15, 28) for x in (2, 15, 28)])[:6], 1):
            mask[top : top + 10, left : left + 10] = label
            dy, dx = rng.integers(0, 3, 2)
            if rng.random() < 0.8:
                found[top + dy : top + 10, left + dx : left + 10] = 7 - label
        masks.append(mask)
        found_masks.append(found)
        labels.append(rng.choice([-1, 0, 1], (6, 4), p=[0.1, 0.5, 0.4]))
        scores.append(rng.integers(0, 8, (6, 4)) / 8)  # with ties
        labels[-1][:, 3] = 0
    for iou in (0.6, 0.75):
        expected = brute_force(masks, labels, found_masks, scores, iou)
        np.testing.assert_allclose(instance_average_precision(masks, labels, found_masks, scores, iou=iou), expected)
        assert np.isnan(expected[3])


def test_nothing_found_and_everything_found():
    mask = np.array([[1, 1, 0, 2, 2]])
    labels = [[[1, 0], [0, 1]]]
    assert instance_average_precision([mask], labels, [0 * mask], [np.zeros((0, 2))]).tolist() == [0, 0]
    assert instance_average_precision([mask], labels, [mask], labels).tolist() == [1, 1]
    assert instance_average_precision([mask], labels, [mask], [[[0, 1], [1, 0]]]).tolist() == [0.5, 0.5]


MASK, LABELS = np.array([[1, 0]]), [[1]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"iou": 0.5}, "`iou` must lie above .5"),
        ({"scores": []}, "one item for each field"),
        ({"found_masks": [np.array([[1, 0, 0]])]}, "must have the size of `masks`"),
        ({"found_masks": [np.array([[2, 0]])]}, r"`scores` must have shape \(2, num_classes\)"),
        ({"masks": [MASK * 0.5]}, "`masks` must be label images"),
        ({"labels": [[[2]]]}, "`labels` must be 1, 0 or -1"),
        ({"scores": [[[np.nan]]]}, "`scores` must be finite"),
        ({"scores": [[[0.5, 0.5]]]}, "`scores` must have 1 classes"),
    ],
)
def test_errors(arguments, message):
    given = {"masks": [MASK], "labels": [LABELS], "found_masks": [MASK], "scores": [[[0.5]]]} | arguments
    with pytest.raises(ValueError, match=message):
        instance_average_precision(**given)
