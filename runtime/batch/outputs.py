"""The output folder: complete pictures or none, and one run at a time."""

import contextlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from retinagan.runtime.batch.encoding import ENCODERS, Picture, PictureError
from retinagan.runtime.batch.pictures import OVERLAY_FORMATS, picture_name, picture_names
from retinagan.runtime.batch.place import LocalFolder, OutputError, Place
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.errors import OptionError
from retinagan.runtime.storage.address import check_folder, is_url, local_path

__all__ = ["OutputError", "OutputFolder"]


class OutputFolder:
    """An output folder for one run at a time, or for the shards of one; a context manager.

    It is a folder of this machine, whose files are renamed when whole and which locks out other runs, or the
    URL of one in a store, which knows no locks.

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
    guest : bool
        Whether another process has entered the folder for this one, and keeps other runs away.

    Attributes
    ----------
    path : Path or str
        The folder; a URL is a str.
    place : Place
        Reads and writes its files.

    Raises
    ------
    OptionError
        If the format is unknown.
    StorageError
        If the store of a URL needs a package that is not installed.
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
        guest: bool = False,
    ) -> None:
        if overlay_format not in OVERLAY_FORMATS:
            raise OptionError(
                f"overlay format: got {overlay_format!r}; expected one of {', '.join(OVERLAY_FORMATS)}"
            )
        self.place = _place(path, shard, guest)
        self.path = self.place.path
        self.shard = shard
        self.overwrite = overwrite
        self.overlay_format = overlay_format

    @property
    def directory(self) -> Path:
        """The folder's path on this machine, for what a store cannot do.

        Raises
        ------
        OptionError
            If the folder is in a store.
        """
        if isinstance(self.path, str):
            raise OptionError(f"argument --out: got {self.path!r}; expected a folder of this machine")
        return self.path

    def __enter__(self) -> "OutputFolder":
        try:
            self.place.enter()
        except OSError as error:
            raise OutputError(
                f"cannot write to the output folder {str(self.path)!r} ({error.strerror}); "
                "choose another with --out"
            ) from None
        return self

    def __exit__(self, *exception: object) -> None:
        self.place.leave()

    def replace(self, name: str, content: Iterable[bytes]) -> None:
        """Write a file whole or not at all; `name` is its path in the folder. Raises OSError.

        Many threads may write at once.
        """
        self.place.replace(name, content)

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
        encode = ENCODERS[Path(self._name(stem, kind)).suffix]
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
        try:
            if not self.overwrite and self.place.is_foreign(name):
                raise PictureError(
                    f"{name!r} exists in the output folder and is not from retina-run; "
                    "move it away, or replace it with --overwrite"
                )
            self.replace(name, [encode()])
        except OSError as error:
            if self.place.is_lost(error):
                raise OutputError(
                    f"cannot write to the output folder {str(self.path)!r} any more ({error.strerror})"
                ) from None
            raise PictureError(f"cannot write {name!r} ({error.strerror})") from None

    def picture(self, stem: str, kind: str) -> Path | str:
        """Return the path or URL that a picture has or would have."""
        return self.place.at(self._name(stem, kind))

    def has(self, stem: str, kinds: Iterable[str]) -> bool:
        """Whether all these pictures exist; an empty file, as a power cut may leave, does not count."""
        return all(self.place.size(self._name(stem, kind)) for kind in kinds)

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
            self._unlink(self.place.names(name))
            self.place.remove_folder(name)

    def _name(self, stem: str, kind: str) -> str:
        return picture_name(stem, kind, self.overlay_format)

    def _unlink(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(OSError):
                if self.place.is_own(name):
                    self.place.remove(name)


def _place(path: str | os.PathLike[str], shard: Shard | None, guest: bool) -> Place:
    if isinstance(path, str):
        check_folder(path)
    if isinstance(path, str) and is_url(path):
        from retinagan.runtime.batch.store_folder import StoreFolder  # others need no store

        return StoreFolder(path, shard, guest=guest)
    return LocalFolder(Path(local_path(path) if isinstance(path, str) else path), shard, guest=guest)
