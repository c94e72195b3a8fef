"""What the headers of JPEG, JPEG-LS and JPEG 2000 data say, read before a decoder is given them."""

from __future__ import annotations

from dataclasses import dataclass

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import COPY_AGAIN

_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_SIZ, _COD, _SOT = b"\xff\x51", b"\xff\x52", b"\xff\x90"
_JPEG_LS, _LOSSLESS = 0xF7, {0xC3, 0xC7, 0xCB, 0xCF}
_FRAMES = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}
_LETTERS = (b"RGB", b"rgb")


@dataclass(frozen=True)
class Codestream:
    """What a compressed frame says of itself.

    Attributes
    ----------
    kind : {"jpeg", "jpeg-lossless", "jpeg-ls", "jpeg-2000"}
        What decodes it.
    width, height, components, bits : int
        Size in pixels, colours, bits of a value.
    stored_as : {"rgb", "ybr", ""}
        What the values are, or for JPEG 2000 what they become by decoding; empty where it does not say.
    """

    kind: str
    width: int
    height: int
    components: int
    bits: int
    stored_as: str = ""


def codestream_of(data: bytes) -> Codestream | None:
    """Return what a compressed frame says of itself; None if it is not of any such kind.

    Raises
    ------
    ImageError
        If it ends within its header.
    """
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        if data.startswith((b"\xff\x4f\xff\x51", _JP2)):
            return _jpeg2000(data, 0 if data[:1] == b"\xff" else _codestream_box(data))
    except IndexError as error:
        raise ImageError(f"truncated (the header of a compressed frame); {COPY_AGAIN}") from error
    return None


def _number(data: bytes, position: int, size: int) -> int:
    """Return an unsigned number, most significant byte first."""
    if position + size > len(data):
        raise IndexError
    return int.from_bytes(data[position : position + size], "big")


def _jpeg(data: bytes) -> Codestream:
    """Read the markers up to the frame header (ISO/IEC 10918-1, B.2.2; 14495-1, C.2.2)."""
    position, stored_as = 2, ""
    while True:
        if data[position] != 0xFF:
            raise ImageError(f"damaged (no JPEG marker where one must be); {COPY_AGAIN}")
        marker = data[position + 1]
        if marker == 0xFF:  # filler
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            position += 2
            continue
        begin, length = position + 4, _number(data, position + 2, 2)
        if marker == 0xE0 and data.startswith(b"JFIF\0", begin):
            stored_as = "ybr"
        elif marker == 0xEE and data.startswith(b"Adobe", begin) and length >= 14:  # else libjpeg ignores it
            stored_as = "ybr" if data[begin + 11] else "rgb"
        elif marker in _FRAMES:
            break
        position += 2 + max(length, 2)
    components = data[begin + 5]
    letters = bytes(data[begin + 6 + 3 * number] for number in range(components))
    kind = "jpeg-ls" if marker == _JPEG_LS else "jpeg-lossless" if marker in _LOSSLESS else "jpeg"
    return Codestream(
        kind,
        _number(data, begin + 3, 2),
        _number(data, begin + 1, 2),
        components,
        data[begin],
        "rgb" if letters in _LETTERS and not stored_as else stored_as,
    )


def _codestream_box(data: bytes) -> int:
    """Return where the codestream begins in a JP2 file (ISO/IEC 15444-1, I.4)."""
    position = 0
    while data[position + 4 : position + 8] != b"jp2c":
        length = _number(data, position, 4)
        if length < 8:
            raise ImageError(f"damaged (a JP2 box of impossible length); {COPY_AGAIN}")
        position += length
    return position + (16 if _number(data, position, 4) == 1 else 8)


def _jpeg2000(data: bytes, start: int) -> Codestream:
    """Read the main header (ISO/IEC 15444-1, A.5.1 and A.6.1)."""
    if data[start + 2 : start + 4] != _SIZ:
        raise ImageError(f"damaged (a JPEG 2000 frame without its size); {COPY_AGAIN}")
    right, bottom, left, top = (_number(data, start + place, 4) for place in (8, 12, 16, 20))
    components = _number(data, start + 40, 2)
    bits = (data[start + 42] & 0x7F) + 1
    stored_as = ""
    position = start + 2
    while data[position : position + 2] != _SOT:
        if data[position : position + 2] == _COD and data[position + 8]:  # the multiple component transform
            stored_as = "rgb"
        position += 2 + max(_number(data, position + 2, 2), 2)
    return Codestream("jpeg-2000", right - left, bottom - top, components, bits, stored_as)
