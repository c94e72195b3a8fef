"""Many images through the workers of a cluster, with the interface of `Batch`."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from uuid import uuid4

import ray
from ray.data import ActorPoolStrategy
from ray.exceptions import RayError, RayTaskError

from retinagan.runtime.batch.cluster.connection import ClusterError, attempts_actor
from retinagan.runtime.batch.cluster.keys import can_travel, images_in_a_block, tables_of
from retinagan.runtime.batch.cluster.rows import FAULT, part_name
from retinagan.runtime.batch.cluster.worker import Worker, WorkerOptions
from retinagan.runtime.batch.jobs import Job, failed_row
from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.page.page import OldPage, Page
from retinagan.runtime.batch.pictures import KINDS, picture_names
from retinagan.runtime.batch.row import COLUMNS, Row, row_of
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.batch.shard import ROWS
from retinagan.runtime.storage.address import absolute, is_url
from retinagan.runtime.storage.store import at_once

_BLOCKS_AT_ONCE = 2  # in a worker, so that the first images of one are read while the last of another end
_BLOCKS_OF_A_WORKER = 2 * _BLOCKS_AT_ONCE  # with those that wait for it; Ray starts more workers by them
_NO_TEXT = "its name is no valid text (UTF-8), which --cluster needs; rename it, or run without --cluster"


class ClusterBatch:
    """Segments images by the workers of a cluster; a row records the result of each.

    Parameters
    ----------
    options : WorkerOptions
        How to segment, and what to write where.
    folder : OutputFolder
        The output folder, entered.
    settings : Settings
        What all rows have in common.
    workers : int
        How many actors there are.
    gpus : float
        Share of a GPU that each has.
    page : Page or OldPage, optional
        An older page of the folder, which goes when an image is done again.
    measures : MeasuresTable or OldMeasures, optional
        Older measures, which go likewise.
    """

    def __init__(
        self,
        options: WorkerOptions,
        folder: OutputFolder,
        settings: Settings,
        workers: int,
        gpus: float,
        page: Page | OldPage | None = None,
        measures: MeasuresTable | OldMeasures | None = None,
    ) -> None:
        self._options = options
        self._folder = folder
        self._settings = settings
        self._workers = workers
        self._gpus = gpus
        self.page = page
        self.measures = measures
        self._parts: set[str] = set()

    def run(self, jobs: Iterable[Job]) -> Generator[Row, None, None]:
        """Yield a row for each job, in any order, when its pictures are written.

        Raises
        ------
        ClusterError
            If a worker cannot go on, and so no other: the engine fails, or nothing can be written.
        """
        for row in self._rows(list(jobs)):
            if self.page is not None:
                self.page.advance(row)
            if self.measures is not None:
                self.measures.append(row)
            yield row

    def _rows(self, jobs: Sequence[Job]) -> Iterator[Row]:
        for job in jobs:
            if not can_travel(job):
                yield failed_row(job, self._settings, _NO_TEXT)
        jobs = [_from_anywhere(job) for job in jobs if can_travel(job)]
        if jobs:
            try:
                yield from self._rows_of_workers(jobs)
            except RayError as error:
                if isinstance(error, RayTaskError):  # a defect of ours, with its traceback
                    raise
                reason = " ".join(str(error).split())[:300]
                raise ClusterError(
                    f"the cluster does not go on ({reason}); run the same command again"
                ) from None

    def _rows_of_workers(self, jobs: Sequence[Job]) -> Iterator[Row]:
        run, size = uuid4().hex[:12], images_in_a_block(len(jobs), self._workers)
        tables = tables_of(jobs, size, lambda number: part_name(run, number), self._present)
        known = attempts_actor()
        dataset = ray.data.from_arrow(list(tables)).map_batches(
            Worker,
            batch_size=None,
            batch_format="pyarrow",
            fn_constructor_args=(self._options, self._settings, known),
            compute=ActorPoolStrategy(
                min_size=1,  # so that an actor whose node is lost is not waited for
                max_size=self._workers,
                initial_size=self._workers,
                max_tasks_in_flight_per_actor=_BLOCKS_OF_A_WORKER,
                max_concurrent_calls_per_actor=_BLOCKS_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=self._options.threads,
            num_gpus=self._gpus,
        )
        names = {job.input.name for job in jobs}
        for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow"):
            for cells in table.to_pylist():
                if cells[FAULT]:
                    raise ClusterError(cells[FAULT])
                row = row_of([cells[column] for column in COLUMNS])
                names.discard(row.path)
                yield row
        if names:
            raise ClusterError(f"the cluster has lost {len(names)} images; run the same command again")
        self._parts.update(part_name(run, number) for number in range(-(-len(jobs) // size)))

    def remove_parts(self) -> None:
        """Remove the files of rows that are in run.csv by now. Raises OSError."""
        for _ in at_once(self._folder.place.remove, sorted(self._parts)):
            pass
        if self._parts:
            self._folder.place.remove_folder(ROWS)
        self._parts.clear()

    def _present(self, job: Job) -> dict[str, int]:
        """Return which files of a store stand under the names of a job's pictures; on a disk, workers see."""
        if not is_url(self._folder.path):
            return {}
        names = (name for kind in KINDS for name in picture_names(job.output, kind))
        sizes = {name: self._folder.place.size(name) for name in names}
        return {name: size for name, size in sizes.items() if size is not None}


def _from_anywhere(job: Job) -> Job:
    """Return a job whose path a process in another folder can open."""
    return replace(job, input=replace(job.input, path=absolute(job.input.path)))
