"""Tables of a run as CSV files: a row for each image, appended when it is done, read again to resume."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Sequence
from itertools import chain

from retinagan.runtime.batch.outputs import OutputError, OutputFolder

DIGEST_LENGTH = 16
"""Characters of the digest in the last column, so that a truncated row is recognised."""

_READ_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_HEADER = 10_000


class Table:
    """A CSV file in the output folder with a row for each image; a context manager.

    Rows are appended as they come; an image's last row counts. On leaving, rows that later ones replace
    are taken out. A last row that a killed run left half-written is dropped on entering.

    Parameters
    ----------
    folder : OutputFolder
        The folder, entered.
    name : str
        The file's name.
    columns : sequence of str
        The first identifies the image; the last has `DIGEST_LENGTH` characters in every row.
    fresh : bool
        Whether a file of that name with other columns may be replaced.

    Raises
    ------
    OutputError
        On entering, if the file cannot be read or has other columns; on `append`, if it cannot be written.
    """

    def __init__(
        self, folder: OutputFolder, name: str, columns: Sequence[str], *, fresh: bool = False
    ) -> None:
        self.path = folder.path / name
        self.columns = tuple(columns)
        self._folder = folder
        self._fresh = fresh
        self._seen: set[str] = set()
        self._superseded = False
        self._file = -1

    def __enter__(self) -> "Table":
        try:
            self._check_header()
            self._rewrite()
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise self._cannot_write(error) from None
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            os.close(self._file)  # a network file system may report only now that it is full
        except OSError as error:
            raise self._cannot_write(error) from None
        if self._superseded:
            with contextlib.suppress(OSError):  # the older rows are then still there, before the newer ones
                self._rewrite()

    def append(self, cells: Sequence[str]) -> None:
        """Append a row to the file, and flush it."""
        rest = _encoded(cells)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise self._cannot_write(error) from None
        self._superseded |= cells[0] in self._seen
        self._seen.add(cells[0])

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the cells of the complete rows of the file by column."""
        for cells in self._rows():
            yield dict(zip(self.columns, cells, strict=True))

    def _cannot_write(self, error: OSError) -> OutputError:
        return OutputError(f"cannot write {str(self.path)!r} ({error.strerror}); choose another --out")

    def _check_header(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            header = file.readline(_LONGEST_HEADER)
        if header == _encoded(self.columns).decode():
            return
        if not self._fresh:
            raise OutputError(
                f"{str(self.path)!r} does not have the columns that this version of retina-run writes; "
                "move it away, choose another --out, or start again with --overwrite"
            )
        self._folder.replace(self.path.name, [])

    def _rows(self) -> Iterator[list[str]]:
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            try:
                next(reader, None)
                for cells in reader:
                    if len(cells) == len(self.columns) and len(cells[-1]) == DIGEST_LENGTH:
                        yield cells
            except csv.Error:
                return  # what a power cut left at the end is no text

    def _rewrite(self) -> None:
        """Rewrite the file with each image's last row."""
        last = {cells[0]: number for number, cells in enumerate(self._rows())}
        kept = (_encoded(cells) for number, cells in enumerate(self._rows()) if last[cells[0]] == number)
        self._folder.replace(self.path.name, chain([_encoded(self.columns)], kept))
        self._seen = set(last)
        self._superseded = False


def path_to_cell(path: str) -> str:
    """Change a relative path so that no spreadsheet reads it as a formula."""
    return f"./{path}" if path.startswith(_READ_AS_FORMULA) else path


def path_from_cell(cell: str) -> str:
    """Return the path that a cell by `path_to_cell` holds."""
    return cell[2:] if cell.startswith("./") else cell


def _encoded(cells: Sequence[str]) -> bytes:
    """Return a line of the file; names that are not valid text keep their bytes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", errors="surrogateescape")
