"""The output folder: complete pictures or none, and one run at a time."""

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from retinagan.runtime.batch.encoding import ENCODERS, Picture, PictureError
from retinagan.runtime.batch.pictures import (
    OVERLAY_FORMATS,
    is_own_picture,
    picture_name,
    picture_names,
)
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.errors import OptionError, RetinaGanError

_STAGING = ".retina-run"
_LOST_FOLDER = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.ESTALE}


class OutputError(RetinaGanError):
    """The output folder cannot be written to, so that other images cannot be written either."""


class OutputFolder:
    """An output folder for one run at a time, or for the shards of one; a context manager.

    Files are written under a temporary name in a hidden folder inside it and renamed when whole. What a
    killed run left there is removed at the next start.

    Parameters
    ----------
    path : str or path
        The folder; created on entering, with its parents.
    overwrite : bool
        Whether pictures of other programs may be replaced.
    overlay_format : {"jpeg", "webp", "png"}
        The format of overlays and panels; maps are PNG.
    shard : Shard, optional
        The part of a run that writes here. Other parts may write at the same time.

    Raises
    ------
    OptionError
        If the format is unknown.
    OutputError
        On entering, if the folder cannot be created or written to, or another run is writing to it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        overlay_format: str = "jpeg",
        shard: Shard | None = None,
    ) -> None:
        if overlay_format not in OVERLAY_FORMATS:
            raise OptionError(
                f"overlay format: got {overlay_format!r}; expected one of {', '.join(OVERLAY_FORMATS)}"
            )
        self.path = Path(path)
        self.shard = shard
        self.overwrite = overwrite
        self.overlay_format = overlay_format
        self._numbers = count()
        self._staging = self.path / (f"{_STAGING}-{shard.number}-of-{shard.count}" if shard else _STAGING)
        self._locks: list[int] = []

    def __enter__(self) -> "OutputFolder":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if self.shard is None:
                self._take_lock(self.path, fcntl.LOCK_EX)
                self._remove_left_over()
                self._staging.mkdir()
            else:
                self._take_lock(self.path, fcntl.LOCK_SH)
                self._take_staging()
        except OSError as error:
            self._release()
            raise OutputError(
                f"cannot write to the output folder {str(self.path)!r} ({error.strerror}); "
                "choose another with --out"
            ) from None
        except OutputError:
            self._release()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self._staging, ignore_errors=True)
        self._release()

    def replace(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file whole or not at all; `name` is its path in the folder. Raises OSError.

        Many threads may write at once.
        """
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

    def write(self, stem: str, kind: str, picture: Picture) -> None:
        """Write a picture in the format of its kind; from any thread.

        Parameters
        ----------
        stem, kind : str
            They give its name.
        picture : (H, W) or (H, W, 3) uint8 array, or (H, W) uint16 array
            Colours in RGB order; overlays and panels have colours.

        Raises
        ------
        PictureError, OutputError
            As of `write_encoded`.
        """
        encode = ENCODERS[self.picture(stem, kind).suffix]
        self.write_encoded(stem, kind, lambda: encode(picture))

    def write_encoded(self, stem: str, kind: str, encode: Callable[[], bytes]) -> None:
        """Write what a function returns as a picture or object; it is called if the name is free.

        Raises
        ------
        PictureError
            If this picture cannot be written: its name is taken by a file of another program or by a
            folder, or may not be written to.
        OutputError
            If none can be written any more: the disk is full, the folder is gone.
        """
        self.put(self._name(stem, kind), encode)

    def put(self, name: str, encode: Callable[[], bytes]) -> None:
        """Write what a function returns, with our mark in it, as `name`; as `write_encoded`."""
        target = self.path / name
        if not self.overwrite and os.path.lexists(target) and not is_own_picture(target):
            raise PictureError(
                f"{name!r} exists in the output folder and is not from retina-run; "
                "move it away, or replace it with --overwrite"
            )
        try:
            self.replace(name, [encode()])
        except OSError as error:
            if error.errno in _LOST_FOLDER:
                raise OutputError(
                    f"cannot write to the output folder {str(self.path)!r} any more ({error.strerror})"
                ) from None
            raise PictureError(f"cannot write {name!r} ({error.strerror})") from None

    def picture(self, stem: str, kind: str) -> Path:
        """Return the path that a picture has or would have."""
        return self.path / self._name(stem, kind)

    def has(self, stem: str, kinds: Iterable[str]) -> bool:
        """Whether all these pictures exist; an empty file, as a power cut may leave, does not count."""
        try:
            return all(self.picture(stem, kind).stat().st_size > 0 for kind in kinds)
        except OSError:
            return False

    def remove(self, stem: str, kinds: Iterable[str]) -> None:
        """Remove an image's pictures of an earlier run, so that its row describes all that exist."""
        self._unlink(name for kind in kinds for name in picture_names(stem, kind))

    def remove_other_formats(self, stem: str, kinds: Iterable[str]) -> None:
        """Remove an image's pictures of these kinds in formats that this run does not write."""
        names = ((kind, name) for kind in kinds for name in picture_names(stem, kind))
        self._unlink(name for kind, name in names if name != self._name(stem, kind))

    def clear(self, name: str) -> None:
        """Remove our pictures in a folder inside this one, and that folder if nothing else is in it."""
        with contextlib.suppress(OSError):
            self._unlink([f"{name}/{path.name}" for path in (self.path / name).iterdir()])
            (self.path / name).rmdir()

    def _name(self, stem: str, kind: str) -> str:
        return picture_name(stem, kind, self.overlay_format)

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            if is_own_picture(self.path / name):
                with contextlib.suppress(OSError):
                    (self.path / name).unlink()

    def _remove_left_over(self) -> None:
        """Remove what runs that were killed left, shards among them: none is running now."""
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
            what = f" --shard {self.shard}" if folder == self._staging else ""
            raise OutputError(
                f"another retina-run{what} is writing to {str(self.path)!r}; wait for it, "
                "or choose another --out"
            ) from None
        except OSError:
            pass  # a network file system without locks: go on without one

    def _release(self) -> None:
        while self._locks:
            os.close(self._locks.pop())
