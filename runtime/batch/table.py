"""Tables of a run as CSV files: a row for each image, appended when it is done, read again to resume."""

import contextlib
import csv
import io
from collections.abc import Iterator, Sequence

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.place import Lines
from retinagan.runtime.batch.shard import ROWS, reports_of

DIGEST_LENGTH = 16
"""Characters of the digest in the last column, so that a truncated row is recognised."""

_READ_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_HEADER = 10_000
_FINISHED = "finished"
_PARQUET = ".parquet"


class Table:
    """A CSV file in the output folder with a row for each image; a context manager.

    Rows are appended as they come; an image's last row counts. On leaving, rows that later ones replace
    are taken out. A last row that a killed run left half-written is dropped on entering.

    A shard writes to a file of its own, such as ``rows/run.3-of-16.csv``, and reads those of others that may
    have rows of its images. A run without shards takes the rows of all shards into its file on entering, and
    removes theirs, and those of the workers of a cluster.

    Parameters
    ----------
    folder : OutputFolder
        The folder, entered.
    name : str
        The file's name.
    columns : sequence of str
        The first identifies the image; the last has `DIGEST_LENGTH` characters in every row. Where one is
        called "finished", the latest of the rows that several files have of an image counts, otherwise that
        of the file which was changed last.
    fresh : bool
        Whether a file of that name with other columns may be replaced.

    Raises
    ------
    OutputError
        On entering, if a file cannot be read or has other columns; on `append`, if it cannot be written.
    """

    def __init__(
        self, folder: OutputFolder, name: str, columns: Sequence[str], *, fresh: bool = False
    ) -> None:
        self._place = folder.place
        self._shard = folder.shard
        self._whole = name
        self._name = f"{ROWS}/{folder.shard.report(name)}" if folder.shard else name
        self.path = self._place.at(self._name)
        self.columns = tuple(columns)
        self._order = self.columns.index(_FINISHED) if _FINISHED in self.columns else None
        self._others: list[str] = []
        self._fresh = fresh
        self._seen: set[str] = set()
        self._superseded = False
        self._lines: Lines

    def __enter__(self) -> "Table":
        name = self._name
        try:
            self._others = self._find_others()
            for name in (*self._others, self._name):
                self._check_header(name)
            name = self._name
            if self._shard is None:
                self._rewrite([name, *self._others])
                self._remove(self._others)
                self._others = []
            else:
                self._rewrite([name])
            self._lines = self._place.lines(name, encoded(self.columns))
        except OSError as error:
            raise self._cannot_write(name, error) from None
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._lines.close()
        except OSError as error:
            raise self._cannot_write(self._name, error) from None
        if self._superseded or self._lines.parts:
            with contextlib.suppress(OSError):  # the older rows are then still there, before the newer ones
                self._rewrite([self._name, *self._lines.parts])
                self._remove(self._lines.parts)

    def append(self, cells: Sequence[str]) -> None:
        """Append a row to the file, and flush it; in a store, soon."""
        try:
            self._lines.append(encoded(cells))
        except OSError as error:
            raise self._cannot_write(self._name, error) from None
        self._superseded |= cells[0] in self._seen
        self._seen.add(cells[0])

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the cells of each image's row by column, those of images of other shards among them."""
        for cells in self._last_rows([*self._others, self._name, *self._lines.parts]):
            yield dict(zip(self.columns, cells, strict=True))

    def _find_others(self) -> list[str]:
        """Return the other files to read, the one that was changed last at the end."""
        others = [name for name in reports_of(self._whole, self._place.names(ROWS)) if name != self._name]
        if self._shard is not None:
            others = [name for name in others if self._shard.may_know_of_ours(name.rpartition("/")[2])]
            others.insert(0, self._whole)
        return others

    def _remove(self, names: Sequence[str]) -> None:
        for name in names:
            self._place.remove(name)
        if names:
            self._place.remove_folder(ROWS)

    def _cannot_write(self, name: str, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {str(self._place.at(name))!r} ({error.strerror}); choose another --out"
        )

    def _check_header(self, name: str) -> None:
        if not self._place.size(name) or name.endswith(_PARQUET):
            return
        with self._place.opened(name) as file:
            header = file.readline(_LONGEST_HEADER)
        if header == encoded(self.columns).decode():
            return
        if not self._fresh:
            raise OutputError(
                f"{str(self._place.at(name))!r} does not have the columns that this version of retina-run "
                "writes; move it away, choose another --out, or start again with --overwrite"
            )
        self._place.replace(name, [])

    def _complete_rows(self, name: str) -> Iterator[Sequence[str]]:
        if name.endswith(_PARQUET):
            yield from self._rows_of_a_worker(name)
            return
        try:
            with self._place.opened(name) as file:
                reader = csv.reader(file)
                next(reader, None)
                for cells in reader:
                    if len(cells) == len(self.columns) and len(cells[-1]) == DIGEST_LENGTH:
                        yield cells
        except FileNotFoundError:
            return
        except csv.Error:
            return  # what a power cut left at the end is no text

    def _rows_of_a_worker(self, name: str) -> Iterator[Sequence[str]]:
        try:
            from retinagan.runtime.batch.cluster.rows import rows_of
        except ModuleNotFoundError:
            raise OutputError(
                f"{str(self._place.at(name))!r} has rows of a run with --cluster; pyarrow reads them: "
                'pip install "retinagan[ray]"'
            ) from None
        try:
            yield from rows_of(self._place.content(name), self.columns)
        except ValueError:
            return  # of another version: its images are done again

    def _last_rows(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield each image's row that counts, of those in the files."""
        last: dict[str, tuple[str, str, int]] = {}
        for name in names:
            for number, cells in enumerate(self._complete_rows(name)):
                finished = "" if self._order is None else cells[self._order]
                known = last.get(cells[0])
                if known is None or known[1] == name or finished >= known[0]:
                    last[cells[0]] = finished, name, number
        for name in names:
            for number, cells in enumerate(self._complete_rows(name)):
                if last[cells[0]][1:] == (name, number):
                    yield cells

    def _rewrite(self, names: Sequence[str]) -> None:
        """Rewrite the file with each image's last row."""
        seen = set()

        def lines() -> Iterator[bytes]:
            yield encoded(self.columns)
            for cells in self._last_rows(names):
                seen.add(cells[0])
                yield encoded(cells)

        self._place.replace(self._name, lines())
        self._seen = seen
        self._superseded = False


def path_to_cell(path: str) -> str:
    """Change a relative path so that no spreadsheet reads it as a formula."""
    return f"./{path}" if path.startswith(_READ_AS_FORMULA) else path


def path_from_cell(cell: str) -> str:
    """Return the path that a cell by `path_to_cell` holds."""
    return cell[2:] if cell.startswith("./") else cell


def encoded(cells: Sequence[str]) -> bytes:
    """Return a line of the file; names that are not valid text keep their bytes."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", errors="surrogateescape")
