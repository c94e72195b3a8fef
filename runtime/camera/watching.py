"""The loop of `retina-watch`: each result drawn, shown, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.camera.drawing import draw_frame
from retinagan.runtime.camera.page import Page
from retinagan.runtime.camera.sources import Frames
from retinagan.runtime.camera.video import VideoFile
from retinagan.runtime.camera.window import Window
from retinagan.runtime.console.signals import Stopped, signals_held_back
from retinagan.runtime.console.wording import counted
from retinagan.runtime.stream.line import FrameResult
from retinagan.runtime.stream.statistics import StreamStatistics
from retinagan.runtime.stream.stream import Stream

_MESSAGES = 5  # different ones in the summary: some name values of the frame


@dataclass(frozen=True)
class Screens:
    """Where pictures are shown; None for each that is not asked for."""

    window: Window | None = None
    video: VideoFile | None = None
    page: Page | None = None

    def show(self, picture: NDArray[np.uint8], at: float) -> bool:
        """Show a picture, (H, W, 3) uint8 BGR, of this time in seconds; return whether more are wanted."""
        if self.video is not None:
            self.video.show(picture, at)
        if self.page is not None:
            self.page.show(picture)
        return self.window is None or self.window.show(picture)

    def close(self) -> None:
        """Close window and page, and complete the video, each whatever happens to another."""
        with ExitStack() as stack:
            for screen in (self.video, self.page, self.window):
                if screen is not None:
                    stack.callback(screen.close)


@dataclass
class Tally:
    """How often each warning and each failure came."""

    warnings: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)

    def count(self, result: FrameResult) -> None:
        """Count a result."""
        self.warnings.update({warning.code for warning in result.warnings})
        if result.error is not None:
            self.failures[str(result.error)] += 1


def watch(stream: Stream, screens: Screens, tally: Tally, limit: int | None = None) -> None:
    """Show results until the source ends, a signal arrives, or the user has seen enough.

    Parameters
    ----------
    stream : Stream
        Closed at the end.
    screens : Screens
        Closed at the end, whatever happens.
    tally : Tally
        Counts the results.
    limit : int, optional
        The number of results after which to end.

    Raises
    ------
    RetinaGanError
        As of the stream, its source, and the video.
    """
    try:
        with stream:
            for number, result in enumerate(stream, start=1):
                tally.count(result)
                picture = draw_frame(result, stream.statistics())
                if not screens.show(picture, perf_counter()) or number == limit:
                    break
    except Stopped:
        pass
    finally:
        with signals_held_back():
            screens.close()


def summary(statistics: StreamStatistics, tally: Tally, frames: Frames) -> Iterator[str]:
    """Yield the lines of a summary: counts, percentiles of latency, warnings, failures, losses."""
    yield from str(statistics).splitlines()
    for code, number in tally.warnings.most_common():
        yield f"warning {code}: {counted(number, 'frame')}"
    for message, number in tally.failures.most_common(_MESSAGES):
        yield f"failed: {counted(number, 'frame')}: {message}"
    if frames.losses:
        yield f"the source was lost {counted(frames.losses, 'time')}"
