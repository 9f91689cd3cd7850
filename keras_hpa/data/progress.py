"""How far a loop over samples has come, in one line on standard output."""

import sys
import time

_INTERVAL = 0.5  # seconds


class Progress:
    """Says how many samples are done, and how long the others will take.

    Keras has a bar for this, but nothing that only reads and writes files should wait for Keras and its backend.

    Args:
        num_samples: how many there are.
        verbose: 0 says nothing.
        about: what else the line says.
    """

    def __init__(self, num_samples: int, verbose: int, *, about: str = ""):
        self.num_samples = num_samples
        self.verbose = verbose
        self.about = about and f", {about}"
        self._first: tuple[float, int] | None = None  # when the first update came, and how many were done before it
        self._next = 0.0

    def update(self, done: int) -> None:
        """Says that so many samples are done."""
        now, is_last = time.monotonic(), done == self.num_samples
        began, before = self._first = self._first or (now, done)
        if not self.verbose or sys.stdout is None or (now < self._next and not is_last):
            return
        self._next = now + _INTERVAL
        seconds = now - began
        left = 0.0 if is_last else seconds * (self.num_samples - done) / max(done - before, 1)
        time_said = f"{seconds:.0f} s" if is_last else f"about {left:.0f} s left"
        line = f"{done}/{self.num_samples} samples, {time_said}{self.about}"
        sys.stdout.write(f"\r{line:<79}" + "\n" * is_last)
        sys.stdout.flush()
