"""The images of a run that are still to do, the names of their results, and the stamps of their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures
from retinagan.runtime.batch.naming import assign_stems
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.page.page import OldPage, Page
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import FAILED, Row, now
from retinagan.runtime.batch.settings import Settings, Stamp


@dataclass(frozen=True, slots=True)
class Job:
    """An image to segment; `output` is its results' path in the output folder without ``_vessels.png``."""

    input: Input
    output: str


def jobs_to_do(
    inputs: Sequence[Input],
    report: Report,
    folder: OutputFolder,
    kinds: Sequence[str],
    page: Page | OldPage | None = None,
    measures: MeasuresTable | OldMeasures | None = None,
    *,
    again: bool = False,
) -> list[Job]:
    """Name the results of all images, and return the images that are still to do.

    An image is left out if the report says that it is done, from the same file and by the same model and
    options, and its pictures are there, those for the page too, and its measures. With `again` none is left
    out for this reason. In a shard's folder the images of other shards are left out; they are named with the
    rest, so that all shards name them alike.
    """
    stems = assign_stems(inputs, folder.path, {name: row.output for name, row in report.recorded.items()})
    jobs = (Job(item, stem) for item, stem in zip(inputs, stems, strict=True))
    if folder.shard is not None:
        jobs = (job for job in jobs if folder.shard.holds(job.input.name))
    if page is not None:
        page.expect({*report.recorded, *(item.name for item in inputs)})
    return [
        job
        for job in jobs
        if again
        or not _is_done(job, report, folder, kinds)
        or (page is not None and not page.has(job.input.name))
        or (
            isinstance(measures, MeasuresTable)
            and not measures.has(job.input.name, stamp_of(job.input, report.settings))
        )
    ]


def _is_done(job: Job, report: Report, folder: OutputFolder, kinds: Sequence[str]) -> bool:
    stamp = stamp_of(job.input, report.settings)
    return report.is_done(job.input.name, job.output, stamp) and folder.has(job.output, kinds)


def stamp_of(item: Input, settings: Settings) -> Stamp:
    """Return what an image's result depends on: its file as it is now, or as its store listed it."""
    if item.listed is not None:
        return Stamp(*item.listed, settings.model_sha256, settings.digest)
    try:
        return settings.stamp(Path(item.path).stat())
    except OSError:
        return settings.stamp(None)


def failed_row(job: Job, settings: Settings, message: str) -> Row:
    """Return the row of an image that was not tried, or whose worker did not survive it."""
    stamp = stamp_of(job.input, settings)
    return Row(job.input.name, FAILED, message, job.output, stamp, finished=now())
