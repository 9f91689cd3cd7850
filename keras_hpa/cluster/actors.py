"""Work in blocks, done by actors that may die.

Ray places actors and starts them; which of them does which block is settled here, because Ray Data, which would do so
too, either repeats a block that kills its actor for ever or gives up when an actor is begun again.
"""

import math
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from keras_hpa.data import needs

_MOST_TRIES = 6
"""How many actors a block, or loading the model, may take with it."""


@contextmanager
def ray_running(address: str | None, num_cpus: float) -> Iterator[Any]:
    """Gives Ray: as it runs, connected to a cluster, or begun on this machine and ended again.

    Args:
        address: of a cluster.
        num_cpus: how many the actors want; on this machine they share those that there are.
    """
    ray = needs("ray", "`cluster` runs on Ray", extra="ray")
    if ray.is_initialized():
        running = ray.get_runtime_context().gcs_address
        if address not in (None, "auto", running):
            raise ValueError(f"`address` must be left out where Ray runs, at {running!r}. Received: {address!r}")
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        ray.init(address=address)
    else:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # tells nobody
        cores = max(os.cpu_count() or 1, math.ceil(num_cpus))
        ray.init(address="local", num_cpus=cores, include_dashboard=False, log_to_driver=False, logging_level="warning")
    try:
        yield ray
    finally:
        ray.shutdown()


def run_blocks(
    ray: Any, actor_class: type, arguments: Sequence[Any], blocks: Sequence[int], num_actors: int, **resources: float
) -> Iterator[Any]:
    """Gives `actor.score(block)` of each block, as it is done.

    Where an actor dies, another one takes its place and does its block again.

    Args:
        ray: Ray, running.
        actor_class: has methods `load()` and `score(block)`.
        arguments: of its constructor.
        blocks: the blocks to do.
        num_actors: how many work at a time, at most.
        resources: what each needs, as Ray names it.

    Raises:
        Exception: what `load` or `score` raised, as it is.
        RuntimeError: if a block, or `load`, ended an actor several times.
    """
    remote = ray.remote(actor_class).options(max_restarts=0, max_task_retries=0, **resources)
    left, deaths = deque(blocks), Counter[int | None]()
    busy: dict[Any, tuple[Any, int | None]] = {}

    def begin() -> None:
        actor = remote.remote(*arguments)
        busy[actor.load.remote()] = actor, None  # an actor gets a block once it is there, however long that takes

    try:
        for _ in range(min(num_actors, len(left))):
            begin()
        while left or any(block is not None for _, block in busy.values()):
            (done,), _ = ray.wait(list(busy), num_returns=1)
            actor, block = busy.pop(done)
            try:
                result = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                cause = error.cause if isinstance(error.cause, Exception) else error
                cause.add_note(f"In an actor of Ray:\n{error}")
                raise cause from None
            except ray.exceptions.RayError as error:
                deaths[block] += 1
                if deaths[block] == _MOST_TRIES:
                    what = "loading the model" if block is None else f"block {block}"
                    raise RuntimeError(
                        f"An actor must outlive {what}; look at its memory, `num_cpus` and `batch_size`. "
                        f"Received: {_MOST_TRIES} actors that died. Finished blocks are kept. The last one: {error}"
                    ) from error
                if block is not None:
                    left.appendleft(block)
                begin()
                continue
            deaths.pop(block, None)
            if block is not None:
                yield result
            if left:
                block = left.popleft()
                busy[actor.score.remote(block)] = actor, block
            else:
                ray.kill(actor)
    finally:
        for actor, _ in busy.values():
            ray.kill(actor)
