"""`retina-run --watch`: segment what arrives in folders, until a signal ends it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from retinagan.runtime.batch.again import why_again
from retinagan.runtime.batch.arrivals import Arrivals
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job, jobs_to_do
from retinagan.runtime.batch.json_lines import JsonLines
from retinagan.runtime.batch.opening import Workplace
from retinagan.runtime.batch.row import FAILED, Row
from retinagan.runtime.batch.summary import Tally, counts
from retinagan.runtime.console.signals import Stopped, StopSignal, signals_noted
from retinagan.runtime.console.wording import say


@dataclass(frozen=True)
class WatchOptions:
    """How to watch.

    `kinds` are the pictures that are written. `expand` makes of the images that have arrived those to
    segment, such as `every_frame`. With `quiet` nothing is printed. `json_lines` gets a line of JSON for each
    image.
    """

    kinds: Sequence[str]
    expand: Callable[[Sequence[Input]], Sequence[Input]] = tuple
    quiet: bool = False
    json_lines: TextIO | None = None


class Watch:
    """Segments what arrives, round by round; a round is what has become whole since the last.

    A signal ends it: images that are under way are finished and recorded.

    Parameters
    ----------
    arrivals : Arrivals
        Gives out the images.
    place : Workplace
        Segments and records them.
    options : WatchOptions
        What is written and printed.
    """

    def __init__(self, arrivals: Arrivals, place: Workplace, options: WatchOptions) -> None:
        self._arrivals = arrivals
        self._batch, self._folder, self._report = place
        self._options = options
        self._tally = Tally(0, kept=0)
        self._failed: set[str] = set()
        self._away: set[str] = set()

    def run(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Segment until a signal arrives.

        Parameters
        ----------
        wait : callable
            Waits that many seconds between two polls; a signal may interrupt it by `Stopped`.

        Raises
        ------
        EngineError, OutputError
            As `Batch.run`.
        """
        try:
            while True:
                inputs = self._options.expand(self._arrivals.poll())
                self._say_what_is_away()
                jobs = self._jobs(inputs) if inputs else []
                if jobs and self._stopped_while_segmenting(jobs):
                    break
                wait(self._arrivals.pause)
        except Stopped:
            pass
        finally:
            self._say(counts(self._tally))

    def _jobs(self, inputs: Sequence[Input]) -> list[Job]:
        jobs = jobs_to_do(
            inputs, self._report, self._folder, self._options.kinds, self._batch.page, self._batch.measures
        )
        for line in () if self._options.quiet else why_again(jobs, self._report):
            self._say(line)
        return jobs

    def _stopped_while_segmenting(self, jobs: Sequence[Job]) -> bool:
        inputs = {job.input.name: job.input for job in jobs}
        self._tally.total += len(inputs.keys() - self._failed)
        stream = self._options.json_lines
        lines = JsonLines(stream, self._folder, self._options.kinds, inputs.values()) if stream else None
        with signals_noted() as stop, closing(self._batch.run(self._there(jobs, stop))) as rows:
            for row in rows:
                cells = self._report.append(row)
                self._count(row)
                if lines is not None:
                    lines.write(cells, row.measures)
                self._say(f"{row.path}: {row.status}{': ' if row.message else ''}{row.message}")
                if row.status == FAILED:
                    self._arrivals.failed(inputs[row.path])
        return stop.number is not None

    def _there(self, jobs: Sequence[Job], stop: StopSignal) -> Iterator[Job]:
        """Yield the jobs until a signal arrives; leave those for later whose share has gone meanwhile."""
        for job in jobs:
            if stop.number is not None:
                return
            if Path(job.input.path).exists():
                yield job
            else:
                self._arrivals.put_back(job.input)
                self._tally.total -= job.input.name not in self._failed

    def _count(self, row: Row) -> None:
        """Count an image once, however often it failed before."""
        if row.path in self._failed:
            self._tally.failed -= 1
            self._failed.remove(row.path)
        if row.status == FAILED:
            self._failed.add(row.path)
        self._tally.count(row)

    def _say_what_is_away(self) -> None:
        away = set(self._arrivals.unlisted)
        for folder in sorted(away - self._away):
            self._say(f"{folder}: cannot be listed; waiting for it")
        for folder in sorted(self._away - away):
            self._say(f"{folder}: is back")
        self._away = away

    def _say(self, text: str) -> None:
        if not self._options.quiet:
            say(text, sys.stderr)
