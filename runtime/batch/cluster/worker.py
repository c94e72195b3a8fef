"""A worker: an actor with a segmenter, which segments blocks of images as a plain run does."""

from __future__ import annotations

import argparse
import threading
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pyarrow as pa
import ray

from retinagan.runtime.batch.batch import Batch
from retinagan.runtime.batch.cluster import attempts
from retinagan.runtime.batch.cluster.keys import Block, block_of
from retinagan.runtime.batch.cluster.rows import encoded_rows, rows_of, travelling
from retinagan.runtime.batch.cluster.shared_batch import SharedBatch
from retinagan.runtime.batch.jobs import Job, failed_row
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.pictures import KINDS
from retinagan.runtime.batch.row import Row, cells_of
from retinagan.runtime.batch.settings import Settings
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.model_arguments import open_segmenter
from retinagan.runtime.segmenter import Segmenter

_NAME = "retina-run"
KILLS = (
    f"{attempts.MOST} workers died while they segmented this image (out of memory, or a fault in a library); "
    "try it on one machine without --cluster"
)


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker needs to know of the command; attributes as the command's options."""

    out: str
    kinds: tuple[str, ...]
    overlay_format: str
    overlay_colour: str
    measures: bool
    overwrite: bool
    model: str | None
    device: str
    engine: str
    field_of_view: float | None
    pixels_per_degree: float | None
    threshold: float | Literal["fixed"] | None
    overlap: float | None
    threads: int

    def settings(self) -> Settings:
        """Open the model, and return what all rows have in common.

        Raises
        ------
        RetinaGanError
            As of `Segmenter`.
        """
        return self.settings_of(self.opened())

    def opened(self) -> Segmenter:
        """Open the model."""
        return open_segmenter(_NAME, argparse.Namespace(**asdict(self)), quiet=True)

    def settings_of(self, segmenter: Segmenter) -> Settings:
        """Return what all rows have in common, of a model that is open."""
        return Settings.of(
            segmenter.spec,
            segmenter.engine,
            self.field_of_view,
            self.overlay_colour,
            measures=self.measures,
        )


class Worker:
    """Segments blocks of images, for `ray.data.Dataset.map_batches`.

    It may be called in several threads at once: while the last images of one block are being written, the
    first of the next are read.

    What it began and ended is told to `attempts`, so that the worker which takes over a block after this one
    has died goes on where it was. Images that were being segmented then are segmented one at a time, and
    after three workers have died with an image, that image has failed.

    Parameters
    ----------
    options : WorkerOptions
        How to segment, and what to write where.
    settings : Settings
        What the driver has found by `WorkerOptions.settings`.
    known : actor handle
        An `attempts.Attempts`.
    """

    def __init__(self, options: WorkerOptions, settings: Settings, known: Any) -> None:
        self._options = options
        self._settings = settings
        self._known = known
        self._opening = threading.Lock()
        self._opened: tuple[SharedBatch, OutputFolder] | None = None

    def __call__(self, table: pa.Table) -> pa.Table:
        """Return the rows of a block's images when their pictures, and the rows, are written."""
        block = block_of(table)
        rows: list[tuple[str, ...]] = []
        try:
            batch, folder = self._open()
            written = _rows_written(folder, block.part)
            if written:  # by a worker that died afterwards
                return travelling(written)
            self._segment(block, batch, folder, rows)
            folder.replace(block.part, [encoded_rows(rows)])
        except (RetinaGanError, OSError) as error:  # a traceback of Ray's would hide what is to be done
            return travelling(rows, f"{error}; on node {ray.util.get_node_ip_address()}")
        ray.get(self._known.forget.remote([job.input.name for job in block.jobs]))
        return travelling(rows)

    def _open(self) -> tuple[SharedBatch, OutputFolder]:
        with self._opening:
            if self._opened is None:
                self._opened = self._opened_anew()
            return self._opened

    def _opened_anew(self) -> tuple[SharedBatch, OutputFolder]:
        warnings.simplefilter("ignore")  # decoders warn about files that they can read
        options = self._options
        segmenter = options.opened()
        settings = options.settings_of(segmenter)
        if settings != self._settings:
            raise RetinaGanError(
                f"the nodes would not segment alike: {_described(settings)} here, "
                f"{_described(self._settings)} on another; install the same versions, "
                "or choose by --device and --engine"
            )
        folder = OutputFolder(
            options.out, overwrite=options.overwrite, overlay_format=options.overlay_format, guest=True
        )
        folder.__enter__()
        batch = Batch(segmenter.frame_steps(noun="image"), folder, settings, options.kinds)
        return SharedBatch(batch, self._begin), folder

    def _segment(
        self, block: Block, batch: SharedBatch, folder: OutputFolder, rows: list[tuple[str, ...]]
    ) -> None:
        """Segment what is left of a block; add its rows to `rows`."""
        folder.place.know(block.present)
        known = ray.get(self._known.known.remote([job.input.name for job in block.jobs]))
        new: list[Job] = []
        suspects: list[Job] = []
        for job in block.jobs:
            begun, cells = known.get(job.input.name, (0, ()))
            if cells:
                rows.append(cells)
            elif begun >= attempts.MOST:
                folder.remove(job.output, KINDS)
                rows.append(self._cells(failed_row(job, self._settings, KILLS)))
            else:
                (suspects if begun else new).append(job)
        for row in batch.rows(new, suspects):
            rows.append(self._cells(row))
            self._known.end.remote(row.path, rows[-1])

    def _begin(self, job: Job) -> None:
        ray.get(self._known.begin.remote(job.input.name))  # before anything can happen

    def _cells(self, row: Row) -> tuple[str, ...]:
        return tuple(cells_of(row, self._settings))


def _rows_written(folder: OutputFolder, part: str) -> list[tuple[str, ...]]:
    with suppress(OSError, ValueError):
        return list(rows_of(folder.place.content(part)))
    return []


def _described(settings: Settings) -> str:
    model = f"model {settings.model} {settings.model_sha256[:12]}"
    return f"retinagan {settings.version}, {settings.engine}, {model}"
