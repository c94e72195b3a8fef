"""Streams of camera frames through a segmenter: stages overlap, memory is bounded, order is kept."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from types import TracebackType

from retinagan.runtime.errors import StreamError
from retinagan.runtime.images.photograph import Frame
from retinagan.runtime.steps.scale import check_field_of_view
from retinagan.runtime.stream.line import FrameLine, FrameResult, Policy, StreamOptions
from retinagan.runtime.stream.stages import FrameSteps
from retinagan.runtime.stream.statistics import StreamStatistics

__all__ = ["FrameResult", "Policy", "Stream", "StreamOptions"]


class Stream:
    """Results of frames in the order of arrival; created by `Segmenter.stream` and `Segmenter.open_stream`.

    An iterator of `FrameResult`, and a context manager. Its threads end after the last result, at `close`,
    at the end of its ``with`` block, when an exception such as Ctrl-C passes through it, and when no
    reference to it is left, as after ``break``.
    """

    def __init__(
        self, steps: FrameSteps, options: StreamOptions, frames: Iterable[Frame] | None = None
    ) -> None:
        source = None if frames is None else iter(frames)  # before any thread starts: it may raise
        self._line = FrameLine(steps, options)
        self._close = weakref.finalize(self, self._line.close)
        self._close.atexit = False  # the line closes itself then
        if source is not None:
            self._line.draw_from(source)

    def put(self, frame: Frame, field_of_view: float | None = None) -> int:
        """Take a frame in, from any thread, such as a camera's callback.

        With the policy "every" this blocks while there is no room, so fetch results in another thread. With
        "latest" it never blocks.

        Parameters
        ----------
        frame : (H, W, 3) or (H, W) array
            As for `Segmenter.__call__`. Do not write to it before its result is available: pass a copy if the
            camera reuses its buffer.
        field_of_view : float, optional
            The camera's angle in degrees for this frame, 10 to 220, for cameras that change it; the stream's
            angle if left out.

        Returns
        -------
        int
            The number of the frame's result.

        Raises
        ------
        StreamError
            If the stream has ended.
        ImageError
            If the field of view is out of range.
        """
        if field_of_view is not None:
            check_field_of_view(field_of_view)
        number = self._line.put(frame, field_of_view=field_of_view)
        if number is None:
            raise StreamError("the stream has ended and takes no more frames; open a new one")
        return number

    def finish(self) -> None:
        """Signal that no more frames come: the iteration ends after the last result."""
        self._line.finish()

    def statistics(self) -> StreamStatistics:
        """Return counts, rate, and times by stage so far; from any thread, also after the end."""
        return self._line.statistics()

    def close(self) -> None:
        """Stop all threads after their current call, and wait for them; later calls do nothing.

        Frames under way are lost, and the iteration ends. A source that hangs in its ``next`` keeps its
        own thread until it delivers a frame.
        """
        self._close()

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> FrameResult:
        """Return the next result.

        Raises
        ------
        EngineError
            If the segmenter was closed, or the engine failed on several frames in a row.
        Exception
            An exception of the source, after the results of all earlier frames.
        """
        try:
            result = self._line.get()
        except BaseException:
            self.close()
            raise
        if result is None:
            self.close()
            raise StopIteration
        return result

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
