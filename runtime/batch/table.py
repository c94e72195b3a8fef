"""Tables of a run as CSV files: a row for each image, appended when it is done, read again to resume."""

import contextlib
import csv
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.shard import ROWS, shard_reports

DIGEST_LENGTH = 16
"""Characters of the digest in the last column, so that a truncated row is recognised."""

_READ_AS_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_HEADER = 10_000
_FINISHED = "finished"


class Table:
    """A CSV file in the output folder with a row for each image; a context manager.

    Rows are appended as they come; an image's last row counts. On leaving, rows that later ones replace
    are taken out. A last row that a killed run left half-written is dropped on entering.

    A shard writes to a file of its own, such as ``rows/run.3-of-16.csv``, and reads those of others that may
    have rows of its images. A run without shards takes the rows of all shards into its file on entering, and
    removes theirs.

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
        self._name = f"{ROWS}/{folder.shard.report(name)}" if folder.shard else name
        self.path = folder.path / self._name
        self.columns = tuple(columns)
        self._order = self.columns.index(_FINISHED) if _FINISHED in self.columns else None
        self._folder = folder
        self._whole = folder.path / name
        self._others: list[Path] = []
        self._fresh = fresh
        self._seen: set[str] = set()
        self._superseded = False
        self._file = -1

    def __enter__(self) -> "Table":
        path = self.path
        try:
            self.path.parent.mkdir(exist_ok=True)
            self._others = self._find_others()
            for path in (*self._others, self.path):
                self._check_header(path)
            path = self.path
            if self._folder.shard is None:
                self._rewrite([path, *self._others])
                self._remove_others()
            else:
                self._rewrite([path])
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise self._cannot_write(path, error) from None
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            os.close(self._file)  # a network file system may report only now that it is full
        except OSError as error:
            raise self._cannot_write(self.path, error) from None
        if self._superseded:
            with contextlib.suppress(OSError):  # the older rows are then still there, before the newer ones
                self._rewrite([self.path])

    def append(self, cells: Sequence[str]) -> None:
        """Append a row to the file, and flush it."""
        rest = encoded(cells)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise self._cannot_write(self.path, error) from None
        self._superseded |= cells[0] in self._seen
        self._seen.add(cells[0])

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield the cells of each image's row by column, those of images of other shards among them."""
        for cells in self._last_rows([*self._others, self.path]):
            yield dict(zip(self.columns, cells, strict=True))

    def _find_others(self) -> list[Path]:
        """Return the other files to read, the one that was changed last at the end."""
        shard, folder = self._folder.shard, self._folder.path / ROWS
        others = [path for path in shard_reports(folder, self._whole.name) if path != self.path]
        if shard is not None:
            others = [path for path in others if shard.may_know_of_ours(path.name)]
            others += [self._whole] if self._whole.exists() else []
        return sorted(others, key=lambda path: path.stat().st_mtime_ns)

    def _remove_others(self) -> None:
        for path in self._others:
            path.unlink()
        if self._others:
            with contextlib.suppress(OSError):  # there may be other files
                self._others[0].parent.rmdir()
        self._others = []

    def _cannot_write(self, path: Path, error: OSError) -> OutputError:
        return OutputError(f"cannot write {str(path)!r} ({error.strerror}); choose another --out")

    def _check_header(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size == 0:
            return
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            header = file.readline(_LONGEST_HEADER)
        if header == encoded(self.columns).decode():
            return
        if not self._fresh:
            raise OutputError(
                f"{str(path)!r} does not have the columns that this version of retina-run writes; "
                "move it away, choose another --out, or start again with --overwrite"
            )
        self._folder.replace(path.relative_to(self._folder.path).as_posix(), [])

    def _complete_rows(self, path: Path) -> Iterator[list[str]]:
        if not path.exists():
            return
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            reader = csv.reader(file)
            try:
                next(reader, None)
                for cells in reader:
                    if len(cells) == len(self.columns) and len(cells[-1]) == DIGEST_LENGTH:
                        yield cells
            except csv.Error:
                return  # what a power cut left at the end is no text

    def _last_rows(self, paths: Sequence[Path]) -> Iterator[list[str]]:
        """Yield each image's row that counts, of those in the files."""
        last: dict[str, tuple[str, Path, int]] = {}
        for path in paths:
            for number, cells in enumerate(self._complete_rows(path)):
                finished = "" if self._order is None else cells[self._order]
                known = last.get(cells[0])
                if known is None or known[1] is path or finished >= known[0]:
                    last[cells[0]] = finished, path, number
        for path in paths:
            for number, cells in enumerate(self._complete_rows(path)):
                if last[cells[0]][1:] == (path, number):
                    yield cells

    def _rewrite(self, paths: Sequence[Path]) -> None:
        """Rewrite the file with each image's last row."""
        seen = set()

        def lines() -> Iterator[bytes]:
            yield encoded(self.columns)
            for cells in self._last_rows(paths):
                seen.add(cells[0])
                yield encoded(cells)

        self._folder.replace(self._name, lines())
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
