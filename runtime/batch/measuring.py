"""What `retina-run` measures of an image: its row of measures.csv, and the table of its segments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.pictures import SEGMENTS_HEAD
from retinagan.runtime.batch.place import Place
from retinagan.runtime.batch.row import Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.shard import ROWS, reports_of
from retinagan.runtime.batch.table import Table, encoded, path_from_cell, path_to_cell
from retinagan.runtime.errors import OptionError
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.measures.measure import Measures, measure, millimetres_of
from retinagan.runtime.measures.quantities import COLUMNS, EVERY_COLUMN
from retinagan.runtime.measures.segments import SEGMENT_COLUMNS
from retinagan.runtime.measures.skeleton import require_skeletonize

if TYPE_CHECKING:
    from retinagan.runtime.segmenter import Segmentation

FILE_NAME = "measures.csv"
_STAMP = ("input_bytes", "input_modified", "model_sha256", "settings")
_PLACES = ("start_x_pixels", "start_y_pixels", "end_x_pixels", "end_y_pixels")

Value = float | int | None


def require_measuring(option: str) -> None:
    """Check that measures can be taken, before the work.

    Raises
    ------
    OptionError
        If not; it names the option that asks for them.
    """
    try:
        require_skeletonize()
    except OptionError as error:
        raise OptionError(f"{option}: {error}") from error


def measured(
    photograph: Photograph, result: Segmentation, settings: Settings, *, every_measure: bool = False
) -> Measures:
    """Measure a map, in degrees and millimetres where the user or the image's file gives them.

    The angle that a model assumes is not used, nor a spacing whose pixels are not square.
    """
    angle = photograph.field_of_view if settings.field_of_view is None else settings.field_of_view
    spacing = photograph.pixel_spacing
    if spacing is not None:
        try:
            millimetres_of(spacing)
        except OptionError:
            spacing = None
    return measure(result, field_of_view=angle, pixel_spacing=spacing, every_measure=every_measure)


def segments_table(measures: Measures) -> bytes:
    """Return the segments of a map as a CSV file, a row for each."""
    lines = [encoded(("segment", *_PLACES, "start_at", "end_at", "ring", "quadrant", *SEGMENT_COLUMNS))]
    assert lines[0].startswith(SEGMENTS_HEAD)
    for number, one in enumerate(measures.segments, 1):
        places = (f"{value:.1f}" for value in (*one.start, *one.end))
        words = (one.start_at, one.end_at, one.ring, one.quadrant)
        values = (_cell(value) for value in one.in_units(measures.scale).values())
        lines.append(encoded((str(number), *places, *words, *values)))
    return b"".join(lines)


class MeasuresTable:
    """measures.csv in an output folder: a row for each image; a context manager.

    An image that failed has a row without values.

    Parameters
    ----------
    folder : OutputFolder
        The folder, entered.
    every_measure : bool
        Whether it has a column for every measure, or for the default ones.
    fresh : bool
        Whether a file with other columns may be replaced.

    Raises
    ------
    OutputError
        As of `Table`.
    """

    def __init__(self, folder: OutputFolder, *, every_measure: bool = False, fresh: bool = False) -> None:
        self.every_measure = every_measure
        self._columns = EVERY_COLUMN if every_measure else COLUMNS
        self._other = None if fresh else _header_of(folder)
        self._table = Table(folder, FILE_NAME, _table_columns(self._columns), fresh=fresh)
        self._known: dict[str, Stamp] = {}
        self.path = self._table.path

    def __enter__(self) -> MeasuresTable:
        if self._other is not None and self._other != self.every_measure:
            raise OutputError(
                f"{str(self.path)!r} was written with{'' if self._other else 'out'} --every-measure; give it "
                "alike, choose another --out, or start again with --overwrite"
            )
        self._table.__enter__()
        for cells in self._table.rows():
            self._known[path_from_cell(cells["path"])] = _stamp_of(cells)
        return self

    def __exit__(self, *exception: object) -> None:
        self._table.__exit__(*exception)

    def append(self, row: Row) -> None:
        """Append the measures of a row, and flush them."""
        values = {} if row.measures is None else row.measures
        cells = [_cell(values.get(column)) for column in self._columns]
        self._table.append([path_to_cell(row.path), *cells, row.finished, *row.stamp])
        self._known[row.path] = row.stamp

    def knows(self, path: str) -> bool:
        """Whether there is a row of this image."""
        return path in self._known

    def has(self, path: str, stamp: Stamp) -> bool:
        """Whether there is a row of this image with this stamp."""
        return self._known.get(path) == stamp

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the name of each image that was measured, and a line for `values`."""
        for cells in self._table.rows():
            if any(cells[column] for column in self._columns):
                yield path_from_cell(cells["path"]), " ".join(cells[column] for column in self._columns)

    def values(self, line: str) -> dict[str, Value]:
        """Return the values of a line of `lines` by column; None where there is none.

        Raises
        ------
        ValueError
            If the file was changed, and the line holds what is no number.
        """
        return {column: _value(cell) for column, cell in zip(self._columns, line.split(" "), strict=True)}


class OldMeasures:
    """What a run that measures nothing does with measures.csv: it takes out those of images done again."""

    def __init__(self, folder: OutputFolder) -> None:
        every = _header_of(folder)
        self._table = None if every is None else MeasuresTable(folder, every_measure=every)

    def __enter__(self) -> OldMeasures:
        if self._table is not None:
            self._table.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._table is not None:
            self._table.__exit__(*exception)

    def append(self, row: Row) -> None:
        """Take out the values of a row's image."""
        if self._table is not None and self._table.knows(row.path):
            self._table.append(row)


def _header_of(folder: OutputFolder) -> bool | None:
    """Return whether a table that is there has a column for every measure; None if there is none of ours."""
    place = folder.place
    names = [FILE_NAME, *reports_of(FILE_NAME, place.names(ROWS))]
    for every in (False, True):
        header = encoded(_table_columns(EVERY_COLUMN if every else COLUMNS)).decode()
        if any(_begins_with(place, name, header) for name in names):
            return every
    return None


def _begins_with(place: Place, name: str, header: str) -> bool:
    if not place.size(name) and name == FILE_NAME:
        return False
    try:
        with place.opened(name) as file:
            return file.read(len(header)) == header
    except OSError:
        return False


def _table_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    return ("path", *columns, "finished", *_STAMP)


def _stamp_of(cells: Mapping[str, str]) -> Stamp:
    return Stamp(*(cells[name] for name in _STAMP))


def _cell(value: Value) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _value(cell: str) -> Value:
    if not cell:
        return None
    return int(cell) if cell.isdecimal() else float(cell)
