"""Many images through one segmenter: reading, segmenting and writing overlap; no image stops the others."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retinagan.runtime.batch.drawing import PICTURES, Scene
from retinagan.runtime.batch.fetching import Fetching
from retinagan.runtime.batch.jobs import Job, stamp_of
from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures, measured, segments_table
from retinagan.runtime.batch.objects import (
    ObjectMaker,
    check_dicom,
    require_dicom,
    source_of,
    warnings_of,
)
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.page.drawing import Drawing
from retinagan.runtime.batch.page.page import OldPage, Page
from retinagan.runtime.batch.pictures import KINDS, TABLES, objects_among
from retinagan.runtime.batch.row import DONE, FAILED, Row, now
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.faults import FaultPolicy
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.images.reading import decode_image, read_image
from retinagan.runtime.measures.measure import Measures
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.stream.stages import FrameSteps, Passing
from retinagan.runtime.stream.threads import overlapped

if TYPE_CHECKING:
    from retinagan.runtime.dicom.source import Source

_IN_FLIGHT = 5  # an image in each of reading, the three steps and writing; each takes 75 MB at 8 megapixels
_WRITERS = 2  # images whose pictures are compressed at once, each kind in a thread of its own


@dataclass(kw_only=True)
class _Image(Passing):
    """An image on its way through the stages, in RGB once it is read; `error` is what stopped it.

    `content` is that of its object, if it is in a store.
    """

    frame: Photograph
    job: Job
    stamp: Stamp
    source: Source | None = None  # of its DICOM objects
    seen: Prepared | None = None  # what the network saw, where a picture shows it
    measures: Measures | None = None
    content: Future[bytes] | None = None  # of an object in a store
    written: Future[Row] | None = None


@dataclass
class _Apart:
    """What carries an error that is not the image's."""

    error: RetinaGanError | None = None


_UNREAD = Photograph(np.empty((0, 0), np.uint8), 8)


