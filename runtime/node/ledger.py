"""What the node has done and has yet to send, in a database that a kill or a power cut leaves whole."""

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from retinagan.runtime.batch.outputs import OutputError

FILE_NAME = "node.sqlite3"
_FORMAT = 1
_TABLES = """
CREATE TABLE done (instance TEXT PRIMARY KEY, digest TEXT NOT NULL, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE started (instance TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outgoing (number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
"""


class Outgoing(NamedTuple):
    """A result that is to be sent; one that is written anew under the same path has another number."""

    number: int
    path: str


class Ledger:
    """The database; a context manager. Many threads may use it.

    An object is recorded as done in one step with the results that are to be sent, so that neither can be
    there without the other.

    Parameters
    ----------
    path : Path
        Its file, which is created if it is missing.

    Raises
    ------
    OutputError
        On entering, if the file is no such database; in all methods, if it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def __enter__(self) -> "Ledger":
        with self._errors():
            self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
            try:
                self._open()
            except BaseException:
                self._database.close()
                raise
        return self

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._database.close()

    def is_done(self, instance: str, digest: str, settings: str) -> bool:
        """Whether an object of this content was done with these settings.

        Parameters
        ----------
        instance : str
            Its SOP Instance UID.
        digest : str
            That of its content.
        settings : str
            What else the results depend on.
        """
        query = "SELECT 1 FROM done WHERE instance = ? AND digest = ? AND settings = ?"
        return bool(self._rows(query, (instance, digest, settings)))

    def record_done(self, instance: str, digest: str, settings: str, outgoing: Iterable[str]) -> None:
        """Record that an object is done, and the paths of the results that are to be sent."""
        with self._changed() as database:
            database.execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", (instance, digest, settings))
            database.execute("DELETE FROM started WHERE instance = ?", (instance,))
            database.executemany(
                "INSERT OR REPLACE INTO outgoing (path) VALUES (?)", [(path,) for path in outgoing]
            )

    def record_start(self, instance: str) -> None:
        """Record that an object is being segmented."""
        with self._changed() as database:
            database.execute(
                "INSERT INTO started VALUES (?, 1) ON CONFLICT (instance) DO UPDATE SET times = times + 1",
                (instance,),
            )

    def forget_starts(self, instances: Iterable[str]) -> None:
        """Forget that objects were begun: they did not end the program."""
        with self._changed() as database:
            database.executemany("DELETE FROM started WHERE instance = ?", [(one,) for one in instances])

    def starts(self, instance: str) -> int:
        """Return how often an object was begun and never ended."""
        rows = self._rows("SELECT times FROM started WHERE instance = ?", (instance,))
        return int(rows[0][0]) if rows else 0

    def outgoing(self, most: int, keep: Callable[[Outgoing], bool] = bool) -> list[Outgoing]:
        """Return results that are to be sent, oldest first.

        Parameters
        ----------
        most : int
            How many at most.
        keep : callable
            Tells of a result whether it counts.
        """
        with self._errors(), self._lock:
            rows = self._database.execute("SELECT number, path FROM outgoing ORDER BY number")
            return list(islice(filter(keep, (Outgoing(*row) for row in rows)), most))

    def count_outgoing(self) -> int:
        """Return how many results are to be sent."""
        return int(self._rows("SELECT count(*) FROM outgoing")[0][0])

    def record_sent(self, sent: Outgoing) -> None:
        """Record that a result was sent: it is not sent again."""
        with self._changed() as database:
            database.execute("DELETE FROM outgoing WHERE number = ?", (sent.number,))

    def _open(self) -> None:
        self._database.execute("PRAGMA synchronous = FULL")  # a commit is on the disk
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            self._database.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_FORMAT}; COMMIT;")
        elif found != _FORMAT:
            raise OutputError(
                f"{str(self._path)!r} has the format {found} of another version of retina-node; "
                "use that version, or choose another --out"
            )

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._errors(), self._lock:
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        with self._errors(), self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise OutputError(
                f"cannot use {str(self._path)!r} ({error}); free the disk, or choose another --out"
            ) from None
