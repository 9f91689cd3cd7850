import pickle
from collections import Counter

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import ArraySource, Samples
from keras_hpa.cells import CellBags

_SIZES = {"A": 3, "B": 1, "C": 7, "D": 4, "E": 9}
_FIELDS = [field for place in range(9) for field, size in _SIZES.items() if place < size]  # none lies together


def _samples(labels="own"):
    """Cells whose pixels are all their number."""
    number = len(_FIELDS)
    images = np.broadcast_to(np.arange(number, dtype="uint8")[:, None, None, None], (number, 4, 4, 2))
    rng = np.random.default_rng(0)
    matrix = None if labels is None else rng.integers(-1, 2, (number, 3))
    return Samples(ArraySource(images), matrix, metadata={"field": _FIELDS})


def _bags(**options):
    return CellBags(_samples(), **{"bag_size": 4, "batch_size": 2, "dtype": "source", "workers": 0} | options)


def _numbers(inputs):
    """The cells of each bag, those that are there."""
    assert (inputs["cells"] == inputs["cells"][:, :, :1, :1, :1]).all()
    return [bag[there].tolist() for bag, there in zip(inputs["cells"][..., 0, 0, 0], inputs["mask"], strict=True)]


def _pass(bags):
    return [bag for index in range(len(bags)) for bag in _numbers(bags[index][0])]


def test_a_bag_of_every_field():
    bags = _bags()
    assert len(bags) == 3
    assert bags.field_ids == tuple(_SIZES)
    found = _pass(bags)
    assert [len(bag) for bag in found] == [3, 1, 4, 4, 4]
    for field, bag in zip(_SIZES, found, strict=True):
        assert len(set(bag)) == len(bag)
        assert {_FIELDS[cell] for cell in bag} == {field}
    assert [inputs["cells"].shape for inputs, _ in (bags[0], bags[2])] == [(2, 4, 4, 4, 2), (1, 4, 4, 4, 2)]


def test_empty_places_hold_the_cells_of_the_bag_again():
    inputs, _ = _bags()[0]
    assert inputs["mask"].dtype == bool
    assert inputs["cells"][..., 0, 0, 0].tolist() == [[0, 5, 9, 0], [1, 1, 1, 1]]


def test_labels():
    samples, bags = _samples(), _bags(shuffle=True, seed=3)
    seen = 0
    for index in range(len(bags)):
        inputs, labels = bags[index]
        assert {one.dtype for one in labels.values()} == {np.dtype("float32")}
        for number, bag in enumerate(_numbers(inputs)):
            own = samples.labels[[cell for cell, field in enumerate(_FIELDS) if field == _FIELDS[bag[0]]]]
            expected = [1 if 1 in column else 0 if 0 in column else -1 for column in own.T.tolist()]
            assert labels["image"][number].tolist() == expected
            of_cells = labels["cells"][number]
            np.testing.assert_array_equal(of_cells[: len(bag)], samples.labels[bag])
            assert (of_cells[len(bag) :] == -1).all()
            seen += len(bag)
    assert seen == 16
    assert {-1, 0, 1} == set(np.unique(samples.labels))


def test_shuffled_passes_draw_other_cells_evenly():
    bags = _bags(shuffle=True)
    passes = []
    for _ in range(60):
        passes.append(_pass(bags))
        bags.on_epoch_end()
    assert all(sorted({_FIELDS[bag[0]] for bag in one}) == sorted(_SIZES) for one in passes)
    assert len({tuple(_FIELDS[bag[0]] for bag in one) for one in passes}) > 20
    counts = Counter(cell for one in passes for bag in one for cell in bag)
    large = [counts[cell] for cell, field in enumerate(_FIELDS) if field == "E"]  # 4 of 9 in each pass: 26.7
    assert sum(large) == 240
    assert min(large) > 12
    assert max(large) < 42


def test_without_shuffle_every_pass_is_the_same():
    bags = _bags(seed=1)
    first = _pass(bags)
    bags.on_epoch_end()
    assert _pass(bags) == first
    assert _pass(_bags(seed=2)) != first


def test_a_batch_does_not_depend_on_calls_or_workers():
    def batch(bags, epoch, index):
        bags.epoch = epoch
        inputs, labels = bags[index]
        return [*inputs.values(), *labels.values()]

    options = {"shuffle": True, "seed": 5, "augment": lambda image, rng: image + rng.integers(100).astype("uint8")}
    here, there = _bags(**options), _bags(**options, workers=2)
    places = [(epoch, index) for epoch in range(3) for index in range(3)]
    expected = {place: batch(here, *place) for place in places}
    for place in [places[number] for number in np.random.default_rng(0).permutation(9)]:
        for one, other in zip(batch(there, *place), expected[place], strict=True):
            np.testing.assert_array_equal(one, other)
    assert not np.array_equal(expected[0, 0][0], expected[1, 0][0])


def test_without_labels():
    inputs = CellBags(_samples(labels=None), bag_size=2, workers=0)[0]
    assert sorted(inputs) == ["cells", "mask"]


def test_fields_of_ones_own():
    samples = Samples(_samples().source, np.ones((len(_FIELDS), 1)))
    bags = CellBags(samples, bag_size=30, fields=[0] * 20 + [1] * 4, workers=0)
    assert bags[0][0]["mask"].sum(axis=1).tolist() == [20, 4]


def test_in_order_reads_the_cells():
    assert _bags(shuffle=True).in_order()[0][:, 0, 0, 0].tolist() == list(range(8))
    assert "5 fields, up to 4 cells" in repr(_bags())
    with pytest.raises(ValueError, match="`sampler`"):
        keras_hpa.predict_scores(keras_hpa.GapNet((4, 4, 2), 3), _bags(dtype="float32"))


def test_fit_moves_through_the_epochs():
    samples = _samples()
    bags = CellBags(samples, bag_size=4, batch_size=2, shuffle=True, workers=1)
    cell = keras.Input((4, 4, 2))
    classifier = keras.Model(cell, keras.layers.Dense(3, "sigmoid")(keras.layers.Flatten()(cell)))
    model = keras_hpa.BagOfCells(classifier)
    loss = keras_hpa.BinaryCrossentropy()
    model.compile("adam", {"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.1})
    history = model.fit(bags, validation_data=CellBags(samples, bag_size=9, workers=0), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert np.isfinite(history.history["val_cells_loss"]).all()
    assert bags.epoch == 2


def test_processes_get_what_they_need():
    draw = pickle.loads(pickle.dumps(_bags(shuffle=True).sampler))
    np.testing.assert_array_equal(
        draw(np.random.default_rng(1), 24), _bags(shuffle=True).sampler(np.random.default_rng(1), 24)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bag_size": 0}, "`bag_size`.*0"),
        ({"batch_size": 1.5}, "`batch_size`.*1.5"),
        ({"sampler": "rare_labels"}, "`sampler` must be left out"),
        ({"shard": (0, 2)}, "`shard` must be left out"),
        ({"fields": ["A"]}, "`fields` must have one entry per cell, 24"),
        ({"augment": "mirror"}, "mirror"),
    ],
)
def test_wrong_argument_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        _bags(**options)


def test_wrong_samples_are_named():
    with pytest.raises(TypeError, match=r"`samples`.*ArraySource"):
        CellBags(_samples().source, bag_size=2)
    with pytest.raises(ValueError, match=r"`fields` must be given.*plate"):
        CellBags(Samples(_samples().source, metadata={"plate": _FIELDS}), bag_size=2)