class Batch:
    """Segments images and writes their pictures; a row records the result of each.

    Reading, each step of the segmenter, and writing overlap, so that the engine always has an image to work
    on. Pictures are compressed in threads of their own, those of several images at once.

    Parameters
    ----------
    steps : FrameSteps
        `Segmenter.frame_steps` of a segmenter for RGB frames.
    folder : OutputFolder
        The output folder, entered.
    settings : Settings
        What all rows have in common.
    kinds : sequence of str
        Which pictures and DICOM objects to write, of `KINDS`; check them by
        `retinagan.runtime.batch.objects.check_objects` before.
    page : Page or OldPage, optional
        A page has pictures of its own.
    measures : MeasuresTable or OldMeasures, optional
        Gets the measures of each image before its row is given out.
    """

    def __init__(
        self,
        steps: FrameSteps,
        folder: OutputFolder,
        settings: Settings,
        kinds: Sequence[str],
        page: Page | OldPage | None = None,
        measures: MeasuresTable | OldMeasures | None = None,
    ) -> None:
        self._steps = steps
        self._folder = folder
        self._settings = settings
        self._kinds = tuple(kinds)
        self._with_objects = bool(objects_among(kinds))
        self._shows_seen = "panel" in kinds or settings.overlay_colour == "calibre"
        self._objects = ObjectMaker(settings, folder.overlay_format)
        self.page = page
        self.measures = measures
        self._with_measures = isinstance(measures, MeasuresTable) or bool({*TABLES} & {*kinds})
        self._every_measure = isinstance(measures, MeasuresTable) and measures.every_measure
        self._faults = FaultPolicy("image", ends_run=(OutputError,))

    def run(self, jobs: Iterable[Job]) -> Generator[Row, None, None]:
        """Yield a row for each job, in order, when its pictures are written.

        Raises
        ------
        EngineError
            If the engine failed on several images in a row: then it is not the images' fault.
        OutputError
            If pictures cannot be written any more.
        """
        images = ThreadPoolExecutor(_WRITERS, thread_name_prefix="retina-run-write")
        pictures = ThreadPoolExecutor(_WRITERS * self._parts(), thread_name_prefix="retina-run-encode")

        def hand_over(image: _Image) -> None:
            image.written = images.submit(self._write, image, pictures)

        stages = [
            ("retina-run-read", self._read),
            ("retina-run-prepare", self._prepare),
            ("retina-run-infer", self._steps.infer),
            ("retina-run-regroup", self._regroup),
            ("retina-run-hand-over", hand_over),
        ]
        fetching = iter(Fetching(jobs, lambda job: job.input))
        arriving = (
            _Image(
                frame=_UNREAD,
                arrived=0.0,
                job=job,
                stamp=stamp_of(job.input, self._settings),
                content=content,
            )
            for job, content in fetching
        )
        try:
            with closing(fetching), closing(overlapped(arriving, stages, in_flight=_IN_FLIGHT)) as done:
                for image in done:
                    assert image.written is not None
                    row = image.written.result()
                    if self.page is not None:
                        self.page.advance(row)
                    if self.measures is not None:
                        self.measures.append(row)
                    yield row
        finally:
            images.shutdown(cancel_futures=True)
            pictures.shutdown()

    def _read(self, image: _Image) -> None:
        path = image.job.input.path
        with self._faults.noted(image), image.clock.stage("read"):
            if image.content is not None:
                data, image.content = image.content.result(), None
                if self._with_objects:
                    check_dicom(data)
                image.frame = decode_image(data, frame=image.job.input.frame).in_rgb8()
                image.source = source_of(BytesIO(data), image.frame) if self._with_objects else None
                return
            if Path(path).is_dir():
                raise ImageError("this folder cannot be listed; change its permissions or the user")
            if self._with_objects:
                require_dicom(path)
            image.frame = read_image(path, frame=image.job.input.frame).in_rgb8()
            image.source = source_of(path, image.frame) if self._with_objects else None

    def _prepare(self, image: _Image) -> None:
        if image.error is None:
            self._steps.prepare(image)

    def _regroup(self, image: _Image) -> None:
        image.seen = image.prepared if self._shows_seen else None
        self._steps.regroup(image)

    def _parts(self) -> int:
        """Return how many pictures of an image are compressed at once; the page has two."""
        return len(self._kinds) + (2 if self.page is not None else 0)

    def _write(self, image: _Image, pool: ThreadPoolExecutor) -> Row:
        """Write an image's pictures, all at once, and return its row."""
        result, output = image.segmentation, image.job.output
        if image.error is None and result is not None:
            with self._faults.noted(image), image.clock.stage("write"):
                if self._with_measures:
                    image.measures = measured(
                        image.frame, result, self._settings, every_measure=self._every_measure
                    )
                drawing = self._drawing(image, result)
                scene = Scene(image.frame, result, self._settings, image.seen)
                calls = [partial(self._save, image, scene, kind) for kind in self._kinds]
                writing = [pool.submit(call) for call in [*calls, *(drawing.parts() if drawing else ())]]
                wait(writing)
                for one in writing:
                    one.result()
                if drawing:
                    drawing.finish()
        if image.error is None:
            self._folder.remove(output, set(KINDS) - set(self._kinds))
            self._folder.remove_other_formats(output, self._kinds)
        else:
            self._folder.remove(output, KINDS)
            self._show_failed(image)
        row = _row(image, self._settings)
        # nobody needs them while the row waits
        image.frame, image.segmentation, image.source = _UNREAD, None, None
        image.seen = image.measures = None
        return row

    def _drawing(self, image: _Image, result: Segmentation | None) -> Drawing | None:
        if self.page is None:
            return None
        return self.page.drawing(image.job.input.name, image.frame.pixels, result)

    def _show_failed(self, image: _Image) -> None:
        """Draw the photograph alone for the page; an error here must not hide why the image failed."""
        with self._faults.noted(_Apart()):
            if drawing := self._drawing(image, None):
                for part in drawing.parts():
                    part()
                drawing.finish()

    def _save(self, image: _Image, scene: Scene, kind: str) -> None:
        output, source = image.job.output, image.source
        if kind in PICTURES:
            self._folder.write(output, kind, PICTURES[kind](scene))
        elif kind in TABLES and image.measures is not None:
            self._folder.write_encoded(output, kind, partial(segments_table, image.measures))
        elif source is not None:
            made = partial(self._objects.make, kind, source, scene)
            self._folder.write_encoded(output, kind, made)


def _row(image: _Image, settings: Settings) -> Row:
    row = Row(
        path=image.job.input.name,
        status=FAILED if image.error else DONE,
        message=" ".join(str(image.error or "").split()),
        output=image.job.output,
        stamp=image.stamp,
        seconds=dict(image.clock.seconds),
        finished=now(),
    )
    photograph = image.frame
    if photograph.pixels.size:
        height, width = photograph.pixels.shape[:2]
        row = replace(
            row,
            width=width,
            height=height,
            pixel_spacing=photograph.pixel_spacing,
            laterality=photograph.laterality,
            sop_instance_uid=photograph.sop_instance_uid,
        )
    result = image.segmentation
    if result is None:
        return row.doubted(photograph.warnings)
    roi, vessels = (np.count_nonzero(mask) for mask in (result.roi, result.vessels))
    return replace(
        row,
        field_of_view=result.field_of_view,
        field_of_view_from=settings.angle_from(result.field_of_view, photograph.field_of_view),
        working_size=result.working_size,
        roi_share=roi / result.roi.size,
        vessel_density=vessels / roi if roi else None,
        threshold=result.threshold,
        confidence=None if math.isnan(result.confidence) else result.confidence,
        measures=None if image.error or image.measures is None else image.measures.values,
    ).doubted([*photograph.warnings, *result.warnings, *warnings_of(image.source)])
