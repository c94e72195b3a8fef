"""One `Batch` that several callers share, so that its engine does not wait where one list of images ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import NamedTuple, TypeAlias

from retinagan.runtime.batch.batch import Batch
from retinagan.runtime.batch.jobs import Job
from retinagan.runtime.batch.row import Row

_Outcomes: TypeAlias = "SimpleQueue[Row | BaseException]"


class _Waiting(NamedTuple):
    """A job, whether it is to be segmented alone, and where its row goes."""

    job: Job
    alone: bool
    outcomes: _Outcomes


class SharedBatch:
    """Sends the jobs of all callers through one `Batch`, in the order in which they come.

    Parameters
    ----------
    batch : Batch
        Used by nobody else.
    begin : callable
        Called with each job before anything else is done with it.
    """

    def __init__(self, batch: Batch, begin: Callable[[Job], None]) -> None:
        self._batch = batch
        self._begin = begin
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._running = False

    def rows(self, jobs: Sequence[Job], alone: Sequence[Job] = ()) -> Iterator[Row]:
        """Return the rows of jobs, in order, then those of jobs that are segmented one at a time.

        While a job is segmented alone, nothing of other callers is under way either.

        Raises
        ------
        EngineError, OutputError
            As of `Batch.run`; all callers get it whose jobs wait or are under way.
        """
        outcomes: _Outcomes = SimpleQueue()
        with self._lock:
            self._waiting.extend(_Waiting(job, False, outcomes) for job in jobs)
            self._waiting.extend(_Waiting(job, True, outcomes) for job in alone)
            if self._waiting and not self._running:
                self._running = True
                threading.Thread(target=self._run, name="retina-run-shared", daemon=True).start()
        return _given(outcomes, len(jobs) + len(alone))

    def _run(self) -> None:
        under_way: deque[_Outcomes] = deque()
        while self._goes_on():
            try:
                for row in self._batch.run(self._drawn(under_way)):
                    under_way.popleft().put(row)
            except BaseException as error:  # the callers get it
                with self._lock:
                    under_way.extend(waiting.outcomes for waiting in self._waiting)
                    self._waiting.clear()
                for outcomes in {id(one): one for one in under_way}.values():
                    outcomes.put(error)
                under_way.clear()

    def _goes_on(self) -> bool:
        """Return whether a job waits; if none does, the next caller starts another thread."""
        with self._lock:
            self._running = bool(self._waiting)
            return self._running

    def _drawn(self, under_way: deque[_Outcomes]) -> Iterator[Job]:
        """Yield what waits, up to a job that is to be alone; or that job, if it is the first."""
        first = True
        while (waiting := self._next(first)) is not None:
            under_way.append(waiting.outcomes)
            self._begin(waiting.job)
            yield waiting.job
            if waiting.alone:
                return
            first = False

    def _next(self, first: bool) -> _Waiting | None:
        with self._lock:
            if not self._waiting or (self._waiting[0].alone and not first):
                return None
            return self._waiting.popleft()


def _given(outcomes: _Outcomes, count: int) -> Iterator[Row]:
    for _ in range(count):
        outcome = outcomes.get()
        if isinstance(outcome, BaseException):
            raise outcome
        yield outcome
