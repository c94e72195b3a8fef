"""A stream for asyncio: the event loop never waits for a thread."""

from __future__ import annotations

import asyncio
import queue
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from time import perf_counter
from types import TracebackType

from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.stream.line import (
    SECONDS_FOR_SOURCE,
    FrameLine,
    FrameResult,
    StreamOptions,
    iterator_of,
)
from retinagan.runtime.stream.stages import FrameSteps
from retinagan.runtime.stream.statistics import StreamStatistics


class AsyncStream:
    """Results of frames in the order of arrival; created by `Segmenter.astream` in a running event loop.

    An asynchronous iterator of `FrameResult`, and an asynchronous context manager. It ends as `Stream`
    does. An asynchronous source is drawn from in a task, any other in a thread. If the task that fetches
    results is cancelled, the threads end after their current call; `aclose`, and the end of an
    ``async with`` block, wait for that.
    """

    def __init__(
        self,
        steps: FrameSteps,
        options: StreamOptions,
        frames: AsyncIterable[Frame] | Iterable[Frame],
    ) -> None:
        self._bell = _Bell(asyncio.get_running_loop())
        source = frames.__aiter__() if isinstance(frames, AsyncIterable) else iterator_of(frames)
        self._line = FrameLine(steps, options, self._bell.ring)
        self._feeder: asyncio.Task[None] | None = None
        if isinstance(source, AsyncIterator):
            self._feeder = asyncio.create_task(_feed(source, self._line, self._bell))
        else:
            self._line.draw_from(source)
        self._stop = weakref.finalize(self, _stop, self._line, self._bell, self._feeder)
        self._stop.atexit = False  # the line closes itself then

    def statistics(self) -> StreamStatistics:
        """Return counts, rate, and times by stage so far."""
        return self._line.statistics()

    async def aclose(self) -> None:
        """Stop all threads after their current call, and wait for them; later calls do nothing."""
        self._stop()
        if self._feeder is not None:
            await asyncio.wait([self._feeder])
        while not self._line.ended:
            await self._bell.rung()
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._until_source_ended(), SECONDS_FOR_SOURCE)
        self._line.close(wait_for_source=False)

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> FrameResult:
        """Return the next result; raises as `Stream.__next__` does."""
        try:
            while True:
                try:
                    result = self._line.get(wait=False)
                    break
                except queue.Empty:
                    await self._bell.rung()
        except BaseException:
            self._stop()
            raise
        if result is None:
            await self.aclose()
            raise StopAsyncIteration
        return result

    async def __aenter__(self) -> AsyncStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _until_source_ended(self) -> None:
        while not self._line.source_ended:
            await self._bell.rung()


class _Bell:
    """Wakes coroutines from any thread. A waiter checks its condition before it waits and when it wakes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sleepers: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Wake all waiting coroutines."""
        self.call(self._wake)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the loop; do nothing if the loop is closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function)

    async def rung(self) -> None:
        """Wait for the next ring."""
        sleeper = self._loop.create_future()
        self._sleepers.append(sleeper)
        await sleeper

    def _wake(self) -> None:
        sleepers, self._sleepers = self._sleepers, []
        for sleeper in sleepers:
            if not sleeper.done():
                sleeper.set_result(None)


async def _feed(frames: AsyncIterator[Frame], line: FrameLine, bell: _Bell) -> None:
    """Put the frames into the line; hold no reference to the stream, so that it can be collected."""
    try:
        async for frame in frames:
            if await _put(frame, line, bell) is None:
                return
    except asyncio.CancelledError:
        line.stop()
        raise
    except BaseException as error:  # the consumer of the results gets it
        line.finish(error)
    else:
        line.finish()


async def _put(frame: Frame, line: FrameLine, bell: _Bell) -> int | None:
    arrived = perf_counter()
    while True:
        try:
            return line.put(frame, wait=False, arrived=arrived)
        except queue.Full:
            await bell.rung()


def _stop(line: FrameLine, bell: _Bell, feeder: asyncio.Task[None] | None) -> None:
    line.stop()
    if feeder is not None:
        bell.call(feeder.cancel)
