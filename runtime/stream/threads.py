"""Stages in a thread each: items come in when they come, go out in order, and all can end at once.

The one pipeline of threads, for the frames of a stream and the images of `retina-run` alike.
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
    """Sends items through stages, every stage in a thread of its own, and gives them back in order.

    A stage takes an item when the next one has taken its last, so that it holds one at most, at work or
    done; besides these, `room` items wait before the first. The threads end when all items are through, or
    at once by `stop`. They hold a reference to this object, and it holds none to its users.

    Parameters
    ----------
    stages : sequence of (name, callable)
        Each callable is given the item and changes it. An exception ends its thread: items behind it are
        lost, those before it still come out.
    room : int
        How many items may wait before the first stage.
    drop_oldest : bool
        What `put` does when there is no room: drop the item that has waited longest, or wait.
    changed : callable, optional
        Called in any thread when there may be room again, a result, or the end.

    Attributes
    ----------
    received, dropped : int
        How many items were taken in, and how many of those were dropped.
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
        """Whether all threads have done their last work."""
        return self._running == 0

    def put(self, item: Item, *, wait: bool = True) -> bool:
        """Take an item in; give False if no more are wanted, because of an end or a failure.

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
        """Return the next item that is through, or None after the last.

        Raises
        ------
        queue.Empty
            If none is there yet and `wait` is False.
        BaseException
            Once, after the last item: what ended a thread, or was given to `finish`.
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
        """Take no more items in; after the last, `get` raises `failure` or gives None."""
        with self._wake[0]:
            self._no_more[0] = True
            self._failure = self._failure or failure
            self._wake_all()

    def stop(self) -> None:
        """Drop all items, and end the threads as soon as their present call does."""
        with self._wake[0]:
            self._stopped = True
            self._failure = None
            self._wake_all()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the threads are gone, at most `timeout` seconds; the caller may be one of them."""
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
    """Send each item through all stages, and give the items back in order.

    When the generator is closed or an exception passes through it, items that wait are dropped, and the
    stages' present calls are waited for.

    Parameters
    ----------
    items : iterable
        Drawn from in the caller's thread, and only when fewer than `in_flight` are under way or wait to be
        fetched, so that memory is bounded however many items there are.
    stages : sequence of (name, callable)
        As for `StageThreads`.
    in_flight : int
        How many items may be under way at once; less than the number of stages leaves some idle.

    Yields
    ------
    object
        Each item after the last stage. An exception in a stage is raised in place of its item, and ends
        the rest.
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
