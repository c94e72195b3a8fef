"""The node at work: what waits in the queue is segmented, recorded, and handed over to be sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job, jobs_to_do
from retinagan.runtime.batch.opening import Workplace
from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.batch.row import FAILED, Row
from retinagan.runtime.console.signals import Stopped, StopSignal, signals_noted
from retinagan.runtime.node.durable import synced
from retinagan.runtime.node.inbox import Inbox, Received, content_digest
from retinagan.runtime.node.ledger import Ledger

MOST_STARTS = 3
"""An object that was begun so often and never ended is put aside: it may be what ends the program."""


@dataclass(frozen=True)
class NodeOptions:
    """How the node works.

    `kinds` are the results that are written, `sent` those of them that are sent. `expand` makes of the
    objects that have arrived the images to segment, such as `every_frame`. With `again`, an object that comes
    again is segmented again.
    """

    kinds: Sequence[str]
    sent: Sequence[str] = ()
    expand: Callable[[Sequence[Input]], Sequence[Input]] = tuple
    again: bool = False


@dataclass
class _Work:
    """An object under way: how many of its images are open, and the stems of the results of the others."""

    received: Received
    open: int = 0
    stems: list[str] = field(default_factory=list)


class Node:
    """Segments what is in the queue, round by round, until a signal arrives.

    An object leaves the queue when its results are on the disk and recorded. So a kill at any time loses
    none, and what it left undone is done again under the same names.

    Parameters
    ----------
    inbox : Inbox
        The queue, entered.
    ledger : Ledger
        Records what is done, entered.
    place : Workplace
        Segments, writes the results, and records each image in ``run.csv``.
    options : NodeOptions
        How to work.
    note : callable
        Gets lines for the log.
    wake : callable
        Called when there are results to send.
    """

    def __init__(
        self,
        inbox: Inbox,
        ledger: Ledger,
        place: Workplace,
        options: NodeOptions,
        note: Callable[[str], None],
        wake: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._ledger = ledger
        self._batch, self._folder, self._report = place
        self._options = options
        self._note = note
        self._wake = wake
        self._settings = " ".join((place.report.settings.digest, *options.kinds))

    def is_done(self, instance: str, digest: str) -> bool:
        """Whether an object was done before and is not to be done again; from any thread."""
        return not self._options.again and self._ledger.is_done(instance, digest, self._settings)

    def run(self) -> None:
        """Segment until a signal arrives.

        Raises
        ------
        EngineError, OutputError
            As of `Batch.run`. What was not done is still in the queue.
        """
        with suppress(Stopped):
            while True:
                taken = self._inbox.take()
                with signals_noted() as stop:
                    self._do(taken, stop)
                if stop.number is not None:
                    break

    def _do(self, taken: Sequence[Received], stop: StopSignal) -> None:
        """Do objects: those that were begun before and never ended alone, and after the others."""
        fresh: list[Received] = []
        begun: list[Received] = []
        for received in taken:
            if received.digest is not None:  # it came now, whatever became of an earlier one
                self._ledger.forget_starts([received.instance])
            (begun if self._ledger.starts(received.instance) else fresh).append(received)
        for group in (fresh, *([one] for one in begun)):
            if stop.number is not None:
                return
            if len(group) == 1 and self._ledger.starts(group[0].instance) >= MOST_STARTS:
                self._give_up(group[0])
            else:
                self._segment(group, stop)

    def _give_up(self, one: Received) -> None:
        jobs = jobs_to_do([Input(str(one.path), one.name)], self._report, self._folder, self._options.kinds)
        for job in jobs:
            message = (
                f"retina-node ended {MOST_STARTS} times while it segmented this image; "
                "segment it with retina-run to see why"
            )
            stamp = self._report.settings.stamp(one.path.stat())
            self._report.append(Row(one.name, FAILED, message, job.output, stamp))
            self._note(f"{one.name}: {FAILED}: {message}")
        self._inbox.failed(one)

    def _segment(self, group: Sequence[Received], stop: StopSignal) -> None:
        works = {str(one.path): _Work(one) for one in self._not_done(group)}
        inputs = self._options.expand([Input(path, work.received.name) for path, work in works.items()])
        jobs = jobs_to_do(inputs, self._report, self._folder, self._options.kinds)
        to_do = {job.input.name for job in jobs}
        for item in inputs:
            if item.name in to_do:
                works[item.path].open += 1
            else:  # the row is there, but a kill came before the rest
                works[item.path].stems.append(self._report.recorded[item.name].output)
        for work in works.values():
            if not work.open:
                self._finish(work)
        try:
            with closing(self._batch.run(self._begun(jobs, works, stop))) as rows:
                for job, row in zip(jobs, rows, strict=False):
                    self._record(row, works[job.input.path], job)
        finally:  # it was not the object that ended this
            self._ledger.forget_starts(work.received.instance for work in works.values() if work.open)

    def _not_done(self, group: Sequence[Received]) -> Iterator[Received]:
        """Yield objects with the digests of their content; drop those that a kill left in the queue."""
        for one in group:
            try:
                digest = one.digest or content_digest(one.path.read_bytes())
            except OSError as error:
                self._note(f"{one.instance}: cannot be read ({error.strerror}); left in {one.path}")
                continue
            again = self._options.again and one.digest is not None
            if not again and self._ledger.is_done(one.instance, digest, self._settings):
                self._inbox.done(one)
            else:
                yield replace(one, digest=digest)

    def _begun(self, jobs: Sequence[Job], works: dict[str, _Work], stop: StopSignal) -> Iterator[Job]:
        begun: set[str] = set()
        for job in jobs:
            if stop.number is not None:
                return
            instance = works[job.input.path].received.instance
            if instance not in begun:
                begun.add(instance)
                self._ledger.record_start(instance)
            yield job

    def _record(self, row: Row, work: _Work, job: Job) -> None:
        self._report.append(row)
        self._note(f"{row.path}: {row.status}{': ' if row.message else ''}{row.message}")
        work.open -= 1
        if row.status != FAILED:
            work.stems.append(job.output)
        if not work.open:
            self._finish(work)

    def _finish(self, work: _Work) -> None:
        """Take an object out of the queue; before that, everything about it is on the disk."""
        received = work.received
        if not work.stems:
            self._inbox.failed(received)
            self._ledger.forget_starts([received.instance])
            return
        written = self._paths(work, self._options.kinds)
        sent = self._paths(work, self._options.sent)
        self._sync(written)
        outgoing = [path.relative_to(self._folder.directory).as_posix() for path in sent]
        self._ledger.record_done(received.instance, received.digest or "", self._settings, outgoing)
        self._inbox.done(received)
        if outgoing:
            self._wake()

    def _paths(self, work: _Work, kinds: Sequence[str]) -> list[Path]:
        return [Path(self._folder.picture(stem, kind)) for stem in work.stems for kind in kinds]

    def _sync(self, written: Sequence[Path]) -> None:
        try:
            for path in (*written, *{path.parent for path in written}, Path(self._report.path)):
                synced(path)
        except OSError as error:
            raise OutputError(
                f"cannot write to the output folder {str(self._folder.directory)!r} ({error.strerror})"
            ) from None
