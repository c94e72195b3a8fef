"""report.html and its pictures in an output folder: drawn image by image, written while the run goes on."""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import features

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.page.drawing import Drawing, is_drawn
from retinagan.runtime.batch.page.html import FILE_NAME, HEAD, MARK, PICTURES, html_of, number_of
from retinagan.runtime.batch.page.names import Names, is_digits
from retinagan.runtime.batch.page.rows import read_rows
from retinagan.runtime.batch.report import Report
from retinagan.runtime.batch.row import Row
from retinagan.runtime.errors import OptionError
from retinagan.runtime.segmenter import Segmentation

_FIRST_SECONDS = 30.0  # until the page is written during a run
_SHARE = 20  # of the run's time, the part that writing the page may take


class Page:
    """The page of an output folder; a context manager that writes it on leaving, however the run ends.

    An image's pictures are in a folder of their own below ``report/``. The thumbnail is written last, so that
    it tells whether all are there.

    Parameters
    ----------
    folder : OutputFolder
        The output folder, entered. In a shard's folder the pictures are drawn, but the page is left to the
        run that brings the shards together.
    report : Report
        Its run.csv, entered.
    names : {"file", "hash"}
        What the page calls an image.
    clock : callable
        Gives the time in seconds.

    Raises
    ------
    OptionError
        If Pillow has no WebP.
    OutputError
        If ``report.html`` or ``report-names.csv`` are of another program and `folder` may not overwrite them;
        on `advance` and on leaving, if the page cannot be written.
    """

    def __init__(
        self,
        folder: OutputFolder,
        report: Report,
        names: str = "file",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not features.check("webp"):
            raise OptionError(
                "--report: this Pillow was built without WebP; install one with it: "
                "pip install --force-reinstall Pillow"
            )
        path = folder.directory / FILE_NAME
        self.path = path if folder.shard is None else None
        self._folder = folder
        self._report = report
        head = _head_of(path)
        if head is not None and MARK not in head and not folder.overwrite:
            raise OutputError(
                f"{str(path)!r} is not from retina-run; move it away, choose another --out, or replace "
                "it with --overwrite"
            )
        self._number = number_of(head or b"") or secrets.token_hex(8)
        self._names = Names(folder, names)
        self._tidy = False
        self._clock = clock
        self._next = clock() + _FIRST_SECONDS

    def __enter__(self) -> "Page":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.write()
        except OutputError:
            if error is None:  # else the disk that stopped the run stops the page, too
                raise

    def expect(self, names: Iterable[str]) -> None:
        """Take up the images to be done and those in run.csv; at first, remove the pictures of all others."""
        names = list(names)
        self._names.add(names)
        if self._tidy:
            return
        self._tidy = True
        known = {self._names.digits_of(name) for name in names}
        pictures = self._folder.directory / PICTURES
        for path in pictures.iterdir() if pictures.is_dir() else ():
            if is_digits(path.name) and path.name not in known:
                self._folder.clear(f"{PICTURES}/{path.name}")

    def has(self, name: str) -> bool:
        """Whether the pictures of an image are there."""
        return self._has_pictures(self._names.digits_of(name))

    def drawing(self, name: str, image: NDArray[np.uint8], result: Segmentation | None) -> Drawing | None:
        """Remove the pictures of an image, and return what draws new ones; None if it is to have none.

        Parameters
        ----------
        name : str
            The image's name, one of those that `expect` was given.
        image : (H, W, 3) uint8 array
            RGB image; without pixels if it could not be read.
        result : Segmentation or None
            Of the image, or None if it failed. Where names are hidden, what is not retina is black, and an
            image that failed has no pictures: a camera may have written a name into the picture.
        """
        self.remove(name)
        if not image.size or (self._names.hidden and result is None):
            return None
        if self._names.hidden and result is not None:
            image = np.where(result.roi[:, :, None], image, np.uint8(0))
        return Drawing(self._folder, f"{PICTURES}/{self._names.digits_of(name)}", image, result)

    def remove(self, name: str) -> None:
        """Remove the pictures of an image."""
        for digits in self._names.all_digits_of(name):
            self._folder.clear(f"{PICTURES}/{digits}")

    def advance(self, row: Row) -> None:
        """Write the page if it is time: a long run can be looked at, and one that is killed leaves a page."""
        now = self._clock()
        if self.path is None:
            _remove_page(self._folder)
        elif now >= self._next:
            self.write()
            after = self._clock()
            self._next = after + max(_FIRST_SECONDS, _SHARE * (after - now))

    def write(self) -> None:
        """Write the page of the images in run.csv, unless this is a shard."""
        if self.path is None:
            return
        rows = read_rows(self._report.rows(), self._folder.directory, self._names, self._has_pictures)
        try:
            self._folder.replace(FILE_NAME, html_of(rows, number=self._number, hidden=self._names.hidden))
        except OSError as error:
            raise OutputError(
                f"cannot write {str(self.path)!r} ({error.strerror}); choose another --out"
            ) from None

    def _has_pictures(self, digits: str) -> bool:
        return is_drawn(self._folder, f"{PICTURES}/{digits}")


class OldPage:
    """What an earlier run with a page has left in the output folder, for a run without one.

    As soon as an image is done again, the page is out of date: it is removed, and so are the pictures of that
    image.

    Parameters
    ----------
    folder : OutputFolder
        The output folder, entered.
    """

    path = None

    def __init__(self, folder: OutputFolder) -> None:
        self._folder = folder
        self._names = Names(folder) if (folder.directory / PICTURES).is_dir() else None

    def __enter__(self) -> "OldPage":
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def expect(self, names: Iterable[str]) -> None:
        """Do nothing: only pictures of images that are done again are in doubt."""

    def has(self, name: str) -> bool:
        """Whether all is there that is asked for: always, since nothing is."""
        return True

    def drawing(self, name: str, image: NDArray[np.uint8], result: Segmentation | None) -> None:
        """Return nothing to draw."""

    def advance(self, row: Row) -> None:
        """Remove the page, and the pictures of this row's image."""
        _remove_page(self._folder)
        if self._names is not None:
            for digits in self._names.all_digits_of(row.path):
                self._folder.clear(f"{PICTURES}/{digits}")


def _remove_page(folder: OutputFolder) -> None:
    """Remove report.html if it is ours: an image that it shows is being done again."""
    with contextlib.suppress(OSError, OutputError):
        if MARK in (_head_of(folder.directory / FILE_NAME) or b""):
            (folder.directory / FILE_NAME).unlink()


def _head_of(path: Path) -> bytes | None:
    """Return the first bytes of a page; None if there is none."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OutputError(f"cannot read {str(path)!r} ({error.strerror}); move it away") from None
