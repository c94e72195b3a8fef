"""TIFF files: find the page of the photograph, and check that its strips or tiles are complete.

Decoders open the first page, which may be a thumbnail, and only warn about truncated strips.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import COPY_AGAIN
from retinagan.runtime.images.jpeg import decode_jpeg

_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_WHOLE_NUMBERS = {1: "B", 3: "H", 4: "L", 16: "Q"}
_FIRST_PRIVATE_TAG = 32768  # what programs add of their own may be broken without harm to the image
_MOST_PAGES = 10_000
_MOST_VALUES = 1 << 24

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION = 254, 255, 256, 257, 258, 259
_OFFSETS, _SAMPLES, _ROWS, _COUNTS, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_JPEG_TABLES, _MOST_SAMPLE = 347, 281
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_UNCOMPRESSED, _JPEG, _PACKBITS, _DEFLATE = 1, 7, 32773, (8, 32946)
_WITHOUT_ZEROS = (5, 34925, 50000, 50001)  # LZW, LZMA, Zstandard, WebP: their streams hold runs as numbers
_LONGEST_ZEROS = bytes(64)


@dataclass(frozen=True)
class Page:
    """One page: the offset of its directory, and the tags that hold integers or bytes."""

    offset: int
    tags: dict[int, tuple[int, ...]]
    raw: dict[int, bytes]

    def one(self, tag: int, default: int = 0) -> int:
        """Return the first value of a tag."""
        return self.tags.get(tag, (default,))[0]

    @property
    def is_reduced(self) -> bool:
        """Whether the file marks this page as a reduced copy of another, or as a mask."""
        return bool(self.one(_SUBFILE) & (_REDUCED | _MASK)) or self.one(_OLD_SUBFILE) == 2

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.size[0] * self.size[1]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.one(_WIDTH), self.one(_HEIGHT)

    @property
    def declared_bits(self) -> int | None:
        """Bit depth of 16-bit samples by BitsPerSample or MaxSampleValue; None if neither tells."""
        bits = self.one(_BITS, 1)
        most = max(self.tags.get(_MOST_SAMPLE, (0,)))
        return most.bit_length() if 1 < most < (1 << bits) - 1 else bits if 8 < bits < 16 else None


class Tiff:
    """The structure of a TIFF or BigTIFF file.

    Raises
    ------
    ImageError
        If a directory, or the value of a tag, lies beyond the end of the file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data[:2] == b"II" else ">"
        self._big = data[2:4] in (b"\x2b\0", b"\0\x2b")
        self._offset, self._number = ("Q", "Q") if self._big else ("L", "H")
        try:
            self.pages = list(self._pages())
        except struct.error as error:
            raise ImageError(f"truncated (the TIFF's directory lies beyond the end); {COPY_AGAIN}") from error

    def photographs(self) -> list[Page]:
        """Return the full-size pages: not marked as reduced, and not much smaller than the largest."""
        full = [page for page in self.pages if not page.is_reduced] or self.pages
        largest = max(page.pixels for page in full)
        return [page for page in full if 4 * page.pixels > largest] or full

    def with_first(self, page: Page) -> bytes:
        """Return the file with its first directory set to this page's, which all decoders open."""
        if page is self.pages[0]:
            return self._data
        place = 8 if self._big else 4
        offset = struct.pack(self._order + self._offset, page.offset)
        return self._data[:place] + offset + self._data[place + len(offset) :]

    def check(self, page: Page) -> None:
        """Raise ImageError if a strip or tile does not decode to its full length."""
        tiled = _TILE_WIDTH in page.tags
        places = page.tags.get(_TILE_OFFSETS if tiled else _OFFSETS, ())
        lengths = page.tags.get(_TILE_COUNTS if tiled else _COUNTS, ())
        compression = page.one(_COMPRESSION, _UNCOMPRESSED)
        sizes = _decoded_sizes(page, tiled)
        for number, (place, length, size) in enumerate(zip(places, lengths, sizes, strict=False), 1):
            stored = size if compression == _UNCOMPRESSED else length
            if place + stored > len(self._data):
                raise ImageError(
                    f"truncated ({'tile' if tiled else 'strip'} {number} of the TIFF lies beyond the end); "
                    f"{COPY_AGAIN}"
                )
            piece = memoryview(self._data)[place : place + length]
            whole = {_PACKBITS: _unpacks, **dict.fromkeys(_DEFLATE, _inflates)}.get(compression)
            zeros = (
                compression in _WITHOUT_ZEROS and self._data.find(_LONGEST_ZEROS, place, place + length) >= 0
            )
            if zeros or (whole is not None and not whole(piece, size)):
                raise ImageError(f"damaged (strip or tile {number} of the TIFF); {COPY_AGAIN}")
            if compression == _JPEG:
                decode_jpeg(_joined(page.raw.get(_JPEG_TABLES, b""), bytes(piece)), _most_pixels(page))

    def _pages(self) -> Iterator[Page]:
        data = self._data
        seen: set[int] = set()
        (start,) = struct.unpack_from(self._order + self._offset, data, 8 if self._big else 4)
        while start and start not in seen and len(seen) < _MOST_PAGES:
            seen.add(start)
            (count,) = struct.unpack_from(self._order + self._number, data, start)
            first = start + struct.calcsize(self._order + self._number)
            entry = 4 + 2 * struct.calcsize(self._order + self._offset)
            (following,) = struct.unpack_from(self._order + self._offset, data, first + count * entry)
            yield self._page(start, range(first, first + count * entry, entry), entry)
            start = following

    def _page(self, start: int, entries: range, entry: int) -> Page:
        inline = (entry - 4) // 2
        tags, raw = {}, {}
        for position in entries:
            tag, kind, values = struct.unpack_from(self._order + "HH" + self._offset, self._data, position)
            place = position + entry - inline
            length = values * (_TYPE_BYTES[kind] if kind < len(_TYPE_BYTES) else 0)
            if length > inline:
                (place,) = struct.unpack_from(self._order + self._offset, self._data, place)
                if tag < _FIRST_PRIVATE_TAG and place + length > len(self._data):
                    raise ImageError(
                        f"truncated (the value of TIFF tag {tag} lies beyond the end); {COPY_AGAIN}"
                    )
            if tag < _FIRST_PRIVATE_TAG and kind in _WHOLE_NUMBERS and 0 < values <= _MOST_VALUES:
                code = f"{self._order}{values}{_WHOLE_NUMBERS[kind]}"
                tags[tag] = struct.unpack_from(code, self._data, place)
            elif tag == _JPEG_TABLES:
                raw[tag] = self._data[place : place + length]
        return Page(start, tags, raw)


