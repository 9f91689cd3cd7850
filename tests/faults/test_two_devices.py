"""One model on two devices gives what it gives on one; batches that do not divide can be left out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence, Samples, predict_scores


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def values(request):
    pytest.importorskip(request.param)
    script = Path(__file__).with_name("read_on_two_devices.py")
    environment = os.environ | {"KERAS_BACKEND": request.param, "PYTHONPATH": str(script.parents[2])}
    output = subprocess.run([sys.executable, script], env=environment, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output.splitlines()[-1])


@pytest.mark.slow
def test_scores_are_those_of_one_device(values):
    assert values["scores"] < 1e-5
    assert values["averaged"] < 1e-5


@pytest.mark.slow
def test_batches_that_divide_are_trained_on_and_evaluated(values):
    assert values["lengths"] == [4] * 5
    assert values["losses"] == [True, True]
    assert values["macro_f1"][0] == pytest.approx(values["macro_f1"][1], abs=1e-6)


@pytest.mark.slow
def test_a_short_last_batch_is_validated_all_the_same(values):
    assert values["cross_fitted"][0] == pytest.approx(values["cross_fitted"][1], abs=1e-6)


_SOURCE = ArraySource(np.arange(23 * 4, dtype="uint8").reshape(23, 2, 2, 1))


def _ids(batches):
    return [tuple(batch[:, 0, 0, 0].tolist()) for batch in batches]


def test_no_batch_of_any_pass_is_short_and_every_sample_is_seen():
    sequence = MultiChannelSequence(
        _SOURCE, batch_size=4, shuffle=True, drop_remainder=True, dtype="source", batches_per_epoch=3
    )
    assert sequence.batches_per_pass == 5
    batches = _ids(_epochs(sequence, 5))
    assert {len(batch) for batch in batches} == {4}
    first, second, third = (sum(batches[start : start + 5], ()) for start in (0, 5, 10))
    assert len(set(first)) == len(set(second)) == len(set(third)) == 20
    assert len({*first, *second, *third}) == 23


def _epochs(sequence, count):
    for epoch in range(count):
        sequence.epoch = epoch
        yield from (sequence[index] for index in range(len(sequence)))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_have_as_many_whole_batches_each(count):
    shards = [
        MultiChannelSequence(
            _SOURCE, batch_size=4, shuffle=True, drop_remainder=True, shard=(index, count), dtype="source"
        )
        for index in range(count)
    ]
    assert [len(shard) for shard in shards] == [23 // count // 4] * count
    batches = [batch for shard in shards for batch in _ids(shard)]
    assert {len(batch) for batch in batches} == {4}
    assert len(set(sum(batches, ()))) == 4 * len(batches)


def test_a_pass_without_a_whole_batch_is_refused():
    with pytest.raises(ValueError, match=r"`drop_remainder` must leave a batch.*batches of 24 of 23 samples"):
        MultiChannelSequence(_SOURCE, batch_size=24, drop_remainder=True)


def test_without_the_option_no_sample_is_left_out():
    assert [len(batch) for batch in MultiChannelSequence(_SOURCE, batch_size=4)] == [4, 4, 4, 4, 4, 3]
    assert len(Samples(_SOURCE).batches(batch_size=4, drop_remainder=True)) == 5


def test_scores_are_of_all_samples_although_a_batch_is_left_out():
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    sequence = MultiChannelSequence(_SOURCE, batch_size=4, drop_remainder=True)
    assert predict_scores(model, sequence, verbose=0).shape == (23, 2)
