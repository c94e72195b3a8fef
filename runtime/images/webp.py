"""WebP files (RFC 9649): their size, and whether their image data end where the image does.

Lossy data (RFC 6386) have no checks of their own: after damage the decoder reads on, and the rest of the
image is wrong. But then it needs another number of bytes. If it needs more than there are, it says so; if it
needs fewer, it does not miss the last ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import COPY_AGAIN

_LOSSY, _LOSSLESS = b"VP8 ", b"VP8L"
_CUT = {_LOSSY: 8, _LOSSLESS: 2}
"""Bytes to cut off. Encoders fill up the last byte, lossy ones some more."""
_KEY_FRAME_HEADER = 10


def check_webp(data: bytes) -> None:
    """Raise ImageError if the file is shorter than its header says."""
    if len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise ImageError(f"truncated (the WebP file is shorter than its header says); {COPY_AGAIN}")


def webp_size(data: bytes) -> tuple[int, int]:
    """Return width and height from the header of a file."""
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == _LOSSLESS:
        packed = int.from_bytes(data[21:25], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def shortened(data: bytes) -> Iterator[bytes]:
    """Yield copies of a still image that lack the last bytes of a part of its data.

    A sound image cannot be decoded from any of them.

    Yields
    ------
    bytes
        Without the last bytes of the image; if it is lossy, also without those of its first partition, which
        has the modes of prediction. Nothing for animations.
    """
    for kind, start, end in _chunks(data):
        image = data[start:end].rstrip(b"\0")  # a filled-up end need not be read
        cut = _CUT.get(kind, 0)
        first = int.from_bytes(image[:3], "little") >> 5 if kind == _LOSSY else 0
        cut_off = cut + (len(image) - cut) % 2  # decoders read on in the byte that fills up an odd length
        if cut and len(image) > _KEY_FRAME_HEADER + first + cut_off:
            yield _with_image(kind, image[:-cut_off])
        if cut < first < len(image):
            tag = int.from_bytes(image[:3], "little") - (cut << 5)
            second = _KEY_FRAME_HEADER + first
            yield _with_image(kind, tag.to_bytes(3, "little") + image[3 : second - cut] + image[second:])


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the name of each chunk, and where its content starts and ends."""
    position = 12
    while position + 8 <= len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        yield data[position : position + 4], position + 8, position + 8 + length
        position += 8 + length + length % 2


def _with_image(kind: bytes, image: bytes) -> bytes:
    """Return a file with this image chunk alone."""
    chunk = kind + len(image).to_bytes(4, "little") + image + bytes(len(image) % 2)
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk
