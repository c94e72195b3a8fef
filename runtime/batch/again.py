"""Say why images that an earlier run has done are done again: another engine, model or option."""

from __future__ import annotations

from collections.abc import Sequence

from retinagan.runtime.batch.jobs import Job, stamp_of
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import FAILED, Row, cells_of
from retinagan.runtime.batch.table import path_from_cell
from retinagan.runtime.console.wording import counted

_COMPARED = ("engine", "model", "threshold", "overlap", "version")
"""Columns of run.csv that people can compare; the others that count are digests."""


def why_again(jobs: Sequence[Job], report: Report) -> str | None:
    """Return a line about images that are done already, though not with what this run has.

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
    str or None
        None if no image is done again for such a reason.
    """
    others = set()
    for job in jobs:
        recorded = report.recorded.get(job.input.name)
        if recorded is None or recorded.status == FAILED:
            continue
        now = stamp_of(job.input, report.settings)
        if recorded.stamp[:2] == now[:2] and recorded.stamp != now:
            others.add(job.input.name)
    if not others:
        return None
    what = "is" if len(others) == 1 else "are"
    return f"{counted(len(others), 'image')} {what} done again: {_difference(others, report)}"


def _difference(others: set[str], report: Report) -> str:
    """Say what differs from the first of these images' rows."""
    before = next(row for row in report.rows() if path_from_cell(row["path"]) in others)
    any_row = Row("", FAILED, "", "", report.settings.stamp(None))
    after = dict(zip(before, cells_of(any_row, report.settings), strict=True))
    for column in _COMPARED:
        if before[column] != after[column]:
            return f"{column} was {before[column]!r} and is {after[column]!r} now"
    if before["model_sha256"] != after["model_sha256"]:
        return f"the model {after['model']!r} is another file now"
    return "another option is given now"
