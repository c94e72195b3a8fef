"""run.csv: a row for each image, written when the image is done, and read again to resume a run."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from retinagan.runtime import __version__
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.table import DIGEST_LENGTH, Table, path_from_cell, path_to_cell
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.warnings import ImageWarning

_Number = TypeVar("_Number", int, float)

FILE_NAME = "run.csv"
DONE = "done"
WARNING = "warning"
FAILED = "failed"
SEPARATOR = " | "
"""Stands between the sentences of a message: the error's first, then one for each code of a warning."""

STAGES = ("read", "roi", "crop", "equalize", "patches", "infer", "regroup", "write")
"""The steps that are timed, in order."""

ANGLE_FROM = ("given", "file", "assumed", "fixed")
"""Where an image's angle comes from: the user, the image's file, or the model's assumption; "fixed" where the
model has one working size, whatever the angle."""


class Stamp(NamedTuple):
    """What a result depends on: while this stays the same, so does the result.

    `size` and `modified` are those of the image file, in bytes and in seconds since 1970. `settings` is a
    digest of the model's spec, the options, the engine and the program's version.
    """

    size: str
    modified: str
    model_sha256: str
    settings: str


@dataclass(frozen=True)
class Settings:
    """What all rows of a run have in common; see `Row`."""

    engine: str
    model: str
    model_sha256: str
    threshold: float
    overlap: float
    version: str
    digest: str
    field_of_view: float | None = None
    equalization: str = "ace"
    overlay_colour: str = "vessels"

    @classmethod
    def of(
        cls,
        spec: ModelSpec,
        engine: str,
        field_of_view: float | None = None,
        overlay_colour: str = "vessels",
        *,
        measures: bool = False,
    ) -> "Settings":
        """Return the settings of a run.

        Parameters
        ----------
        spec : ModelSpec
            Of the model, with threshold and overlap as used.
        engine : str
            What runs it.
        field_of_view : float, optional
            Degrees that the user gave for all images.
        overlay_colour : {"vessels", "probability", "calibre"}
            What the overlays' vessels are coloured by.
        measures : bool
            Whether vessels are measured, in degrees, too.
        """
        decisive = replace(spec, training={}, scores={}, proof={})
        if spec.preprocessing.pixels_per_degree is None and not measures:
            field_of_view = None  # no matter to a fixed working size
        parts = [decisive.to_json(), engine, __version__]
        parts += [] if field_of_view is None else [f"field of view {field_of_view!r}"]
        parts += [] if overlay_colour == "vessels" else [f"overlay colour {overlay_colour}"]
        digest = hashlib.sha256("\0".join(parts).encode())
        return cls(
            engine=engine,
            model=spec.name,
            model_sha256=spec.sha256,
            threshold=spec.threshold,
            overlap=spec.tiling.overlap,
            version=__version__,
            digest=digest.hexdigest()[:DIGEST_LENGTH],
            field_of_view=field_of_view,
            equalization=spec.preprocessing.method,
            overlay_colour=overlay_colour,
        )

    def angle_from(self, used: float | None, declared: float | None = None) -> str:
        """Return where the angle that scaled an image comes from, one of `ANGLE_FROM`.

        Parameters
        ----------
        used : float or None
            The angle in degrees; None where the model has a fixed working size.
        declared : float or None
            The angle that the image's file declares.
        """
        if used is None:
            return "fixed"
        if self.field_of_view is not None:
            return "given"
        return "assumed" if declared is None else "file"

    def stamp(self, status: os.stat_result | None) -> Stamp:
        """Return the stamp of an image file from its `os.stat`, or None if that failed."""
        size = modified = ""
        if status is not None:
            seconds, fraction = divmod(status.st_mtime_ns, 10**9)
            size, modified = str(status.st_size), f"{seconds}.{fraction:09d}"
        return Stamp(size, modified, self.model_sha256, self.digest)


