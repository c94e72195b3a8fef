"""HEIC files (ISO/IEC 23008-12): zeros within the HEVC data of an image, which the decoder does not report.

HEVC (ITU-T H.265, 7.4.2) puts a 3 after each pair of zero bytes that a third byte up to 3 would follow, so
its data have no longer runs of zeros.
"""

from __future__ import annotations

from collections.abc import Iterator

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import COPY_AGAIN

_LONGEST_ZEROS = bytes(8)  # at the border of two units, their length adds some to those of the data
_HEVC = (b"hvc1", b"hev1")
_IN_FILE = 0  # an item's data lie at places of the file, not in another box


def check_heif(data: bytes) -> None:
    """Raise ImageError if the HEVC data of an image have zeros where an encoder writes none."""
    meta = next((content for kind, content in _boxes(memoryview(data)) if kind == b"meta"), None)
    if meta is None:
        return
    boxes = dict(_boxes(meta[4:]))
    coded = set(_hevc_items(boxes.get(b"iinf", memoryview(b""))))
    for item, start, length in _extents(boxes.get(b"iloc", memoryview(b""))):
        if item in coded and data.find(_LONGEST_ZEROS, start, start + length) >= 0:
            raise ImageError(f"damaged (zeros within a HEIC image); {COPY_AGAIN}")


def _boxes(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the type and the content of each box (ISO/IEC 14496-12, 4.2)."""
    position = 0
    while position + 8 <= len(data):
        size, header = _number(data[position : position + 4]), 8
        if size == 1:
            size, header = _number(data[position + 8 : position + 16]), 16
        elif size == 0:
            size = len(data) - position
        if size < header:
            return
        yield bytes(data[position + 4 : position + 8]), data[position + header : position + size]
        position += size


def _hevc_items(information: memoryview) -> Iterator[int]:
    """Yield the numbers of the items that an item information box declares as HEVC images."""
    if len(information) < 8:
        return
    count_bytes = 2 if information[0] == 0 else 4
    for kind, entry in _boxes(information[4 + count_bytes :]):
        if kind == b"infe" and len(entry) > 4 and entry[0] in (2, 3):
            width = 2 if entry[0] == 2 else 4
            if bytes(entry[4 + width + 2 : 4 + width + 6]) in _HEVC:
                yield _number(entry[4 : 4 + width])


def _extents(location: memoryview) -> Iterator[tuple[int, int, int]]:
    """Yield the item, the place in the file and the length of each extent in an item location box."""
    if len(location) < 8 or location[0] > 2:
        return
    version, sizes, more_sizes = location[0], location[4], location[5]
    offset_bytes, length_bytes, base_bytes = sizes >> 4, sizes & 15, more_sizes >> 4
    index_bytes = more_sizes & 15 if version > 0 else 0
    number_bytes = 4 if version == 2 else 2
    fields = _Fields(location, 6)
    for _ in range(fields.number(number_bytes)):
        item = fields.number(number_bytes)
        method = fields.number(2) & 15 if version > 0 else _IN_FILE
        fields.number(2)  # the file in which the data lie; other files are not ours
        base = fields.number(base_bytes)
        for _ in range(fields.number(2)):
            fields.number(index_bytes)
            start, length = base + fields.number(offset_bytes), fields.number(length_bytes)
            if fields.ended:
                return
            if method == _IN_FILE:
                yield item, start, length


class _Fields:
    """Reads numbers of several widths, one after the other; 0 beyond the end."""

    def __init__(self, data: memoryview, position: int) -> None:
        self._data = data
        self._position = position

    @property
    def ended(self) -> bool:
        return self._position > len(self._data)

    def number(self, width: int) -> int:
        start = self._position
        self._position += width
        return _number(self._data[start : start + width])


def _number(digits: memoryview) -> int:
    return int.from_bytes(digits, "big")
