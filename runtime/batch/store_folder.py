"""The output folder in a store: objects appear whole, nothing can be appended to, and there are no locks."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from retinagan.runtime.batch.pictures import has_mark, may_be_own
from retinagan.runtime.batch.shard import ROWS, Shard
from retinagan.runtime.dicom.mark import HEAD
from retinagan.runtime.storage.address import join
from retinagan.runtime.storage.store import at_once, store_of

_LINES_IN_A_PART = 500
_SECONDS_IN_A_PART = 30.0


class StoreFolder:
    """A folder in a store.

    What stands there is listed once, on entering: later additions by other programs are not seen.

    Parameters
    ----------
    url : str
        Need not exist.
    shard : Shard, optional
        The part of a run that writes here.
    guest : bool
        Whether another process has listed the folder, and tells by `know` what stands there.
    """

    def __init__(self, url: str, shard: Shard | None = None, *, guest: bool = False) -> None:
        self.path = url.rstrip("/")
        self._store = store_of(url)
        self._shard = shard
        self._guest = guest
        self._sizes: dict[str, int] = {}
        self._read: dict[str, Path] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def enter(self) -> None:
        """List what is there."""
        if not self._guest:
            start = len(self.path) + 1
            found = self._store.below(self.path)
            self._sizes = {one.url[start:]: int(one.size or 0) for one in found}
        self._temporary = tempfile.TemporaryDirectory(prefix="retina-run-")

    def leave(self) -> None:
        """Remove what was copied to this machine."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def at(self, name: str) -> str:
        """Return the URL of a file."""
        return join(self.path, name)

    def replace(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file whole or not at all."""
        if isinstance(content, list):
            whole = b"".join(content)
            self._store.write(self.at(name), whole)
            size = len(whole)
        else:
            with self._file() as path:
                with path.open("wb") as file:
                    file.writelines(content)
                size = path.stat().st_size
                self._store.upload(str(path), self.at(name))
        self._sizes[name] = size
        self._read.pop(name, None)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if it is not there."""
        return self._sizes.get(name)

    def is_foreign(self, name: str) -> bool:
        """Whether something stands under a picture's name that `retina-run` did not write."""
        return name in self._sizes and not self.is_own(name)

    def is_own(self, name: str) -> bool:
        """Whether a picture stands under a name that `retina-run` wrote."""
        return is_own_object(self.at(name), self._sizes.get(name, 0))

    def remove(self, name: str) -> None:
        """Remove a file."""
        self._store.remove(self.at(name))
        self._sizes.pop(name, None)

    def remove_folder(self, name: str) -> None:
        """Do nothing: there are no folders."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, the one that was changed last at the end."""
        start = len(self.path) + 1
        found = self._store.below(self.at(folder))
        found.sort(key=lambda one: (_number(one.modified), one.url))
        names = [one.url[start:] for one in found]
        for name, path in zip(names, at_once(self._copied, names), strict=True):
            self._read[name] = path
        return names

    @contextmanager
    def opened(self, name: str) -> Iterator[TextIO]:
        """Open a file as UTF-8 text, with line ends as they are and bytes that are no text escaped."""
        if name not in self._read:
            self._read[name] = self._copied(name)
        with self._read[name].open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file

    def content(self, name: str) -> bytes:
        """Return a file's content."""
        if name in self._read:
            return self._read[name].read_bytes()
        return self._store.read(self.at(name))

    def know(self, present: Mapping[str, int]) -> None:
        """Take over what another process has found in the folder: sizes in bytes by name."""
        self._sizes.update(present)

    def lines(self, name: str, header: bytes) -> StoreLines:
        """Open a file to append lines to it, in parts that each begin with the header."""
        return StoreLines(self, name, header)

    def is_lost(self, error: OSError) -> bool:
        """Say that no other file can be written either: a store has one owner and no full disk."""
        return True

    def _copied(self, name: str) -> Path:
        path = self._new_path()
        self._store.download(self.at(name), str(path))
        return path

    @contextmanager
    def _file(self) -> Iterator[Path]:
        path = self._new_path()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _new_path(self) -> Path:
        assert self._temporary is not None
        return Path(self._temporary.name, uuid4().hex)


class StoreLines:
    """A file that grows by lines, in parts of its own beside it: ``rows/run.part-...csv`` of ``run.csv``.

    A part is written when it has many lines, or is old when another line comes. A run that is killed loses
    the lines since the last part.

    Parameters
    ----------
    folder : StoreFolder
        Where the parts are written.
    name : str
        The file's name.
    header : bytes
        The first line of each part.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self, folder: StoreFolder, name: str, header: bytes, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.parts: tuple[str, ...] = ()
        self._folder = folder
        stem, self._suffix = os.path.splitext(name.rpartition("/")[2])  # noqa: PTH122
        self._stem = f"{ROWS}/{stem}.part-{uuid4().hex[:12]}"
        self._header = header
        self._clock = clock
        self._lines: list[bytes] = []
        self._since = clock()

    def append(self, line: bytes) -> None:
        """Add a line; write a part if it is time."""
        self._lines.append(line)
        if len(self._lines) >= _LINES_IN_A_PART or self._clock() >= self._since + _SECONDS_IN_A_PART:
            self._write_part()

    def close(self) -> None:
        """Write the rest."""
        if self._lines:
            self._write_part()

    def _write_part(self) -> None:
        name = f"{self._stem}-{len(self.parts):05}{self._suffix}"
        self._folder.replace(name, [self._header, *self._lines])
        self.parts = (*self.parts, name)
        self._lines = []
        self._since = self._clock()


def is_own_object(url: str, size: int) -> bool:
    """Whether an object is a picture that `retina-run` wrote, by its name and the mark in it."""
    if not size or not may_be_own(url):
        return False
    store = store_of(url)
    with contextlib.suppress(OSError):
        head = store.read(url, 0, min(HEAD, size))
        return has_mark(head, lambda length: store.read(url, max(0, size - length), size))
    return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
