"""Poll folders for images that have arrived whole.

A network share does not tell its clients what others write to it, so the folders are listed again and again.
"""

# Paths are text, as in inputs.py.
# ruff: noqa: PTH112, PTH116, PTH123
from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from retinagan.runtime.batch.inputs import Input, InputError, files_below, is_input, natural_order
from retinagan.runtime.errors import OptionError

RETRY_AFTER = 60.0
"""Seconds after which an image that failed is given out once more: its share may have been away."""

_PATIENCE = 10  # times longer than others, files wait that are empty or cannot be opened
_SHARE_OF_TIME = 0.2  # that listing the folders may take
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download", "~")
_SHORTEST, _LONGEST = 0.1, 3600.0  # seconds to settle


class Arrivals:
    """Gives out each image of some folders when it is whole: once, and again when it changes.

    An image is whole when its size and modification time have not changed for `settle` seconds by this
    machine's clock, and it can be opened. A file that is empty or cannot be opened waits ten times longer;
    then it is given out all the same, so that its row says what is wrong. Hidden files and those with the
    suffix of an unfinished copy, such as ``.part``, are passed over until they are renamed; so are pictures
    that `retina-run` wrote.

    Parameters
    ----------
    folders : sequence of str
        Read with their subfolders. They must exist now; later they may vanish and come back.
    settle : float
        Seconds, 0.1 to 3600.
    clock : callable
        Gives the time in seconds.

    Attributes
    ----------
    unlisted : tuple of str
        The folders that could not be listed at the last poll. What was in them is looked at afresh when they
        are back.

    Raises
    ------
    InputError
        If one of `folders` is not a folder.
    OptionError
        If `settle` is out of range.
    """

    def __init__(
        self, folders: Sequence[str], settle: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not _SHORTEST <= settle <= _LONGEST:
            raise OptionError(f"--settle: got {settle:g}; expected {_SHORTEST:g} to {_LONGEST:g} seconds")
        for folder in folders:
            if not os.path.isdir(folder):
                raise InputError(f"--watch expects folders that exist; got {folder!r}")
        self.unlisted: tuple[str, ...] = ()
        self._folders = tuple(dict.fromkeys(map(os.path.abspath, folders)))
        self._base = os.path.commonpath(self._folders)
        self._settle = settle
        self._clock = clock
        self._files: dict[str, _File] = {}
        self._cost = 0.0

    @property
    def pause(self) -> float:
        """Seconds to wait before the next poll: half of `settle`, longer if listing takes long."""
        return max(self._settle / 2, self._cost / _SHARE_OF_TIME)

    def poll(self) -> list[Input]:
        """List the folders, and return the images that are now whole and not given out yet, by name."""
        start = self._clock()
        before, self._files = self._files, {}
        unlisted = []
        for folder in self._folders:
            for path in files_below(folder):
                try:
                    status = os.stat(path)
                except OSError:
                    if path == folder:
                        unlisted.append(path)
                    continue  # any other was renamed or removed since
                if stat.S_ISDIR(status.st_mode):
                    unlisted.append(path)
                elif stat.S_ISREG(status.st_mode) and not path.endswith(_UNFINISHED):
                    self._files[path] = self._seen(before.get(path), status)
        self.unlisted = tuple(unlisted)
        whole = [path for path, file in self._files.items() if self._is_due(path, file) and is_input(path)]
        self._cost = self._clock() - start
        inputs = [Input(path, os.path.relpath(path, self._base)) for path in whole]
        return sorted(inputs, key=lambda item: natural_order(item.name))

    def put_back(self, item: Input) -> None:
        """Give an image out again if it is still there, since it could not be looked at."""
        file = self._files.get(item.path)
        if file is not None and file.due is None:
            file.due = self._clock() + self._settle

    def failed(self, item: Input) -> None:
        """Give an image that failed out once more, `RETRY_AFTER` seconds from now."""
        file = self._files.get(item.path)
        if file is not None and file.due is None and not file.retried:
            file.due = self._clock() + RETRY_AFTER
            file.retried = True

    def _seen(self, file: _File | None, status: os.stat_result) -> _File:
        version = _Version.of(status)
        if file is not None and file.version == version:
            return file
        now = self._clock()
        return _File(version, since=now, due=now + self._settle)

    def _is_due(self, path: str, file: _File) -> bool:
        """Whether a file has become whole with this poll."""
        now = self._clock()
        if file.due is None or now < file.due:
            return False
        try:
            with open(path, "rb") as opened:  # until then, NFS may answer from its cache
                version = _Version.of(os.fstat(opened.fileno()))
        except OSError:
            version = None
        if version is not None and version != file.version:
            self._files[path] = _File(version, since=now, due=now + self._settle)
            return False
        if (version is None or not version.size) and now < file.since + _PATIENCE * self._settle:
            return False
        file.due = None
        return True


class _Version(NamedTuple):
    """What tells a file from what it was before. There is no inode in it: some shares make them up."""

    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> _Version:
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(slots=True)
class _File:
    """A file as it was `since`; `due` is when to look whether it is whole, None after that."""

    version: _Version
    since: float
    due: float | None
    retried: bool = False
