"""Reading in threads, and how they end with the interpreter."""

import pytest

from keras_hpa.data.worker_pool import WorkerPool


def test_tasks_are_done_in_turn_and_an_error_is_the_tasks():
    pool = WorkerPool(1)
    done = []
    futures = [pool.submit(done.append, number) for number in range(20)]
    failing = pool.submit(int, "x")
    for future in futures:
        future.result(timeout=10)
    assert done == [*range(20)]
    with pytest.raises(ValueError, match="invalid literal"):
        failing.result(timeout=10)
    assert pool.submit(int, "3").result(timeout=10) == 3
