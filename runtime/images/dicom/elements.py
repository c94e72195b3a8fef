"""The elements of a DICOM file that are read, as bytes.

Only those that a photograph needs are read. Name, birth date and identifiers of the patient are skipped, so
that no message, log or report can contain them.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.dicom.classes import as_uid, file_meta
from retinagan.runtime.images.integrity import COPY_AGAIN

DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", DEFLATED)
"""Transfer syntaxes whose pixels are neither compressed nor encapsulated: implicit VR, explicit, big-endian,
deflated."""

_MOST_READS = 1_000_000  # of pieces of a header; an ordinary one has some hundred
_TRANSFER_SYNTAX, _FILE_CLASS = 0x0010, 0x0002  # of the File Meta Information
_PIXELS, _FLOATS = 0x7FE00010, (0x7FE00008, 0x7FE00009)
_WORD = re.compile(r"[A-Z0-9_ ]{1,16}")
_FORMATS = {"US": "H", "SS": "h", "UL": "L", "FL": "f", "FD": "d"}


@dataclass(frozen=True)
class PixelData:
    """The value of Pixel Data, encapsulated in items unless the transfer syntax is native, and its VR."""

    value: bytes
    vr: str


def require_pydicom() -> None:
    """Import pydicom, or say how to install it.

    Raises
    ------
    ImageError
        If it is missing, or older than version 3.
    """
    advice = 'pip install "retinagan[dicom]"'
    try:
        import pydicom
    except ImportError as error:
        raise ImageError(f"DICOM needs pydicom, which is not installed: {advice}") from error
    if int(pydicom.__version__.partition(".")[0]) < 3:
        raise ImageError(f"DICOM needs pydicom 3 or later, found {pydicom.__version__}: {advice}")


class Elements:
    """The wanted elements before the pixels of a DICOM file, and the pixels when they are asked for.

    Values are taken from their bytes: pydicom's conversion warns of every oddity.

    Parameters
    ----------
    data : bytes
        The whole file.
    wanted : mapping of int to str
        The VR of each element that is read, by tag.
    most_bytes : int
        How long the data set may become if its transfer syntax is deflated.

    Attributes
    ----------
    transfer_syntax, file_class : str
        UIDs of the File Meta Information; the first is guessed if it is missing.

    Raises
    ------
    ImageError
        If pydicom is missing, or the file is damaged or too large. Of damaged files pydicom also raises other
        errors.
    """

    def __init__(self, data: bytes, wanted: dict[int, str], most_bytes: int) -> None:
        require_pydicom()
        from pydicom.filereader import read_partial

        meta, _ = file_meta(data)
        self._wanted = wanted
        self._stream = _Limited(_inflated(data, most_bytes))
        self._dataset: Any = read_partial(
            self._stream,
            stop_when=lambda tag, vr, length: tag in (_PIXELS, *_FLOATS),
            force=True,  # whether it is DICOM was looked at before
            specific_tags=[*wanted],
        )
        first: Any = next((self._dataset.get_item(tag) for tag in wanted if tag in self._dataset), None)
        # of an element: the data set's own note is what the transfer syntax promises
        self._is_implicit = bool(getattr(first, "is_implicit_VR", False))
        self._is_little_endian = bool(getattr(first, "is_little_endian", True))
        self._order = "<" if self._is_little_endian else ">"
        guessed = (not self._is_implicit) if self._is_little_endian else 2
        self.transfer_syntax = as_uid(meta.get(_TRANSFER_SYNTAX, b"")) or NATIVE[guessed]
        self.file_class = as_uid(meta.get(_FILE_CLASS, b""))

    def has(self, *tags: int) -> bool:
        """Whether any of these elements is there."""
        return any(tag in self._dataset for tag in tags)

    def raw(self, tag: int) -> bytes:
        """Return the bytes of a value; empty if there is none."""
        if tag not in self._dataset:
            return b""
        value = self._dataset.get_item(tag).value
        return value if isinstance(value, bytes) else b""

    def words(self, tag: int) -> list[str]:
        """Return the values of a text."""
        return [word.strip(" \0") for word in self.raw(tag).decode("latin-1").split("\\")]

    def code(self, tag: int) -> str:
        """Return a code such as ``MONOCHROME2``; empty if it is none."""
        code = self.words(tag)[0].upper()
        return code if _WORD.fullmatch(code) else ""

    def numbers(self, tag: int) -> list[float]:
        """Return the numbers of a text or of binary values; empty if they are none."""
        if tag not in self._dataset:
            return []
        kind = _FORMATS.get(self._dataset.get_item(tag).VR or self._wanted[tag])
        try:
            if kind is None:
                return [float(word) for word in self.words(tag)]
            value = self.raw(tag)
            count = len(value) // struct.calcsize(self._order + kind)
            return list(struct.unpack_from(f"{self._order}{count}{kind}", value))
        except ValueError:
            return []

    def whole(self, tag: int, name: str, default: int | None = None) -> int:
        """Return a whole number; the default, if there is one, where the element is missing or empty.

        Raises
        ------
        ImageError
            If it is missing without a default, or no such number.
        """
        if default is not None and not self.raw(tag):
            return default
        numbers = self.numbers(tag)
        if numbers and 0 <= numbers[0] < 1 << 31 and numbers[0] == int(numbers[0]):
            return int(numbers[0])
        raise ImageError(
            f"the DICOM file has no valid {name} ({tag >> 16:04X},{tag & 0xFFFF:04X}); export the image again"
        )

    def items(self, tag: int) -> Iterable[Any]:
        """Return the items of a sequence, as data sets of pydicom; their values are not converted.

        Raises
        ------
        ImageError
            If the sequence is missing, as where the file is truncated within it, or is shorter than it says.
        """
        element: Any = self._dataset.get_item(tag) if tag in self._dataset else None
        value = getattr(element, "value", None)
        if element is None or (isinstance(value, bytes) and len(value) != element.length):
            raise ImageError(f"truncated (within a sequence of the DICOM file); {COPY_AGAIN}")
        return list(self._dataset[tag].value)

    def pixel_data(self) -> PixelData | None:
        """Read the pixel data, once; None if there are none.

        Raises
        ------
        ImageError
            If they are floating point values.
        """
        from pydicom.filereader import data_element_generator

        following = data_element_generator(self._stream, self._is_implicit, self._is_little_endian)
        element: Any = next(following, None)
        if element is None or element.tag not in (_PIXELS, *_FLOATS):
            return None
        if element.tag in _FLOATS:
            raise ImageError("the pixels are floating point values; export the image with 8 or 16 bits")
        return PixelData(bytes(element.value or b""), element.VR or "OW")


class _Limited(io.BytesIO):
    """A file in memory that may be read in a million pieces: a hostile header would take hours."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _MOST_READS:
            raise ImageError("the DICOM header has too many elements; export the image again")
        return super().read(size)


def _inflated(data: bytes, most_bytes: int) -> bytes:
    """Return a file of the deflated transfer syntax as one of explicit VR; any other as it is."""
    meta, end = file_meta(data)
    if as_uid(meta.get(_TRANSFER_SYNTAX, b"")) != DEFLATED:
        return data
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = stream.decompress(memoryview(data)[end:], most_bytes)
    except zlib.error as error:
        raise ImageError(f"damaged (the deflated DICOM data set: {error}); {COPY_AGAIN}") from error
    if stream.unconsumed_tail:
        raise ImageError(f"the DICOM data set inflates to more than {most_bytes >> 20} MiB; make it smaller")
    if not stream.eof:
        raise ImageError(f"truncated (the deflated DICOM data set ends too early); {COPY_AGAIN}")
    explicit = NATIVE[1].encode().ljust(20, b"\0")
    return b"".join((data[:132], b"\x02\x00\x10\x00UI", struct.pack("<H", len(explicit)), explicit, content))
