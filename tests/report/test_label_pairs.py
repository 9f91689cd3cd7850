import numpy as np

from keras_hpa.report.label_pairs import count_pairs


def test_pairs_are_counted_as_by_hand():
    labels, predicted = np.random.default_rng(0).integers(0, 2, (2, 30, 4))
    true, found = count_pairs(labels, predicted)
    for one in range(4):
        for other in range(4):
            assert true[one, other] == sum(a and b for a, b in labels[:, [one, other]])
            assert found[one, other] == sum(a and b for a, b in predicted[:, [one, other]])
