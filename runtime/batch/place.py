"""Where the files of a run are written: a folder, whole files or none, and one run at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol, TextIO
from uuid import uuid4

from retinagan.runtime.batch.pictures import is_own_picture
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.errors import RetinaGanError

_STAGING = ".retina-run"
_LOST_FOLDER = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE}


class OutputError(RetinaGanError):
    """The output folder cannot be written to, so that other images cannot be written either."""


class Lines(Protocol):
    """A file that grows by lines; `parts` are the names of files that it is in besides its own."""

    parts: tuple[str, ...]

    def append(self, line: bytes) -> None:
        """Add a line. Raises OSError."""

    def close(self) -> None:
        """Write what is still to write. Raises OSError."""


class Place(Protocol):
    """A folder of files by name, with ``/`` between the parts of a name.

    The folder is a Path of this machine, or a URL. Methods raise OSError. Many threads may write at once.
    """

    @property
    def path(self) -> Path | str:
        """The folder."""

    def enter(self) -> None:
        """Make the place ready to be written to. Raises OutputError where another run writes to it."""

    def leave(self) -> None:
        """Give the place to other runs."""

    def at(self, name: str) -> Path | str:
        """Return the path or URL of a file."""

    def replace(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file whole or not at all."""

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if it is not there."""

    def is_foreign(self, name: str) -> bool:
        """Whether something stands under a picture's name that `retina-run` did not write."""

    def is_own(self, name: str) -> bool:
        """Whether a picture stands under a name that `retina-run` wrote."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def remove_folder(self, name: str) -> None:
        """Remove a folder if it is empty and there are folders."""

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, the one that was changed last at the end."""

    def opened(self, name: str) -> contextlib.AbstractContextManager[TextIO]:
        """Open a file as UTF-8 text, with line ends as they are and bytes that are no text escaped."""

    def content(self, name: str) -> bytes:
        """Return a file's content."""

    def lines(self, name: str, header: bytes) -> Lines:
        """Open a file to append lines to it; it is there already, with its header."""

    def know(self, present: Mapping[str, int]) -> None:
        """Take over what another process has listed for this one, a guest: sizes in bytes by name."""

    def is_lost(self, error: OSError) -> bool:
        """Whether after this error of `replace` no other file can be written either."""


class LocalFolder:
    """A folder of this machine.

    Files are written under a temporary name in a hidden folder inside it and renamed when whole. What a
    killed run left there is removed at the next start.

    Parameters
    ----------
    path : Path
        Created on entering, with its parents.
    shard : Shard, optional
        The part of a run that writes here. Other parts may write at the same time.
    guest : bool
        Whether another process has entered the folder for this one, and keeps other runs away.
    """

    def __init__(self, path: Path, shard: Shard | None = None, *, guest: bool = False) -> None:
        self.path = path
        self._shard = shard
        self._guest = guest
        self._numbers = count()
        part = f"-{shard.number}-of-{shard.count}" if shard else f"-{uuid4().hex}" if guest else ""
        self._staging = path / f"{_STAGING}{part}"
        self._locks: list[int] = []

    def enter(self) -> None:
        """Make the folder, and take it for this run or shard alone."""
        try:
            if self._guest:
                self._staging.mkdir()
                return
            self.path.mkdir(parents=True, exist_ok=True)
            if self._shard is None:
                self._take_lock(self.path, fcntl.LOCK_EX)
                self._remove_left_over()
                self._staging.mkdir()
            else:
                self._take_lock(self.path, fcntl.LOCK_SH)
                self._take_staging()
        except BaseException:
            self._release()
            raise

    def leave(self) -> None:
        """Remove the hidden folder, and those of guests, and release the locks."""
        if self._guest or self._shard is not None:
            shutil.rmtree(self._staging, ignore_errors=True)
        else:
            self._remove_left_over()
        self._release()

    def at(self, name: str) -> Path:
        """Return the path of a file."""
        return self.path / name

    def replace(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file whole or not at all."""
        temporary = self._staging / f"{next(self._numbers)}{Path(name).suffix}"
        target = self.path / name
        try:
            with temporary.open("wb") as file:
                file.writelines(content)
            with contextlib.suppress(FileExistsError):
                target.parent.mkdir(parents=True)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if it is not there."""
        try:
            return (self.path / name).stat().st_size
        except OSError:
            return None

    def is_foreign(self, name: str) -> bool:
        """Whether something stands under a picture's name that `retina-run` did not write."""
        path = self.path / name
        return os.path.lexists(path) and not is_own_picture(path)

    def is_own(self, name: str) -> bool:
        """Whether a picture stands under a name that `retina-run` wrote."""
        return is_own_picture(self.path / name)

    def remove(self, name: str) -> None:
        """Remove a file."""
        (self.path / name).unlink()

    def remove_folder(self, name: str) -> None:
        """Remove a folder if it is empty."""
        with contextlib.suppress(OSError):
            (self.path / name).rmdir()

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, the one that was changed last at the end."""
        path = self.path / folder
        if not path.is_dir():
            return []
        found = sorted(path.iterdir(), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [f"{folder}/{file.name}" for file in found]

    @contextmanager
    def opened(self, name: str) -> Iterator[TextIO]:
        """Open a file as UTF-8 text, with line ends as they are and bytes that are no text escaped."""
        with (self.path / name).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file

    def content(self, name: str) -> bytes:
        """Return a file's content."""
        return (self.path / name).read_bytes()

    def lines(self, name: str, header: bytes) -> LocalLines:
        """Open a file to append lines to it."""
        return LocalLines(self.path / name)

    def know(self, present: Mapping[str, int]) -> None:
        """Do nothing: a disk is asked each time."""

    def is_lost(self, error: OSError) -> bool:
        """Whether after this error no other file can be written either: the disk is full, the folder gone."""
        return error.errno in _LOST_FOLDER

    def _remove_left_over(self) -> None:
        """Remove what runs that were killed left, shards and guests among them: none is running now."""
        for path in (self._staging, *self.path.glob(f"{_STAGING}-*")):
            shutil.rmtree(path, ignore_errors=True)

    def _take_staging(self) -> None:
        """Take a shard's hidden folder for this process alone, and empty it."""
        while True:
            self._staging.mkdir(exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # its last owner may remove it meanwhile
                self._take_lock(self._staging, fcntl.LOCK_EX)
                if self._staging.stat().st_ino == os.fstat(self._locks[-1]).st_ino:
                    break
        for path in self._staging.iterdir():
            path.unlink()

    def _take_lock(self, folder: Path, kind: int) -> None:
        self._locks.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY))
        try:
            fcntl.flock(self._locks[-1], kind | fcntl.LOCK_NB)
        except BlockingIOError:
            what = f" --shard {self._shard}" if folder == self._staging else " or retina-node"
            raise OutputError(
                f"another retina-run{what} is writing to {str(self.path)!r}; wait for it, "
                "or choose another --out"
            ) from None
        except OSError:
            pass  # a network file system without locks: go on without one

    def _release(self) -> None:
        while self._locks:
            os.close(self._locks.pop())


class LocalLines:
    """A file of this machine that grows by lines, each written at once."""

    parts: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def append(self, line: bytes) -> None:
        """Write a line to its end."""
        while line:
            line = line[os.write(self._file, line) :]

    def close(self) -> None:
        """Close the file; a network file system may report only now that it is full."""
        os.close(self._file)
