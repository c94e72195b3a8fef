"""Threads that segment, and the bounded line before them."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from retinagan.runtime.serve.errors import BusyError

T = TypeVar("T")

_REMEMBERED = 32
_LONGEST_WAIT = 60


class ClientGoneError(Exception):
    """The client has closed its connection before its request was started; nobody waits for an answer."""


class Workers:
    """Runs jobs in a fixed number of threads; a bounded number of further requests may wait.

    A request takes a place before its body is read, and keeps it until its job has ended: so no more than
    ``count + room`` bodies are in memory. All methods but `close` are for one event loop.

    Parameters
    ----------
    count : int
        Number of threads, from 1.
    room : int
        Number of requests that may wait besides those, from 0.
    """

    def __init__(self, count: int, room: int) -> None:
        self.count = count
        self.places = count + room
        self.taken = 0
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="retina-serve")
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._timing = threading.Lock()

    @property
    def retry_after(self) -> int:
        """Seconds until a place is likely to be free: a round of jobs as long as the recent ones took."""
        with self._timing:
            mean = sum(self._seconds) / len(self._seconds) if self._seconds else 0.0
        return min(_LONGEST_WAIT, max(1, math.ceil(mean * self.taken / self.count)))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place until the block ends.

        Raises
        ------
        BusyError
            If none is free.
        """
        if self.taken >= self.places:
            wait = self.retry_after
            raise BusyError(
                f"all {self.places} places are taken: {self.count} for images at work, "
                f"{self.places - self.count} for images that wait; try again in {wait} s",
                wait,
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, job: Callable[[], T], gone: Awaitable[object]) -> T:
        """Run a job in a thread, and return its result or raise its exception.

        Parameters
        ----------
        job : callable
        gone : awaitable
            Ends when the client closes its connection. A job that has not started by then is dropped; one
            that has is waited for, so that its place stays taken while it works.

        Raises
        ------
        ClientGoneError
            If the job was dropped.
        """
        running = self._pool.submit(self._timed, job)
        result = asyncio.ensure_future(asyncio.wrap_future(running))
        watch = asyncio.ensure_future(gone)
        both: list[asyncio.Future[Any]] = [result, watch]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not result.done() and running.cancel():
                raise ClientGoneError
            return await result
        finally:
            watch.cancel()

    def close(self) -> None:
        """Wait for running jobs, and drop those that have not started."""
        self._pool.shutdown(cancel_futures=True)

    def _timed(self, job: Callable[[], T]) -> T:
        start = perf_counter()
        try:
            return job()
        finally:
            with self._timing:
                self._seconds.append(perf_counter() - start)