def _decoded_sizes(page: Page, tiled: bool) -> list[int]:
    """Return the decoded size of each strip or tile in bytes."""
    width, height = page.one(_WIDTH), page.one(_HEIGHT)
    bits, samples = page.tags.get(_BITS, (1,)), page.one(_SAMPLES, 1)
    planes = samples if page.one(_PLANAR, 1) == 2 else 1
    pixel = bits[0] * samples // planes
    if tiled:
        tile = max(1, page.one(_TILE_WIDTH)), max(1, page.one(_TILE_HEIGHT))
        count = -(-width // tile[0]) * -(-height // tile[1]) * planes
        return [(tile[0] * pixel + 7) // 8 * tile[1]] * count
    rows = max(1, min(page.one(_ROWS, height), height))
    per_plane = -(-height // rows)
    row = (width * pixel + 7) // 8
    return [row * min(rows, height - number * rows) for number in range(per_plane)] * planes


def _most_pixels(page: Page) -> int:
    """Return an upper bound for the pixels of a strip or tile, whose edge may lie beyond the page's."""
    return page.pixels + max(page.one(_TILE_WIDTH) * page.one(_TILE_HEIGHT), 16 * page.one(_WIDTH))


def _inflates(piece: memoryview, size: int) -> bool:
    """Whether a zlib stream has the right checksum and decodes to at least that many bytes."""
    stream, found = zlib.decompressobj(), 0
    try:
        part = stream.decompress(piece, 1 << 20)
        while part:
            found += len(part)
            if found > size + (1 << 20):
                return True  # longer than needed: not ours to judge
            part = stream.decompress(stream.unconsumed_tail, 1 << 20)
    except zlib.error:
        return False
    return stream.eof and found >= size


def _unpacks(piece: memoryview, size: int) -> bool:
    """Whether PackBits data decodes to exactly that many bytes."""
    found = position = 0
    while position < len(piece) and found < size:
        header = piece[position]
        if header < 128:
            found, position = found + header + 1, position + header + 2
        else:
            found, position = found + (257 - header if header > 128 else 0), position + (1 + (header > 128))
    return found == size and len(piece) - 2 <= position <= len(piece)


def _joined(tables: bytes, strip: bytes) -> bytes:
    """Join the JPEG tables that all strips share and one strip to a complete JPEG image."""
    return tables[:-2] + strip[2:] if len(tables) > 4 else strip
