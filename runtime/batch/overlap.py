"""Stages that overlap: while one item is in the second stage, the next is in the first."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Stage = Callable[[Any], Any]


def overlapped(
    items: Iterable[Any], stages: Sequence[Stage], *, in_flight: int
) -> Generator[Any, None, None]:
    """Send each item through all stages, every stage in a thread of its own, and yield the results in order.

    A new item is taken only when fewer than `in_flight` are under way or wait to be fetched, so that memory
    is bounded, however many items there are. An exception in a stage is raised here, in place of that
    item's result, and ends the rest. When the generator is closed or an exception passes through it, items
    that wait are dropped, and the stages' present calls are waited for.

    Parameters
    ----------
    items : iterable
        What the first stage takes; drawn from in the caller's thread.
    stages : sequence of callables
        Each takes what the one before returned.
    in_flight : int
        How many items may be under way at once; less than the number of stages leaves some idle.

    Yields
    ------
    object
        What the last stage returned, in the order of `items`.
    """
    pools = [ThreadPoolExecutor(1, thread_name_prefix=f"stage-{number}") for number in range(len(stages))]
    under_way: deque[Future[Any]] = deque()
    try:
        for item in items:
            if len(under_way) >= in_flight:
                yield under_way.popleft().result()
            under_way.append(_launched(item, stages, pools))
        while under_way:
            yield under_way.popleft().result()
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in pools:
            pool.shutdown()


def _launched(item: Any, stages: Sequence[Stage], pools: Sequence[ThreadPoolExecutor]) -> Future[Any]:
    future = pools[0].submit(stages[0], item)
    for stage, pool in zip(stages[1:], pools[1:], strict=True):
        future = pool.submit(_continued, stage, future)
    return future


def _continued(stage: Stage, previous: Future[Any]) -> Any:
    return stage(previous.result())
