"""Many images through one segmenter: reading, segmenting and writing overlap, and no image stops the rest."""

import math
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.naming import assign_stems
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.overlay import draw_overlay
from retinagan.runtime.batch.pictures import KINDS
from retinagan.runtime.batch.report import DONE, FAILED, Report, Row, Settings, Stamp
from retinagan.runtime.errors import ImageError, RetinaGanError
from retinagan.runtime.faults import FaultPolicy
from retinagan.runtime.images.reading import read_photograph
from retinagan.runtime.segmenter import Segmentation
from retinagan.runtime.steps.timing import StageClock
from retinagan.runtime.stream.threads import overlapped
from retinagan.runtime.warnings import ImageWarning

Segment = Callable[[NDArray[Any]], Segmentation]

_IN_FLIGHT = 4  # an image in each of the three stages, and one that waits


@dataclass(frozen=True, slots=True)
class Job:
    """An image to do; `output` is its results' name in the output folder without ``_vessels.png``."""

    input: Input
    output: str


def jobs_to_do(
    inputs: Sequence[Input],
    report: Report,
    folder: OutputFolder,
    kinds: Sequence[str],
    *,
    again: bool = False,
) -> list[Job]:
    """Name the results of all images, and give those that are still to do.

    An image is left out if the report says that it is done, from the same file and by the same model and
    options, and its pictures are there. With `again` none is left out.
    """
    stems = assign_stems(inputs, folder.path, {name: row.output for name, row in report.recorded.items()})
    jobs = (Job(item, stem) for item, stem in zip(inputs, stems, strict=True))
    return [job for job in jobs if again or not _is_done(job, report, folder, kinds)]


def _is_done(job: Job, report: Report, folder: OutputFolder, kinds: Sequence[str]) -> bool:
    stamp = _stamp(job.input, report.settings)
    return report.is_done(job.input.name, job.output, stamp) and folder.has(job.output, kinds)


def _stamp(item: Input, settings: Settings) -> Stamp:
    try:
        return settings.stamp(Path(item.path).stat())
    except OSError:
        return settings.stamp(None)


@dataclass
class _Passing:
    """An image on its way through the stages; `error` is what ended it."""

    job: Job
    stamp: Stamp
    clock: StageClock = field(default_factory=StageClock)
    image: NDArray[Any] | None = None
    result: Segmentation | None = None
    error: RetinaGanError | None = None
    row: Row | None = None
    warnings: tuple[ImageWarning, ...] = ()


class Batch:
    """Segments images and writes their pictures; a row tells what became of each.

    Parameters
    ----------
    segment : callable
        A `Segmenter` for RGB frames.
    folder : OutputFolder
        Where the pictures go, entered.
    settings : Settings
        What all rows share.
    kinds : sequence of str
        Which pictures to write, of `KINDS`.
    """

    def __init__(
        self, segment: Segment, folder: OutputFolder, settings: Settings, kinds: Sequence[str]
    ) -> None:
        self._segment_frame = segment
        self._folder = folder
        self._settings = settings
        self._kinds = tuple(kinds)
        self._faults = FaultPolicy("image", ends_run=(OutputError,))

    def run(self, jobs: Iterable[Job]) -> Generator[Row, None, None]:
        """Give a row for each job, in their order, when its pictures are written.

        Raises
        ------
        EngineError
            If the engine failed on several images in a row: then it is not the images' fault.
        OutputError
            If pictures cannot be written any more.
        """
        stages = [
            ("retina-run-read", self._read),
            ("retina-run-segment", self._segment),
            ("retina-run-write", self._write),
        ]
        arriving = (_Passing(job, _stamp(job.input, self._settings)) for job in jobs)
        with closing(overlapped(arriving, stages, in_flight=_IN_FLIGHT)) as done:
            for passing in done:
                assert passing.row is not None
                yield passing.row

    def _read(self, passing: _Passing) -> None:
        path = passing.job.input.path
        with self._faults.noted(passing), passing.clock.stage("read"):
            if Path(path).is_dir():
                raise ImageError("this folder cannot be listed; change its permissions or the user")
            photograph = read_photograph(path, frame=passing.job.input.frame)
            passing.warnings = photograph.warnings
            passing.image = photograph.as_rgb8()

    def _segment(self, passing: _Passing) -> None:
        if passing.image is not None:
            with self._faults.noted(passing), self._faults.engine_watched(passing):
                passing.result = self._segment_frame(passing.image)

    def _write(self, passing: _Passing) -> None:
        result, output = passing.result, passing.job.output
        if passing.image is not None and result is not None:
            with self._faults.noted(passing), passing.clock.stage("write"):
                for kind in self._kinds:
                    self._folder.write(output, kind, _PICTURES[kind](passing.image, result))
        stale = set(KINDS) if passing.error else set(KINDS) - set(self._kinds)
        self._folder.remove(output, stale)
        passing.row = _row(passing)
        passing.image = passing.result = None  # nobody needs them while the row waits to be fetched


def _message(passing: _Passing) -> str:
    """Say on one line what ended an image, and what its file leaves in doubt."""
    said = [str(passing.error or ""), *map(str, passing.warnings)]
    return " ".join("; ".join(part for part in said if part).split())


def _row(passing: _Passing) -> Row:
    row = Row(
        path=passing.job.input.name,
        status=FAILED if passing.error else DONE,
        message=_message(passing),
        output=passing.job.output,
        stamp=passing.stamp,
        seconds=dict(passing.clock.seconds),
    )
    if passing.image is not None:
        height, width = passing.image.shape[:2]
        row = replace(row, width=width, height=height)
    if passing.result is None:
        return row
    roi, vessels = (np.count_nonzero(mask) for mask in (passing.result.roi, passing.result.vessels))
    return replace(
        row,
        roi_share=roi / passing.result.roi.size,
        vessel_density=vessels / roi if roi else None,
        confidence=None if math.isnan(passing.result.confidence) else passing.result.confidence,
        seconds={**row.seconds, **passing.result.seconds},
    ).doubted(passing.result.warnings)


def _vessels(image: NDArray[Any], result: Segmentation) -> NDArray[np.uint8]:
    white: NDArray[np.uint8] = np.where(result.vessels, np.uint8(255), np.uint8(0))
    return white


def _probability(image: NDArray[Any], result: Segmentation) -> NDArray[np.uint16]:
    scaled: NDArray[np.float32] = np.rint(result.probability * np.float32(65535))
    return scaled.astype(np.uint16)


def _overlay(image: NDArray[Any], result: Segmentation) -> NDArray[np.uint8]:
    return draw_overlay(image, result.vessels, result.roi)


_PICTURES: dict[str, Callable[[NDArray[Any], Segmentation], NDArray[Any]]] = {
    "vessels": _vessels,
    "probability": _probability,
    "overlay": _overlay,
}
