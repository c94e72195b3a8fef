"""Rows of run.csv as Parquet files: each worker writes those of a block whole, and nobody appends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import pyarrow as pa
import pyarrow.parquet as pq

from retinagan.runtime.batch.row import COLUMNS
from retinagan.runtime.batch.shard import ROWS

FAULT = "fault"
"""A column that travels to the driver beside the rows: why a worker cannot go on; empty in rows of images."""

_SCHEMA = pa.schema([(column, pa.string()) for column in COLUMNS])


def part_name(run: str, number: int) -> str:
    """Return the name of a block's file in the output folder, as `shard.reports_of` knows it.

    Parameters
    ----------
    run : str
        Twelve digits from 0 to f.
    number : int
        The block's number, from 0.
    """
    return f"{ROWS}/run.part-{run}-{number:06}.parquet"


def encoded_rows(rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows, with cells as in run.csv, as the content of a Parquet file."""
    content = BytesIO()
    pq.write_table(table_of(rows), content, compression="zstd")
    return content.getvalue()


def table_of(rows: Sequence[Sequence[str]]) -> pa.Table:
    """Return rows as an Arrow table; characters that are no text become question marks."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in COLUMNS)
    arrays = [pa.array([_text(cell) for cell in column], pa.string()) for column in columns]
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def travelling(rows: Sequence[Sequence[str]], fault: str = "") -> pa.Table:
    """Return rows with the column `FAULT`; a fault is one more row that says nothing else."""
    every = [*rows, ("",) * len(COLUMNS)] if fault else rows
    faults = [*([""] * len(rows)), *([fault] if fault else [])]
    return table_of(every).append_column(FAULT, pa.array(faults, pa.string()))


def rows_of(content: bytes, columns: Sequence[str] = COLUMNS) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a Parquet file.

    Raises
    ------
    ValueError
        If it is no Parquet file, or has other columns.
    """
    table = pq.read_table(pa.BufferReader(content))  # what is broken raises ArrowInvalid, a ValueError
    if tuple(table.column_names) != tuple(columns):
        raise ValueError("other columns")
    yield from zip(*(table.column(name).to_pylist() for name in columns), strict=True)


def _text(cell: str) -> str:
    return cell.encode(errors="replace").decode()
