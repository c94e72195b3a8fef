"""A pipeline of stages, each in its own thread; items leave in the order in which they came.

Both the frames of a stream and the images of `retina-run` pass through it.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from time import monotonic
from typing import Generic, TypeVar

Item = TypeVar("Item")


class StageThreads(Generic[Item]):
    """Sends items through stages, each in its own thread, and returns them in order.

    A stage takes an item when the next stage has taken the previous one, so each stage holds at most one.
    Besides these, `room` items may wait before the first stage. The threads end when all items are through,
    or early by `stop`. They refer to this object, which does not refer to its users.

    Parameters
    ----------
    stages : sequence of (name, callable)
        Each callable receives the item and changes it. An exception ends its thread: later items are lost,
        earlier ones still come out.
    room : int
        How many items may wait before the first stage.
    drop_oldest : bool
        Whether `put` drops the item that has waited longest when there is no room; otherwise it waits.
    changed : callable, optional
        Called in any thread when there may be room again, a result, or the end.

    Attributes
    ----------
    received, dropped : int
        Numbers of items that were taken in, and of those that were dropped.
    """

    def __init__(
        self,
        stages: Sequence[tuple[str, Callable[[Item], None]]],
        *,
        room: int,
        drop_oldest: bool,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self.received = 0
        self.dropped = 0
        self._room = room
        self._drop_oldest = drop_oldest
        self._changed = changed or _nothing
        # Worker 0 puts items in, worker k is stage k, the last worker gets them out. Worker k fills place k
        # and empties place k - 1, and sleeps on its own condition. The lock is reentrant, because the
        # garbage collector may call `stop` in a thread that holds it.
        lock = threading.RLock()
        self._wake = [threading.Condition(lock) for _ in range(len(stages) + 2)]
        self._places: list[deque[Item]] = [deque() for _ in range(len(stages) + 1)]
        self._no_more = [False] * len(self._places)  # nothing new comes into this place
        self._dead = 0  # the last stage whose thread died: nobody takes what those before it do
        self._failure: BaseException | None = None
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._work, args=(worker, stage), name=name, daemon=True)
            for worker, (name, stage) in enumerate(stages, start=1)
        ]
        self._running = len(self._threads)
        for thread in self._threads:
            thread.start()

    @property
    def ended(self) -> bool:
        """Whether all threads have ended."""
        return self._running == 0

    def put(self, item: Item, *, wait: bool = True) -> bool:
        """Take an item in; return False if the pipeline has ended or failed.

        Raises
        ------
        queue.Full
            If there is no room and `wait` is False.
        """
        place = self._places[0]
        with self._wake[0]:
            while not (self._stopped or self._dead or self._no_more[0]):
                if len(place) >= self._room and self._drop_oldest:
                    place.popleft()
                    self.dropped += 1
                if len(place) < self._room:
                    self.received += 1
                    place.append(item)
                    self._wake[1].notify()
                    return True
                if not wait:
                    raise queue.Full
                self._wake[0].wait()
        return False

    def get(self, *, wait: bool = True) -> Item | None:
        """Return the next finished item, or None after the last.

        Raises
        ------
        queue.Empty
            If none is ready and `wait` is False.
        BaseException
            Once, after the last item: the exception that ended a thread or was passed to `finish`.
        """
        place = self._places[-1]
        with self._wake[-1]:
            while not self._stopped:
                if place:
                    item = place.popleft()
                    self._wake[-2].notify()
                    return item
                if self._no_more[-1]:
                    failure = self._failure
                    self.stop()
                    if failure is not None:
                        raise failure
                    break
                if not wait:
                    raise queue.Empty
                self._wake[-1].wait()
        return None

    def finish(self, failure: BaseException | None = None) -> None:
        """Take no more items in; after the last, `get` raises `failure` or returns None."""
        with self._wake[0]:
            self._no_more[0] = True
            self._failure = self._failure or failure
            self._wake_all()

    def stop(self) -> None:
        """Drop all items, and end the threads after their current call."""
        with self._wake[0]:
            self._stopped = True
            self._failure = None
            self._wake_all()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the threads have ended, at most `timeout` seconds; the caller may be one of them."""
        latest = None if timeout is None else monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(None if latest is None else max(0.0, latest - monotonic()))

    def _work(self, worker: int, stage: Callable[[Item], None]) -> None:
        try:
            while (item := self._take(worker)) is not None:
                stage(item)
                self._give(worker, item)
        except BaseException as error:  # the consumer of the items gets it
            self._die(worker, error)
        with self._wake[0]:
            self._running -= 1
            self._changed()

    def _take(self, worker: int) -> Item | None:
        before, after = self._places[worker - 1], self._places[worker]
        with self._wake[worker]:
            while not self._stopped and worker > self._dead:
                if before and not after:
                    item = before.popleft()
                    self._wake[worker - 1].notify()
                    if worker == 1:
                        self._changed()
                    return item
                if not before and self._no_more[worker - 1]:
                    self._no_more[worker] = True
                    self._wake[worker + 1].notify_all()
                    self._changed()
                    break
                self._wake[worker].wait()
        return None

    def _give(self, worker: int, item: Item) -> None:
        with self._wake[worker]:
            self._places[worker].append(item)
            self._wake[worker + 1].notify()
            if worker + 2 == len(self._wake):
                self._changed()

    def _die(self, worker: int, error: BaseException) -> None:
        with self._wake[worker]:
            self._dead = max(self._dead, worker)
            self._no_more[worker] = True
            self._failure = error
            self._wake_all()

    def _wake_all(self) -> None:
        for condition in self._wake:
            condition.notify_all()
        self._changed()


def overlapped(
    items: Iterable[Item], stages: Sequence[tuple[str, Callable[[Item], None]]], *, in_flight: int
) -> Generator[Item, None, None]:
    """Send each item through all stages, and yield the items in order.

    When the generator is closed or an exception passes through it, waiting items are dropped, and the
    stages finish their current calls.

    Parameters
    ----------
    items : iterable
        Drawn from in the caller's thread, and only while fewer than `in_flight` items are under way, so that
        memory is bounded.
    stages : sequence of (name, callable)
        As for `StageThreads`.
    in_flight : int
        Largest number of items under way at once; if below the number of stages, some stages are idle.

    Yields
    ------
    object
        Each item after the last stage. An exception in a stage is raised in place of its item and ends the
        iteration.
    """
    threads = StageThreads(stages, room=in_flight, drop_oldest=False)
    under_way = 0
    try:
        for item in items:
            if under_way == in_flight:
                if (done := threads.get()) is None:
                    return
                yield done
                under_way -= 1
            threads.put(item)
            under_way += 1
        threads.finish()
        while (done := threads.get()) is not None:
            yield done
    finally:
        threads.stop()
        threads.join()


def _nothing() -> None:
    """Do nothing."""
