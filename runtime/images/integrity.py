"""Check that an image file is complete, where decoders accept truncated or damaged files."""

from __future__ import annotations

import zlib

from retinagan.runtime.errors import ImageError

COPY_AGAIN = "copy it again from its source"
"""What to do about a file that is truncated or damaged."""

_END_OF_CODESTREAM = b"\xff\xd9"
_LONGEST_ZEROS = bytes(256)


def check_png(data: bytes) -> None:
    """Raise ImageError if a chunk is missing or has a wrong checksum, which Pillow ignores in pixel data."""
    position, kind = 8, b""
    while kind != b"IEND":
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if len(data) < end + 4:
            raise ImageError(f"truncated (the PNG ends within a chunk); {COPY_AGAIN}")
        check_sum = zlib.crc32(memoryview(data)[position + 4 : end])
        if check_sum != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"damaged (wrong check sum of the PNG's {kind!r} chunk); {COPY_AGAIN}")
        position = end + 4


def png_significant_bits(data: bytes) -> int | None:
    """Return the largest number of significant bits that a PNG declares for a colour; None without sBIT."""
    position = 8
    while data[position + 4 : position + 8] not in (b"IDAT", b"IEND", b""):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] == b"sBIT":
            colours = 3 if data[25] & 2 else 1  # alpha comes after them
            return max(data[position + 8 : position + 8 + min(length, colours)], default=None)
        position += 12 + length
    return None


def check_jpeg2000(data: bytes) -> None:
    """Raise ImageError if the end-of-codestream marker is missing, or for a long run of zeros.

    The decoder reports neither. A byte of 0 is an empty packet, of which few follow each other.
    """
    if data.find(_LONGEST_ZEROS, 0, data.rfind(_END_OF_CODESTREAM)) >= 0:
        raise ImageError(f"damaged (zeros within a JPEG 2000 image); {COPY_AGAIN}")
    if data.rstrip(b"\0")[-2:] != _END_OF_CODESTREAM:
        raise ImageError(f"truncated (no end-of-codestream marker); {COPY_AGAIN}")
