"""run.csv: a row for each image, written when the image is done, and read again to resume a run."""

import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.row import COLUMNS, DONE, WARNING, Row, cells_of
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.table import Table, path_from_cell

FILE_NAME = "run.csv"


class Recorded(NamedTuple):
    """What is kept of an image's row from an earlier run."""

    status: str
    output: str
    stamp: Stamp


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