@dataclass(frozen=True)
class Row:
    """The result of one image.

    `path` is relative to the folder that all inputs share; `output` is the results' name in the output
    folder without ``_vessels.png``. `status` is "done", "warning" (done, with doubts) or "failed"; `warnings`
    are the doubts' codes, joined by a space, and `message` has their sentences, joined by `SEPARATOR`.
    `field_of_view` is the angle in degrees that the retina's disc was taken for, `field_of_view_from` where
    it comes from, one of `ANGLE_FROM`, and `working_size` the side in pixels of the square that the network
    saw. `roi_share` is the share of the image that has a map, retina and rim, `vessel_density` the share of
    that which is vessel, `confidence` the Dice to be expected. All of these are None or empty where the image
    failed. `finished` is when the row was made, in UTC (ISO 8601).
    `measures` are those of `retinagan.runtime.measures`, by column, or None if they were not asked for.
    `pixel_spacing`, `laterality` and `sop_instance_uid` are those that the image's file declares; see
    `retinagan.runtime.images.photograph.Photograph`.
    """

    path: str
    status: str
    message: str
    output: str
    stamp: Stamp
    width: int | None = None
    height: int | None = None
    field_of_view: float | None = None
    field_of_view_from: str = ""
    working_size: int | None = None
    roi_share: float | None = None
    vessel_density: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: str = ""
    confidence: float | None = None
    pixel_spacing: tuple[float, float] | None = None
    laterality: str = ""
    sop_instance_uid: str = ""
    finished: str = ""
    measures: Mapping[str, float | int | None] | None = None

    def doubted(self, warnings: Iterable[ImageWarning]) -> "Row":
        """Return this row with warnings: the codes, their sentences, and the status unless it failed."""
        found: dict[str, list[str]] = {}
        for warning in dict.fromkeys(warnings):
            found.setdefault(warning.code, []).append(warning.message)
        if not found:
            return self
        sentences = [self.message, *("; ".join(texts) for texts in found.values())]
        return replace(
            self,
            status=WARNING if self.status == DONE else self.status,
            warnings=" ".join(found),
            message=" ".join(SEPARATOR.join(filter(None, sentences)).split()),
        )


class Recorded(NamedTuple):
    """What is kept of an image's row from an earlier run."""

    status: str
    output: str
    stamp: Stamp


COLUMNS = (
    "path",
    "status",
    "message",
    "warnings",
    "width",
    "height",
    "field_of_view",
    "field_of_view_from",
    "working_size",
    "row_spacing",
    "column_spacing",
    "laterality",
    "sop_instance_uid",
    "roi_share",
    "vessel_density",
    "confidence",
    *(f"seconds_{stage}" for stage in STAGES),
    "seconds_total",
    "finished",
    "engine",
    "model",
    "model_sha256",
    "threshold",
    "overlap",
    "version",
    "output",
    "input_bytes",
    "input_modified",
    "settings",
)
"""The columns of run.csv."""


