"""The objects that have arrived and are not done, as files: the queue is what lies on the disk."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import NamedTuple

from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.console.wording import counted
from retinagan.runtime.images.dicom.classes import file_meta
from retinagan.runtime.node.durable import made_folder, moved, synced

QUEUE, FAILED = "queue", "failed"
"""Folders in the output folder: objects to be segmented, and those that could not be."""

_INCOMING = ".incoming"
_SUFFIX = ".dcm"
_UID = re.compile(r"\d+(\.\d+)*")
_LONGEST_UID = 64
_MIB = 1 << 20


class Full(Exception):
    """There is no room for another object; the message says why, in 64 characters at most."""


class _Version(NamedTuple):
    """What tells a file from one of the same name that replaced it."""

    number: int
    size: int
    modified: int

    @classmethod
    def of(cls, path: Path) -> _Version:
        status = path.stat()
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Received:
    """An object in the queue.

    `name` is its path there. `digest` is that of its content; None if an earlier process received it.
    """

    path: Path
    name: str
    version: _Version = field(repr=False)
    digest: str | None = None

    @property
    def instance(self) -> str:
        """Its SOP Instance UID, as `file_name` makes it."""
        return self.path.stem


def content_digest(data: bytes) -> str:
    """Return the SHA-256 of a DICOM file's data set: what is around it differs by who received it."""
    _, end = file_meta(data)
    return hashlib.sha256(memoryview(data)[end:]).hexdigest()


def file_name(uid: str) -> str:
    """Return a UID as a file's name; a hash in place of what is no UID, and may lead anywhere."""
    if len(uid) <= _LONGEST_UID and _UID.fullmatch(uid):
        return uid
    return "x" + hashlib.sha256(uid.encode()).hexdigest()[:32]


class Inbox:
    """The queue of objects on the disk; a context manager.

    What an earlier process left in the queue, and what it could not segment, is in it again.

    Parameters
    ----------
    folder : Path
        The output folder; the queue is in it.
    most : int
        How many objects may wait.
    min_free : int
        Bytes that must stay free on the disk.

    Raises
    ------
    OutputError
        On entering, in `done` and in `failed`, if the disk cannot be written to.
    """

    def __init__(self, folder: Path, most: int, min_free: int) -> None:
        self._queue = folder / QUEUE
        self._failed = folder / FAILED
        self._incoming = self._queue / _INCOMING
        self._most = most
        self._min_free = min_free
        self._numbers = count()
        self._changed = threading.Condition()
        self._waiting: dict[str, Received] = {}
        self._taken: set[str] = set()
        self._closed = False

    def __enter__(self) -> Inbox:
        with self._errors():
            made_folder(self._queue)
            shutil.rmtree(self._incoming, ignore_errors=True)
            made_folder(self._incoming)
            for path in sorted(self._failed.glob(f"*/*{_SUFFIX}")):
                target = self._queue / path.relative_to(self._failed)
                if target.exists():  # it came again, and is newer
                    path.unlink()
                else:
                    moved(path, target)
                _remove_if_empty(path.parent)
            found = [self._received(path) for path in self._queue.glob(f"*/*{_SUFFIX}")]
        found.sort(key=lambda received: received.version.modified)
        self._waiting = {received.name: received for received in found}
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._incoming, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def check_room(self, size: int) -> None:
        """Raise `Full` if an object of that many bytes may not be put in now."""
        if self._closed:
            raise Full("this node is stopping")
        if len(self) >= self._most:
            raise Full(f"{counted(len(self), 'object')} wait already")
        free = shutil.disk_usage(self._queue).free - size
        if free < self._min_free:
            raise Full(f"the disk has only {max(0, free) // _MIB} MiB left")

    def put(self, content: bytes, digest: str, study: str, instance: str) -> None:
        """Put an object in; after that it is on the disk. One of the same UID that waits is replaced.

        Parameters
        ----------
        content : bytes
            The whole DICOM file.
        digest : str
            That of the content.
        study, instance : str
            Its Study and SOP Instance UIDs.

        Raises
        ------
        OSError
            If the disk is full or fails: the object is then not in the queue.
        """
        temporary = self._incoming / f"{next(self._numbers)}{_SUFFIX}"
        target = self._queue / file_name(study) / f"{file_name(instance)}{_SUFFIX}"
        try:
            temporary.write_bytes(content)
            synced(temporary)
            with self._changed:  # so that it is not taken for the one that it replaces
                made_folder(target.parent)
                temporary.replace(target)
                synced(target.parent)
                received = self._received(target, digest)
                self._waiting[received.name] = received
                self._changed.notify_all()
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def take(self, timeout: float | None = None) -> list[Received]:
        """Return what waits, oldest first, when something does; nothing after `timeout` seconds.

        All that was taken before must be done or failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout)
            taken = list(self._waiting.values())
            self._waiting = {}
            self._taken = {one.name for one in taken}
            return taken

    def done(self, one: Received) -> None:
        """Take an object out of the queue, unless another of its UID has replaced it meanwhile."""
        with self._errors(), self._changed:
            self._taken.discard(one.name)
            if _is_version(one):
                one.path.unlink()
                _remove_if_empty(one.path.parent)

    def failed(self, one: Received) -> None:
        """Put an object aside that cannot be segmented, unless another of its UID has replaced it."""
        with self._errors(), self._changed:
            self._taken.discard(one.name)
            if _is_version(one):
                moved(one.path, self._failed / one.name)
                _remove_if_empty(one.path.parent)

    def close(self) -> None:
        """Take no more objects in."""
        self._closed = True

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot use the queue {str(self._queue)!r} ({error.strerror}); "
                "free the disk, or choose another --out"
            ) from None

    def _received(self, path: Path, digest: str | None = None) -> Received:
        return Received(path, path.relative_to(self._queue).as_posix(), _Version.of(path), digest)


def _is_version(one: Received) -> bool:
    try:
        return _Version.of(one.path) == one.version
    except OSError:
        return False


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
