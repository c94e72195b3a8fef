"""The threads that take frames through a segmenter, with their counts and times."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from types import MappingProxyType
from typing import Any, Literal, get_args

from retinagan.runtime.errors import RetinaGanError, StreamError
from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.steps.segment import Segmentation
from retinagan.runtime.stream.stages import FrameSteps, Passing
from retinagan.runtime.stream.statistics import StatisticsWindow, StreamStatistics
from retinagan.runtime.stream.threads import StageThreads
from retinagan.runtime.warnings import ImageWarning

Policy = Literal["every", "latest"]

_WINDOW = 1000  # results that the statistics look back on
SECONDS_FOR_SOURCE = 1.0
"""How long a closed stream waits for its source: a camera delivers a frame sooner, or hangs."""


@dataclass(frozen=True)
class StreamOptions:
    """How a stream treats its frames.

    Parameters
    ----------
    policy : {"every", "latest"}
        What happens to frames that come faster than they are segmented. "every": `put` waits for room.
        "latest": the frames that have waited longest are dropped and counted.
    queue : int
        How many frames may wait, from 1. Besides these, each of the three stages holds one.

    Raises
    ------
    StreamError
        If a value is out of range.
    """

    policy: Policy = "every"
    queue: int = 2

    def __post_init__(self) -> None:
        if self.policy not in get_args(Policy):
            raise StreamError(f'policy: got {self.policy!r}; expected "every" or "latest"')
        if isinstance(self.queue, bool) or not isinstance(self.queue, int) or self.queue < 1:
            raise StreamError(f"queue: got {self.queue!r}; expected a whole number of frames from 1")


@dataclass(frozen=True)
class FrameResult:
    """The result of one frame.

    Attributes
    ----------
    number : int
        The frame's number in the order of arrival, from 0; numbers of dropped frames are skipped.
    frame : object
        The frame that came in, the same object.
    segmentation : Segmentation or None
        None if there is an `error`.
    error : RetinaGanError or None
        Why this frame failed, such as `ImageError` or `NoRetinaError`.
    seconds : mapping of str to float
        Wall time by stage, as in `Segmentation`, without stages that an error skipped.
    latency : float
        Seconds from the frame's arrival to this result, including time in queues.
    """

    number: int
    frame: Frame
    segmentation: Segmentation | None
    error: RetinaGanError | None
    seconds: Mapping[str, float]
    latency: float

    @property
    def warnings(self) -> tuple[ImageWarning, ...]:
        """Doubts about the frame or its map; empty if the frame failed."""
        return () if self.segmentation is None else self.segmentation.warnings

    @property
    def status(self) -> Literal["done", "warning", "failed"]:
        """The status as in `retina-run`: "failed" with an error, "warning" with any warnings, else "done"."""
        if self.segmentation is None:
            return "failed"
        return "warning" if self.warnings else "done"


def iterator_of(frames: Iterable[Any]) -> Iterator[Frame]:
    """Return an iterator over a source of frames.

    Raises
    ------
    StreamError
        If they cannot be iterated over, or are text, such as the name of a file.
    """
    expected = "expected an iterable of arrays, such as a list or a generator"
    if isinstance(frames, (str, bytes)):
        raise StreamError(f"frames: got {frames!r:.80}; {expected}")
    try:
        return iter(frames)
    except TypeError as error:
        raise StreamError(f"frames: {error}; {expected}") from error


class FrameLine:
    """The threads of one stream. They refer to this object, which does not refer to its users.

    Parameters
    ----------
    steps : FrameSteps
        The steps for each frame.
    options : StreamOptions
    changed : callable, optional
        As for `StageThreads`.
    """

    def __init__(
        self, steps: FrameSteps, options: StreamOptions, changed: Callable[[], None] | None = None
    ) -> None:
        self._window = StatisticsWindow(_WINDOW)
        self._process = os.getpid()
        self._entrance = threading.Lock()
        self._steps = steps
        self._threads: StageThreads[Passing] = StageThreads(
            [
                ("retinagan-prepare", steps.prepare),
                ("retinagan-infer", steps.infer),
                ("retinagan-regroup", self._finish_frame),
            ],
            room=options.queue,
            drop_oldest=options.policy == "latest",
            changed=changed,
        )
        self._feeder: threading.Thread | None = None
        self._drawn = False
        _LINES.add(self)

    @property
    def ended(self) -> bool:
        """Whether the threads of all stages have ended."""
        return self._threads.ended

    @property
    def source_ended(self) -> bool:
        """Whether no thread draws from the source any more."""
        return self._feeder is None or self._drawn

    def draw_from(self, frames: Iterator[Frame]) -> None:
        """Start a thread that puts the frames in."""
        self._feeder = threading.Thread(
            target=self._feed, args=(frames,), name="retinagan-frames", daemon=True
        )
        self._feeder.start()

    def put(
        self,
        frame: Frame,
        *,
        field_of_view: float | None = None,
        wait: bool = True,
        arrived: float | None = None,
    ) -> int | None:
        """Take a frame in and return its number, or None if the line takes no more.

        Raises
        ------
        queue.Full
            If there is no room and `wait` is False.
        """
        self._check_process()
        passing = Passing(frame, perf_counter() if arrived is None else arrived, field_of_view)
        with self._entrance:  # one at a time, so that numbers are in the order of arrival
            passing.number = self._threads.received
            return passing.number if self._threads.put(passing, wait=wait) else None

    def finish(self, failure: BaseException | None = None) -> None:
        """Take no more frames; after the last result, `get` raises `failure` or returns None."""
        self._check_process()
        self._threads.finish(failure)

    def get(self, *, wait: bool = True) -> FrameResult | None:
        """Return the next result, or None after the last; raises as `StageThreads.get` does."""
        self._check_process()
        passing = self._threads.get(wait=wait)
        if passing is None:
            return None
        return FrameResult(
            passing.number,
            passing.frame,
            passing.segmentation,
            passing.error,
            MappingProxyType(passing.clock.seconds),
            passing.latency,
        )

    def statistics(self) -> StreamStatistics:
        """Return the statistics of the frames so far."""
        return self._window.summary(self._threads)

    def stop(self) -> None:
        """Drop all frames, and end the threads after their current call."""
        if self._is_here():
            self._threads.stop()

    def close(self, *, wait_for_source: bool = True) -> None:
        """Stop, and wait for the threads; for the source's thread only briefly, or not at all."""
        if not self._is_here():
            return
        self._threads.stop()
        self._threads.join()
        if self._feeder is not None and self._feeder is not threading.current_thread():
            patience = SECONDS_FOR_SOURCE if wait_for_source else 0.0
            self._feeder.join(None if self._drawn else patience)

    def _feed(self, frames: Iterator[Frame]) -> None:
        failure = None
        try:
            for frame in frames:
                if self.put(frame) is None:
                    break
        except BaseException as error:  # the consumer of the results gets it
            failure = error
        self._drawn = True
        self._threads.finish(failure)

    def _finish_frame(self, passing: Passing) -> None:
        self._steps.regroup(passing)
        passing.latency = perf_counter() - passing.arrived
        self._window.add(passing.latency, passing.clock.seconds, failed=passing.error is not None)

    def _is_here(self) -> bool:
        """Whether this is the threads' process: a fork has copies of their locks, but no threads."""
        return os.getpid() == self._process

    def _check_process(self) -> None:
        if not self._is_here():
            raise StreamError(
                f"this stream was opened in process {self._process}, and its threads stayed there; "
                f"open segmenter and stream in this process, {os.getpid()}"
            )


_LINES: weakref.WeakSet[FrameLine] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Close streams that were left open: freeing an engine while one runs would crash."""
    for line in list(_LINES):
        line.close()
