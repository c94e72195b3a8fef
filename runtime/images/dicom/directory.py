"""A DICOMDIR: the list of the files on a medium (PS3.10, section 8; PS3.3, annex F)."""

# Paths are text here, and no link in them may be resolved, as in runtime/batch/inputs.py.
# ruff: noqa: PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import as_uid
from retinagan.runtime.images.dicom.elements import Elements

_MOST_BYTES = 256 << 20
_RECORDS, _IN_USE, _FILE, _CLASS = 0x00041220, 0x00041410, 0x00041500, 0x00041510


class Reference(NamedTuple):
    """A file that a DICOMDIR lists: its path, which need not exist, and the UID of its class."""

    path: str
    class_uid: str


def listed_files(path: str) -> list[Reference]:
    """Return the files that a DICOMDIR lists, in its order.

    Names are looked up whatever their case, as media are often mounted in lower case.

    Raises
    ------
    ImageError
        If pydicom is missing, the DICOMDIR is damaged, or it names files outside its folder.
    """
    folder = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ImageError(f"the DICOMDIR cannot be read ({error.strerror})") from None
    if len(data) > _MOST_BYTES:
        raise ImageError(f"the DICOMDIR is larger than {_MOST_BYTES >> 20} MiB; name the folder instead")
    try:
        records = list(_records(data))
    except ImageError:
        raise
    except Exception as error:  # pydicom meets damaged files with errors of any kind
        raise ImageError("the DICOMDIR is damaged; name the folder instead") from error
    names = _Names()
    return [Reference(names.found(folder, parts), uid) for parts, uid in records]


def _records(data: bytes) -> Iterator[tuple[list[str], str]]:
    """Yield the parts of the path of each file that is listed, and its class."""
    for record in Elements(data, {_RECORDS: "SQ"}, _MOST_BYTES).items(_RECORDS):
        parts = [part.strip(" \0") for part in _raw(record, _FILE).decode("latin-1").split("\\")]
        if parts == [""] or _raw(record, _IN_USE) == b"\0\0":
            continue  # a patient, a study or a series; or a file that was taken out
        if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
            raise ImageError("the DICOMDIR names a file outside its folder; name the folder instead")
        yield parts, as_uid(_raw(record, _CLASS))


def _raw(record: Any, tag: int) -> bytes:
    value = record.get_item(tag).value if tag in record else b""
    return value if isinstance(value, bytes) else b""


class _Names:
    """Finds files whatever the case of their names; remembers the folders that it has listed."""

    def __init__(self) -> None:
        self._listed: dict[str, dict[str, str]] = {}

    def found(self, folder: str, parts: list[str]) -> str:
        """Return the path of a file below a folder; as it is written, if it is not there."""
        path = folder
        for part in parts:
            exact = os.path.join(path, part)
            path = exact if os.path.lexists(exact) else os.path.join(path, self._alike(path, part))
        return path

    def _alike(self, folder: str, name: str) -> str:
        if folder not in self._listed:
            try:
                entries = os.listdir(folder or ".")
            except OSError:
                entries = []
            self._listed[folder] = {entry.casefold(): entry for entry in sorted(entries)}
        return self._listed[folder].get(name.casefold(), name)