class Report:
    """The report in an output folder; a context manager.

    Rows are appended as they come; an image's last row counts; see `Table`.

    Parameters
    ----------
    folder : OutputFolder
        The folder, entered.
    settings : Settings
        What all rows of this run share.
    fresh : bool
        Whether a report of another form may be replaced.

    Raises
    ------
    OutputError
        On entering, if a file of that name cannot be read or has other columns; on `append`, if it cannot
        be written.
    """

    def __init__(self, folder: OutputFolder, settings: Settings, *, fresh: bool = False) -> None:
        self.settings = settings
        self.recorded: dict[str, Recorded] = {}
        self._table = Table(folder, FILE_NAME, COLUMNS, fresh=fresh)
        self.path = self._table.path

    def __enter__(self) -> "Report":
        self._table.__enter__()
        for row in self._table.rows():
            self._remember(row)
        return self

    def __exit__(self, *exception: object) -> None:
        self._table.__exit__(*exception)

    def append(self, row: Row) -> dict[str, str]:
        """Append a row to the file, flush it, and return its cells by column."""
        cells = dict(zip(COLUMNS, cells_of(row, self.settings), strict=True))
        self._table.append(list(cells.values()))
        self._remember(cells)
        return cells

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the cells of each row of the file by column."""
        return self._table.rows()

    def is_done(self, path: str, output: str, stamp: Stamp) -> bool:
        """Whether an earlier row records this image as done, under this name and with this stamp.

        One with warnings is done, too.
        """
        return self.recorded.get(path) in (Recorded(DONE, output, stamp), Recorded(WARNING, output, stamp))

    def is_doubted(self, path: str) -> bool:
        """Whether this image's last row has warnings, of this run or an earlier one."""
        recorded = self.recorded.get(path)
        return recorded is not None and recorded.status == WARNING

    def _remember(self, row: Mapping[str, str]) -> None:
        model, settings = sys.intern(row["model_sha256"]), sys.intern(row["settings"])  # mostly alike
        stamp = Stamp(row["input_bytes"], row["input_modified"], model, settings)
        recorded = Recorded(sys.intern(row["status"]), path_from_cell(row["output"]), stamp)
        self.recorded[path_from_cell(row["path"])] = recorded


def row_of(cells: Sequence[str]) -> Row:
    """Return the row that cells by `cells_of` hold."""
    of = dict(zip(COLUMNS, cells, strict=True))
    spacing = of["row_spacing"], of["column_spacing"]
    seconds = {stage: of[f"seconds_{stage}"] for stage in STAGES}
    return Row(
        path=path_from_cell(of["path"]),
        status=of["status"],
        message=of["message"],
        output=path_from_cell(of["output"]),
        stamp=Stamp(of["input_bytes"], of["input_modified"], of["model_sha256"], of["settings"]),
        width=_of(int, of["width"]),
        height=_of(int, of["height"]),
        field_of_view=_of(float, of["field_of_view"]),
        field_of_view_from=of["field_of_view_from"],
        working_size=_of(int, of["working_size"]),
        roi_share=_of(float, of["roi_share"]),
        vessel_density=_of(float, of["vessel_density"]),
        seconds={stage: float(cell) for stage, cell in seconds.items() if cell},
        warnings=of["warnings"],
        confidence=_of(float, of["confidence"]),
        pixel_spacing=(float(spacing[0]), float(spacing[1])) if all(spacing) else None,
        laterality=of["laterality"],
        sop_instance_uid=of["sop_instance_uid"],
        finished=of["finished"],
    )


def cells_of(row: Row, settings: Settings) -> list[str]:
    """Return a row's cells in the order of `COLUMNS`."""
    stages = [row.seconds.get(stage) for stage in STAGES]
    total = sum(row.seconds.values()) if row.seconds else None
    return [
        path_to_cell(row.path),
        row.status,
        row.message,
        row.warnings,
        *(str(size) if size is not None else "" for size in (row.width, row.height)),
        "" if row.field_of_view is None else f"{row.field_of_view:g}",
        row.field_of_view_from,
        "" if row.working_size is None else str(row.working_size),
        *(("", "") if row.pixel_spacing is None else (f"{side:.6g}" for side in row.pixel_spacing)),
        row.laterality,
        row.sop_instance_uid,
        *(_number(number) for number in (row.roi_share, row.vessel_density, row.confidence, *stages, total)),
        row.finished,
        settings.engine,
        settings.model,
        row.stamp.model_sha256,
        f"{settings.threshold:g}",
        f"{settings.overlap:g}",
        settings.version,
        path_to_cell(row.output),
        row.stamp.size,
        row.stamp.modified,
        row.stamp.settings,
    ]


def _of(kind: Callable[[str], _Number], cell: str) -> _Number | None:
    return kind(cell) if cell else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
