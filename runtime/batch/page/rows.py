"""What the page shows of each image, read from run.csv and, where there is one, from measures.csv."""

import csv
import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.batch.page.names import Names
from retinagan.runtime.batch.page.pictures import threshold_level
from retinagan.runtime.batch.row import COLUMNS, DONE, FAILED, WARNING
from retinagan.runtime.batch.table import path_from_cell

MEASURES = "measures.csv"
STATUSES = (DONE, WARNING, FAILED)

OWN_NUMBERS = ("confidence", "vessel_density", "roi_share")
"""The columns of run.csv that can be sorted, filtered and drawn."""
_DIGITS_KEPT = 6


class Run(NamedTuple):
    """What images that were segmented alike have in common."""

    model: str
    model_sha256: str
    engine: str
    overlap: str
    version: str


class Shown(NamedTuple):
    """What the page shows of an image, besides its numbers.

    `name` and `digits` are what it is called and the folder of its pictures; `status` is a position in
    `STATUSES`, `warnings` has codes with spaces between them, and `message` is empty where names are hidden,
    since it may contain one. `level` is the map's threshold in 8 bits. `map` changes when the image's map may
    have changed. `run` is a position in `Rows.runs`. `pictures` is 0 without pictures, 1 with the photograph
    alone, 2 with the map, too.
    """

    name: str
    digits: str
    status: int
    warnings: str
    message: str
    width: int | None
    height: int | None
    working_size: int | None
    field_of_view: str
    field_of_view_from: str
    threshold: str
    level: int
    map: str
    run: int
    pictures: int


@dataclass(frozen=True)
class Rows:
    """All images; `numbers` has a list for each column that can be sorted, filtered and drawn."""

    shown: list[Shown]
    runs: list[Run]
    numbers: dict[str, list[float | None]]


def read_rows(
    rows: Iterable[Mapping[str, str]], folder: Path, names: Names, has_pictures: Callable[[str], bool]
) -> Rows:
    """Read the images of an output folder.

    Parameters
    ----------
    rows : iterable of mappings
        The rows of run.csv by column; an image's last one counts.
    folder : Path
        The output folder. If it has a measures.csv, its numeric columns are taken.
    names : Names
        What images are called. Where names are hidden, the order of the images tells nothing of them either.
    has_pictures : callable
        Whether the image with these digits has pictures.

    Raises
    ------
    OutputError
        If measures.csv cannot be read.
    """
    runs: dict[Run, int] = {}
    images: dict[str, tuple[Shown, tuple[float | None, ...]]] = {}
    for row in rows:
        if row.get("status") in STATUSES:  # the file may have been edited
            name = path_from_cell(row["path"])
            run = runs.setdefault(_run_of(row), len(runs))
            images[name] = _shown(name, row, run), tuple(_number(row[column]) for column in OWN_NUMBERS)
    names.add(images)
    digits = {name: names.digits_of(name) for name in images}
    order = sorted(images, key=lambda name: digits[name] if names.hidden else name)
    shown = []
    for name in order:
        image, own = images[name][0], digits[name]
        pictures = 0 if not has_pictures(own) else 1 if STATUSES[image.status] == FAILED else 2
        image = image._replace(digits=own, pictures=pictures)
        shown.append(image._replace(name=own, message="") if names.hidden else image)
    numbers = {column: [images[name][1][place] for name in order] for place, column in enumerate(OWN_NUMBERS)}
    return Rows(shown, list(runs), numbers | _measures(folder / MEASURES, order))


def _shown(name: str, row: Mapping[str, str], run: int) -> Shown:
    return Shown(
        name=name,
        digits="",
        status=STATUSES.index(row["status"]),
        warnings=row["warnings"],
        message=row["message"],
        width=_whole(row["width"]),
        height=_whole(row["height"]),
        working_size=_whole(row["working_size"]),
        field_of_view=row["field_of_view"],
        field_of_view_from=row["field_of_view_from"],
        threshold=row["threshold"],
        level=threshold_level(_number(row["threshold"]) or 0.0),
        map=_version_of_map(row),
        run=run,
        pictures=0,
    )


def _run_of(row: Mapping[str, str]) -> Run:
    return Run(
        model=row["model"],
        model_sha256=row["model_sha256"][:12],
        engine=row["engine"],
        overlap=row["overlap"],
        version=row["version"],
    )


def _version_of_map(row: Mapping[str, str]) -> str:
    decisive = ("input_bytes", "input_modified", "model_sha256", "settings", "status")
    text = "\0".join(row[name] for name in decisive)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _measures(path: Path, order: list[str]) -> dict[str, list[float | None]]:
    """Return the columns that hold numbers, at least one, and nothing else, in the order of the images."""
    cells: dict[str, dict[str, str]] = {}
    kept: list[str] = []
    for row in _rows_of(path):
        if not cells:
            kept = [name for name in row if name not in COLUMNS]  # not what run.csv has already
        cells[path_from_cell(row.get("path", ""))] = {name: row[name] for name in kept}
    columns = {name: [cells[image][name] if image in cells else "" for image in order] for name in kept}
    return {
        name: [_number(cell) for cell in column]
        for name, column in columns.items()
        if any(column) and all(cell == "" or cell.lower() == "nan" or _is_number(cell) for cell in column)
    }


def _rows_of(path: Path) -> Iterator[dict[str, str]]:
    """Yield the complete rows of a table; nothing if there is no such file."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            for row in csv.DictReader(file):
                if None not in row and None not in row.values():  # else it was cut off
                    yield row
    except FileNotFoundError:
        return
    except csv.Error:
        return  # what a power cut left at the end is no text
    except OSError as error:
        raise OutputError(f"cannot read {str(path)!r} ({error.strerror})") from None


def _is_number(cell: str) -> bool:
    return _number(cell) is not None


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return float(f"{value:.{_DIGITS_KEPT}g}") if math.isfinite(value) else None


def _whole(cell: str) -> int | None:
    return int(cell) if cell.isdecimal() else None
