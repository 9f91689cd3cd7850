"""Blocks are done whatever actors die of; what they raise comes as it is."""

import os
import signal
from collections import Counter

import pytest

from keras_hpa.cluster.actors import run_blocks


class _Actor:
    """Kills itself as often as a file of the folder says, block by block."""

    def __init__(self, folder, deaths):
        self.folder, self.deaths = folder, deaths

    def load(self):
        self._die("load")

    def score(self, block):
        if block == "wrong":
            raise FileNotFoundError(2, "No such file", "a.png")
        self._die(block)
        return block, os.getpid()

    def _die(self, name):
        for number in range(self.deaths.get(name, 0)):
            try:
                (self.folder / f"{name} {number}").mkdir()
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)


def _run(ray, folder, deaths, blocks, num_actors=2):
    return list(run_blocks(ray, _Actor, (folder, deaths), blocks, num_actors, num_cpus=1))


def test_each_block_is_done_once_by_actors_that_die_and_are_replaced(ray, tmp_path):
    done = _run(ray, tmp_path, {"load": 1, 3: 2, 7: 1}, range(20))
    assert Counter(block for block, _ in done) == Counter(range(20))
    assert len(list(tmp_path.iterdir())) == 4
    assert 2 <= len({process for _, process in done}) <= 6


def test_more_actors_than_there_are_processors_wait_for_their_turn(ray, tmp_path):
    done = _run(ray, tmp_path, {}, range(9), num_actors=5)
    assert sorted(block for block, _ in done) == list(range(9))


def test_a_block_that_kills_every_actor_ends_the_run(ray, tmp_path):
    done = []
    with pytest.raises(RuntimeError, match=r"must outlive block 1; .*Received: 6 actors that died\. Finished blocks"):
        done += run_blocks(ray, _Actor, (tmp_path, {1: 99}), range(5), 1, num_cpus=1)
    assert len(list(tmp_path.iterdir())) == 6


def test_a_model_that_kills_every_actor_ends_the_run(ray, tmp_path):
    with pytest.raises(RuntimeError, match="must outlive loading the model"):
        _run(ray, tmp_path, {"load": 99}, range(5), num_actors=1)


def test_an_error_is_what_was_raised(ray, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No such file.*a\.png") as caught:
        _run(ray, tmp_path, {}, ["wrong"])
    assert "In an actor of Ray" in caught.value.__notes__[0]
    assert caught.value.errno == 2
