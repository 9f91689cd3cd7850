"""Claims of docs/report.md that no other test holds."""

import csv

import numpy as np
import pytest

import keras_hpa

RARE = [keras_hpa.atlas.CLASS_NAMES.index(name) for name in ("Rods & rings", "Microtubule ends")]


@pytest.mark.real_data
@pytest.mark.parametrize(("share", "in_tail", "in_stratified"), [(0.2, [1, 2], [2, 4]), (0.1, [0, 2], [1, 2])])
def test_the_tail_of_the_table_lacks_rare_classes(real_data, share, in_tail, in_stratified):
    with open(real_data / "labels" / "train.csv") as file:
        labels = keras_hpa.parse_labels([row["Target"] for row in csv.DictReader(file)], 28)
    tail = labels[int((1 - share) * len(labels)) :]
    np.testing.assert_array_equal(tail.sum(axis=0)[RARE], in_tail)
    _, validation = keras_hpa.stratified_split(labels, share)
    np.testing.assert_array_equal(labels[validation].sum(axis=0)[RARE], in_stratified)
