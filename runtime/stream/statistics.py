"""Counts and times of a stream's frames."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Percentiles:
    """The 50th, 95th and 99th percentile of a time, in seconds."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class StreamStatistics:
    """Statistics of a stream so far. `received` minus the next three is the number still under way.

    Attributes
    ----------
    received, segmented, failed, dropped : int
        Numbers of frames that came in, were segmented, failed, and were dropped for newer ones.
    rate : float
        Results per second, over the window of the latest results; 0 before the second result.
    latency : Percentiles or None
        Time from a frame's arrival to its result, over the window; None before the first result.
    stages : mapping of str to Percentiles
        Time by stage, over the window.
    """

    received: int
    segmented: int
    failed: int
    dropped: int
    rate: float
    latency: Percentiles | None
    stages: Mapping[str, Percentiles]

    def __str__(self) -> str:
        """Return the counts and a table of times in milliseconds."""
        rows = {**self.stages, **({} if self.latency is None else {"latency": self.latency})}
        rest = self.received - self.segmented - self.failed - self.dropped
        under_way = f", {rest} under way" if rest > 0 else ""
        lines = [
            f"{self.received} frame{'' if self.received == 1 else 's'}: {self.segmented} segmented, "
            f"{self.failed} failed, {self.dropped} dropped{under_way}; {self.rate:.1f} results/s",
            f"{'ms':10}{'p50':>8}{'p95':>8}{'p99':>8}",
        ]
        for name, row in rows.items():
            values = (row.p50, row.p95, row.p99)
            lines.append(f"{name:10}" + "".join(f"{1000 * value:8.1f}" for value in values))
        return "\n".join(lines if rows else lines[:1])


class Entrance(Protocol):
    """Takes frames in, and may drop some."""

    received: int
    dropped: int


class StatisticsWindow:
    """Counts results, and keeps the times of the last `size` segmented frames.

    Parameters
    ----------
    size : int
        Number of frames in the percentiles and the rate.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._segmented = self._failed = 0
        self._finished: deque[float] = deque(maxlen=size)
        self._names: tuple[str, ...] = ()
        self._times: deque[tuple[float, ...]] = deque(maxlen=size)  # the latency, then the stages

    def add(self, latency: float, seconds: Mapping[str, float], *, failed: bool) -> None:
        """Count a result that is there now; times of failed frames stay out of the percentiles."""
        with self._lock:
            self._finished.append(perf_counter())
            if failed:
                self._failed += 1
            else:
                self._segmented += 1
                self._names = tuple(seconds)
                self._times.append((latency, *seconds.values()))

    def summary(self, entrance: Entrance) -> StreamStatistics:
        """Return the current statistics, with the counts of `entrance`."""
        with self._lock:
            segmented, failed = self._segmented, self._failed
            finished, times, names = list(self._finished), list(self._times), self._names
        dropped = entrance.dropped  # read before `received`: a result never counts before its frame
        span = finished[-1] - finished[0] if finished else 0.0
        columns = [_percentiles(column) for column in zip(*times, strict=True)]
        return StreamStatistics(
            received=entrance.received,
            segmented=segmented,
            failed=failed,
            dropped=dropped,
            rate=(len(finished) - 1) / span if span > 0 else 0.0,
            latency=columns[0] if columns else None,
            stages=dict(zip(names, columns[1:], strict=True)),
        )


def _percentiles(values: Sequence[float]) -> Percentiles:
    return Percentiles(*(float(value) for value in np.percentile(values, [50, 95, 99])))
