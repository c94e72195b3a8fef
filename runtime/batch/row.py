"""The result of one image, and its cells in run.csv."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TypeVar

from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.table import path_from_cell, path_to_cell
from retinagan.runtime.warnings import ImageWarning

_Number = TypeVar("_Number", int, float)

DONE = "done"
WARNING = "warning"
FAILED = "failed"
SEPARATOR = " | "
"""Stands between the sentences of a message: the error's first, then one for each code of a warning."""

STAGES = ("read", "roi", "crop", "equalize", "patches", "infer", "regroup", "write")
"""The steps that are timed, in order."""


@dataclass(frozen=True)
class Row:
    """The result of one image.

    `path` is relative to the folder that all inputs share; `output` is the results' name in the output
    folder without ``_vessels.png``. `status` is "done", "warning" (done, with doubts) or "failed"; `warnings`
    are the doubts' codes, joined by a space, and `message` has their sentences, joined by `SEPARATOR`.
    `field_of_view` is the angle in degrees that the retina's disc was taken for, `field_of_view_from` where
    it comes from, one of `retinagan.runtime.batch.settings.ANGLE_FROM`, and `working_size` the side in pixels
    of the square that the network saw. `roi_share` is the share of the image that has a map, retina and rim,
    `vessel_density` the share of that which is vessel, `threshold` the probability from which pixels are, and
    `confidence` the Dice to be expected. All of these are None or empty where the image failed. `finished` is
    when the row was made, in UTC (ISO 8601).
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
    threshold: float | None = None
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
    "threshold_from",
    "overlap",
    "version",
    "output",
    "input_bytes",
    "input_modified",
    "settings",
)
"""The columns of run.csv."""


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
        threshold=_of(float, of["threshold"]),
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
        "" if row.threshold is None else f"{row.threshold:g}",
        settings.threshold_from,
        f"{settings.overlap:g}",
        settings.version,
        path_to_cell(row.output),
        row.stamp.size,
        row.stamp.modified,
        row.stamp.settings,
    ]


def now() -> str:
    """Return the time in UTC (ISO 8601)."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _of(kind: Callable[[str], _Number], cell: str) -> _Number | None:
    return kind(cell) if cell else None


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.5f}"
