"""Jobs as Arrow tables, in which they travel to the workers, a block each; nothing of an image travels."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job

_SCHEMA = pa.schema(
    [
        ("part", pa.string()),
        ("path", pa.string()),
        ("name", pa.string()),
        ("frame", pa.int32()),
        ("size", pa.string()),
        ("modified", pa.string()),
        ("output", pa.string()),
        ("present", pa.string()),
    ]
)
_LARGEST = 64  # images in a block
_BLOCKS_OF_AN_ACTOR = 8  # at least, if there are as many images, so that all actors end together
_SMALLEST = 16  # more than are on their way at once through one actor, those that are fetched ahead included


class Block(NamedTuple):
    """The jobs of a block.

    `part` is the name of the file in the output folder that gets their rows, `present` the files of a store
    that stand under the names of their pictures, with sizes in bytes.
    """

    part: str
    jobs: list[Job]
    present: dict[str, int]


def images_in_a_block(jobs: int, actors: int) -> int:
    """Return how many images are in a block."""
    share = -(-jobs // actors)
    return min(_LARGEST, max(min(_SMALLEST, share), -(-share // _BLOCKS_OF_AN_ACTOR)))


def tables_of(
    jobs: Sequence[Job], size: int, part: Callable[[int], str], present: Callable[[Job], Mapping[str, int]]
) -> Iterator[pa.Table]:
    """Yield a table for each block of `size` jobs.

    Parameters
    ----------
    part : callable
        Returns the name of a block's file of rows from the block's number, from 0.
    present : callable
        Returns which files of a store stand under the names of a job's pictures, and their sizes in bytes.
    """
    for number, start in enumerate(range(0, len(jobs), size)):
        block = jobs[start : start + size]
        listed = [job.input.listed or (None, None) for job in block]
        columns = [
            [part(number)] * len(block),
            [job.input.path for job in block],
            [job.input.name for job in block],
            [job.input.frame for job in block],
            [one[0] for one in listed],
            [one[1] for one in listed],
            [job.output for job in block],
            [json.dumps(dict(present(job))) for job in block],
        ]
        yield pa.Table.from_arrays(
            [pa.array(column, field.type) for column, field in zip(columns, _SCHEMA, strict=True)],
            schema=_SCHEMA,
        )


def block_of(table: pa.Table) -> Block:
    """Return what a table of `tables_of` says."""
    rows = table.to_pylist()
    (part,) = {row["part"] for row in rows}
    present: dict[str, int] = {}
    for row in rows:
        present |= json.loads(row["present"])
    jobs = [
        Job(
            Input(
                row["path"],
                row["name"],
                row["frame"],
                None if row["size"] is None else (row["size"], row["modified"]),
            ),
            row["output"],
        )
        for row in rows
    ]
    return Block(part, jobs, present)


def can_travel(job: Job) -> bool:
    """Whether a job's names are valid text, as Arrow's strings are."""
    try:
        "".join((job.input.path, job.input.name, job.output)).encode()
    except UnicodeEncodeError:
        return False
    return True
