import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hpa import SymmetricLovaszHinge
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 2, 7]), st.integers(0, 10_000))
def test_is_the_lovasz_extension_of_the_jaccard_loss(rows, seed):
    rng = np.random.default_rng(seed)
    labels, logits = rng.integers(0, 2, (rows, 2)), rng.normal(size=(rows, 2))
    expected = np.mean([_lovasz(labels[:, c], logits[:, c]) for c in range(2)])
    loss = SymmetricLovaszHinge(from_logits=True)
    assert float(loss(labels, logits)) == pytest.approx(expected, abs=1e-5)


def test_at_unit_margins_it_is_the_jaccard_loss_itself():
    combinations = np.array(list(itertools.product([False, True], repeat=8)))  # one class for each
    labels, predicted = combinations[:, :4].T, combinations[:, 4:].T
    # A wrong prediction at a logit of 0 errs by 1, a right one at 1 or -1 by nothing.
    logits = np.where(labels == predicted, np.where(labels, 1.0, -1.0), 0.0)
    per_class = SymmetricLovaszHinge(from_logits=True).call(
        keras.ops.convert_to_tensor(labels, "float32"), keras.ops.convert_to_tensor(logits, "float32")
    )
    expected = [(_jaccard_loss(y, p) + _jaccard_loss(~y, ~p)) / 2 for y, p in zip(labels.T, predicted.T, strict=True)]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(per_class), expected, atol=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_gradient(from_logits):
    rng = np.random.default_rng(0)
    labels, logits = rng.integers(0, 2, (6, 3)).astype("float64"), rng.normal(size=(6, 3))
    labels[:, 2] = 0

    def reference(inputs):
        z = inputs if from_logits else np.log(inputs / (1 - inputs))
        return np.mean([_lovasz(labels[:, c], z[:, c]) for c in range(3)])

    loss = SymmetricLovaszHinge(from_logits=from_logits)
    inputs = logits if from_logits else 1 / (1 + np.exp(-logits))
    gradient = check_gradient(loss, reference, labels, inputs, atol=1e-4)
    assert (gradient[:, 2] > 0).any()


def test_smoothing_counts_a_sample_as_part_opposite():
    """With a smoothing of 1/2 three quarters of a label stand against one quarter: four copies, one of them flipped."""
    rng = np.random.default_rng(1)
    labels, logits = rng.integers(0, 2, (5, 2)), rng.normal(size=(5, 2))
    copies = np.vstack([labels, labels, labels, 1 - labels]), np.vstack([logits] * 4)
    expected = float(SymmetricLovaszHinge(from_logits=True)(*copies))
    smoothed = SymmetricLovaszHinge(from_logits=True, label_smoothing=0.5)
    assert float(smoothed(labels, logits)) == pytest.approx(expected, abs=1e-5)


def test_arguments():
    check_registration(SymmetricLovaszHinge)
    arguments = {"from_logits": True, "label_smoothing": 0.1, "name": "other", "dtype": "float16"}
    check_constructor_arguments(SymmetricLovaszHinge, arguments)


def _lovasz(labels, logits):
    """The extension from its definition: errors in falling order, each times what the set function gains by it."""
    labels = labels > 0
    errors = np.maximum(1 - logits * np.where(labels, 1, -1), 0)
    total = 0.0
    for present in (labels, ~labels):
        wrong, before = np.zeros(len(labels), bool), 0.0
        for index in np.argsort(-errors):
            wrong[index] = True
            after = _jaccard_loss(present, present ^ wrong)
            total += errors[index] * (after - before)
            before = after
    return total / 2


def _jaccard_loss(present, predicted):
    union = (present | predicted).sum()
    return 1 - (present & predicted).sum() / union if union else 0.0
