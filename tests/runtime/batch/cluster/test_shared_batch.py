"""Callers of a shared batch, with a stand-in for the batch that says what is under way together."""

import threading

import pytest

from retinagan.runtime.batch.cluster.shared_batch import SharedBatch
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job
from retinagan.runtime.batch.row import DONE, Row
from retinagan.runtime.batch.settings import Stamp
from retinagan.runtime.errors import EngineError

STAMP = Stamp("", "", "", "")


def jobs(*names: str) -> list[Job]:
    return [Job(Input(name, name), name) for name in names]


class Pipeline:
    """In a batch's place: two jobs are under way at once; `runs` has the names of each run."""

    def __init__(self) -> None:
        self.runs: list[list[str]] = []

    def run(self, drawn):
        self.runs.append([])
        under_way = []
        for job in drawn:
            self.runs[-1].append(job.output)
            if job.output == "broken":
                raise EngineError("no memory")
            under_way.append(job)
            if len(under_way) == 2:
                yield self.row(under_way.pop(0))
        yield from map(self.row, under_way)

    @staticmethod
    def row(job: Job) -> Row:
        return Row(job.input.name, DONE, "", job.output, STAMP)


def names(rows) -> list[str]:
    return [row.path for row in rows]


def test_rows_come_in_order_and_those_alone_last():
    pipeline, begun = Pipeline(), []
    batch = SharedBatch(pipeline, lambda job: begun.append(job.output))
    assert names(batch.rows(jobs("a", "b", "c"), jobs("d", "e"))) == ["a", "b", "c", "d", "e"]
    assert names(batch.rows([])) == []
    assert names(batch.rows(jobs("f"))) == ["f"]
    assert pipeline.runs == [["a", "b", "c"], ["d"], ["e"], ["f"]]
    assert begun == list("abcdef")


def test_jobs_of_the_next_caller_follow_without_a_gap():
    pipeline, all_wait = Pipeline(), threading.Event()
    batch = SharedBatch(pipeline, lambda job: all_wait.wait())
    first, second = batch.rows(jobs("a", "b")), batch.rows(jobs("c", "d"), jobs("e"))
    all_wait.set()
    assert (names(second), names(first)) == (["c", "d", "e"], ["a", "b"])
    assert pipeline.runs == [["a", "b", "c", "d"], ["e"]]


def test_an_error_goes_to_all_whose_jobs_it_takes_and_the_next_caller_begins_anew():
    pipeline, all_wait = Pipeline(), threading.Event()
    batch = SharedBatch(pipeline, lambda job: all_wait.wait())
    callers = batch.rows(jobs("a", "broken")), batch.rows(jobs("c", "d"))
    all_wait.set()
    for rows in callers:
        with pytest.raises(EngineError, match="no memory"):
            names(rows)
    assert names(batch.rows(jobs("e"))) == ["e"]
