"""Feeds drawn inputs to a subject: each is answered rightly, or refused by an error of ours."""

import faulthandler
import re
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_hpa

_SECONDS_FOR_ONE = 30
_MOST_FAILURES = 20
_PACKAGE = str(Path(keras_hpa.__file__).parent)


def inputs(number: int) -> Any:
    """Marks a test that `make soak` runs with so many inputs, and any other run with the first hundredth of them."""
    return pytest.mark.parametrize("number", [number // 100, pytest.param(number, marks=pytest.mark.soak)])


def feed(subject: Callable[..., None], number: int, *arguments: Any) -> None:
    """Feeds inputs 0 to `number - 1`; some must be answered and some refused.

    A subject draws an input from a generator, and asserts that what comes of it is right. The generator is a function
    of the subject's name and the input's number, so `feed_one(subject, number, ...)` repeats a failure.
    """
    outcomes: Counter[str] = Counter()
    failures = []
    for one in range(number):
        try:
            outcomes[feed_one(subject, one, *arguments)] += 1
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            failures.append(f"{subject.__name__} {one}: {error!r:.600} at {where.filename}:{where.lineno}")
            if len(failures) == _MOST_FAILURES:
                break
    assert not failures, "\n".join(failures)
    assert min(outcomes["answered"], outcomes["refused"]) > number / 50, outcomes


def feed_one(subject: Callable[..., None], number: int, *arguments: Any) -> str:
    rng = np.random.default_rng([*subject.__name__.encode(), number])
    try:
        with _limit_of_time():
            subject(rng, *arguments)
    except (ValueError, TypeError, LookupError) as error:
        if not _is_refusal(error):
            raise
        return "refused"
    return "answered"


def _is_refusal(error: Exception) -> bool:
    """Whether our own code raised the error and says what it was given."""
    *_, raised = traceback.extract_tb(error.__traceback__)
    return raised.filename.startswith(_PACKAGE) and re.search(r"Received: \S|^.?Cannot read", str(error)) is not None


@contextmanager
def _limit_of_time() -> Iterator[None]:
    """What hangs in Python fails; what hangs in a library's own code ends the process."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"no answer within {_SECONDS_FOR_ONE} seconds")

    faulthandler.dump_traceback_later(2 * _SECONDS_FOR_ONE, exit=True)
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, stop)
        signal.alarm(_SECONDS_FOR_ONE)
    try:
        yield
    finally:
        if hasattr(signal, "SIGALRM"):
            signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
