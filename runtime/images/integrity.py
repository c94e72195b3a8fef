"""See that an image file is whole, where the decoders would let a truncated or damaged one pass."""

from __future__ import annotations

import struct
import zlib

from retinagan.runtime.errors import ImageError

_COPY_AGAIN = "copy it again from its source"
_TIFF_TYPE_BYTES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
_FIRST_PRIVATE_TAG = 32768  # what programs add of their own may be broken without harm to the image


def check_jpeg(data: bytes) -> None:
    """Raise ImageError without an end-of-image marker: a download that broke off may be padded with zeros."""
    position = 2
    while data[position : position + 1] == b"\xff" and data[position + 1 : position + 2] != b"\xda":
        filler = data[position + 1 : position + 2] == b"\xff"
        position += 1 if filler else 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    if data.find(b"\xff\xd9", position) < 0:
        raise ImageError(f"truncated (no end-of-image marker); {_COPY_AGAIN}")


def check_png(data: bytes) -> None:
    """Raise ImageError for a missing chunk or a wrong check sum, which Pillow lets pass among the pixels."""
    position, kind = 8, b""
    while kind != b"IEND":
        kind = data[position + 4 : position + 8]
        end = position + 8 + int.from_bytes(data[position : position + 4], "big")
        if len(data) < end + 4:
            raise ImageError(f"truncated (the PNG ends within a chunk); {_COPY_AGAIN}")
        check_sum = zlib.crc32(memoryview(data)[position + 4 : end])
        if check_sum != int.from_bytes(data[end : end + 4], "big"):
            raise ImageError(f"damaged (wrong check sum of the PNG's {kind!r} chunk); {_COPY_AGAIN}")
        position = end + 4


def check_tiff(data: bytes) -> None:
    """Raise ImageError if the first image's directory lies beyond the end; decoders only warn of it."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack(order + "H", data[2:4])[0] == 43
    offset, number, entry = ("Q", "Q", 20) if big else ("L", "H", 12)
    inline = struct.calcsize(order + offset)
    try:
        (start,) = struct.unpack_from(order + offset, data, 8 if big else 4)
        (count,) = struct.unpack_from(order + number, data, start)
        first = start + struct.calcsize(order + number)
        struct.unpack_from(order + offset, data, first + count * entry)  # where the next directory is
        for position in range(first, first + count * entry, entry):
            tag, kind, values = struct.unpack_from(order + "HH" + offset, data, position)
            (place,) = struct.unpack_from(order + offset, data, position + entry - inline)
            length = values * (_TIFF_TYPE_BYTES[kind] if kind < len(_TIFF_TYPE_BYTES) else 0)
            if tag < _FIRST_PRIVATE_TAG and length > inline and place + length > len(data):
                raise ImageError(
                    f"truncated (the value of TIFF tag {tag} lies beyond the end); {_COPY_AGAIN}"
                )
    except struct.error as error:
        raise ImageError(f"truncated (the TIFF's directory lies beyond the end); {_COPY_AGAIN}") from error
