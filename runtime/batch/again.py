"""Say why images that an earlier run has done are done again: another engine, model or option."""

from __future__ import annotations

from collections.abc import Sequence

from retinagan.runtime.batch.jobs import Job, stamp_of
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import FAILED, Row, cells_of
from retinagan.runtime.batch.table import path_from_cell
from retinagan.runtime.console.wording import counted

_COMPARED = ("engine", "model", "threshold_from", "threshold", "overlap", "version")
"""Columns of run.csv that people can compare; the others that count are digests."""


def why_again(jobs: Sequence[Job], report: Report) -> list[str]:
    """Return lines about images that are done already, but not with what this run has or asks for.

    A run that goes on on another machine, such as one that takes in the parts of a job array, may have
    another engine, and so would do all images again without the user having asked for it.

    Parameters
    ----------
    jobs : sequence of Job
        The images that are to be done.
    report : Report
        Entered.

    Returns
    -------
    list of str
        A line for each reason; none for images that failed or whose files have changed.
    """
    otherwise, incomplete = set(), 0
    for job in jobs:
        recorded = report.recorded.get(job.input.name)
        if recorded is None or recorded.status == FAILED:
            continue
        now = stamp_of(job.input, report.settings)
        if recorded.stamp == now:
            incomplete += 1
        elif recorded.stamp[:2] == now[:2]:
            otherwise.add(job.input.name)
    lines = []
    if otherwise:
        lines.append(f"{_counted(len(otherwise))} done again: {_difference(otherwise, report)}")
    if incomplete:
        lines.append(
            f"{_counted(incomplete)} done again: pictures or measures that are asked for are not there yet"
        )
    return lines


def _counted(number: int) -> str:
    return f"{counted(number, 'image')} {'is' if number == 1 else 'are'}"


def _difference(others: set[str], report: Report) -> str:
    """Say what differs from the first of these images' rows."""
    before = next(row for row in report.rows() if path_from_cell(row["path"]) in others)
    settings = report.settings
    any_row = Row("", FAILED, "", "", settings.stamp(None), threshold=settings.threshold)
    after = dict(zip(before, cells_of(any_row, settings), strict=True))
    for column in _COMPARED:
        if column == "threshold" and settings.threshold_from == "map":
            continue  # of each map
        if before[column] != after[column]:
            return f"{column} was {before[column]!r} and is {after[column]!r} now"
    if before["model_sha256"] != after["model_sha256"]:
        return f"the model {after['model']!r} is another file now"
    return "another option is given now"
