"""What the page calls an image: its file name, or digits that hide it; and the folder of its pictures."""

import csv
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator

from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.table import encoded, path_from_cell, path_to_cell

NAMES = ("file", "hash")
"""What the page shows for an image: its file name, or digits in its place."""

FILE_NAME = "report-names.csv"
_HEADER = ["name", "path"]
_DIGITS = 16  # hexadecimal


def plain_digits(name: str) -> str:
    """Return the folder of an image's pictures where names are shown: a hash of its name."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:_DIGITS]


class Names:
    """The digits that stand for each image: the folder of its pictures, and with "hash" also its name.

    A hash of a file name alone can be undone by trying names. With "hash" the digits are those of a hash with
    a salt that is thrown away, so that only ``report-names.csv`` beside run.csv tells which image is meant.
    That file is read again, so that images keep their digits.

    Parameters
    ----------
    folder : OutputFolder
        The output folder, entered.
    kind : {"file", "hash"}
        What the page shows.

    Raises
    ------
    OutputError
        If ``report-names.csv`` cannot be read, or is of another program and `folder` may not overwrite it.
    """

    def __init__(self, folder: OutputFolder, kind: str = "file") -> None:
        self.hidden = kind == "hash"
        self._folder = folder
        self._path = folder.directory / FILE_NAME
        self._digits = dict(self._read())

    def digits_of(self, name: str) -> str:
        """Return the digits that stand for an image of this run."""
        return self._digits[name] if self.hidden else plain_digits(name)

    def all_digits_of(self, name: str) -> list[str]:
        """Return all digits that this and earlier runs may have given an image."""
        salted = self._digits.get(name)
        return [plain_digits(name), *([] if salted is None else [salted])]

    def add(self, names: Iterable[str]) -> None:
        """Give images their digits, and write the file that tells which are which, if names are hidden."""
        if not self.hidden:
            return
        new = [name for name in names if name not in self._digits]
        if not new and self._path.exists():
            return
        salt = secrets.token_bytes(32)
        for name in new:
            salted = hashlib.sha256(salt + os.fsencode(name)).hexdigest()
            self._digits[name] = salted[:_DIGITS]
        rows = ([digits, path_to_cell(name)] for name, digits in self._digits.items())
        try:
            self._folder.replace(FILE_NAME, (encoded(row) for row in [_HEADER, *rows]))
        except OSError as error:
            raise OutputError(
                f"cannot write {str(self._path)!r} ({error.strerror}); choose another --out"
            ) from None

    def _read(self) -> Iterator[tuple[str, str]]:
        try:
            with self._path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
                rows = csv.reader(file)
                if next(rows, None) != _HEADER:
                    if self.hidden and not self._folder.overwrite:
                        raise OutputError(
                            f"{str(self._path)!r} is not from retina-run; move it away, choose another "
                            "--out, or start again with --overwrite"
                        )
                    return
                for row in rows:
                    if len(row) == 2 and is_digits(row[0]):
                        yield path_from_cell(row[1]), row[0]
        except FileNotFoundError:
            return
        except (OSError, csv.Error) as error:
            reason = getattr(error, "strerror", None) or error
            raise OutputError(f"cannot read {str(self._path)!r} ({reason}); move it away") from None


def is_digits(text: str) -> bool:
    """Whether a text could be the digits of an image."""
    return len(text) == _DIGITS and set(text) <= set("0123456789abcdef")
