"""JPEG files: find the images in a file, and decode them without ignoring damage.

Pillow and OpenCV drop libjpeg's warnings ("corrupt data", "premature end of data segment"), and return
an image that is shifted or grey after the damage. simplejpeg reports them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.integrity import COPY_AGAIN

_START, _END, _SCAN, _TABLES = 0xD8, 0xD9, 0xDA, 0xC4
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}  # SOF markers
_AC = 0x10  # class of a Huffman table for AC coefficients
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF markers
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_LONGEST_ZEROS = bytes(64)


@dataclass(frozen=True)
class JpegImage:
    """Location of one image in a file, ``data[start:end]``, and its width and height in pixels."""

    start: int
    end: int
    width: int
    height: int


def jpeg_images(data: bytes) -> list[JpegImage]:
    """Find the images of a JPEG file; several only if it declares them (Multi-Picture Format).

    Raises
    ------
    ImageError
        If the first image has no end-of-image marker, or its markers are invalid.
    """
    first, several = _walk(data, 0)
    images = [first]
    while several:
        start = data.find(b"\xff\xd8\xff", images[-1].end)
        if start < 0:
            break
        try:
            images.append(_walk(data, start)[0])
        except ImageError:
            break  # what follows the first image need not be one
    return images


def decode_jpeg(data: bytes, max_pixels: int) -> NDArray[np.uint8]:
    """Decode a JPEG image; every warning of libjpeg is an error.

    Returns
    -------
    (H, W), (H, W, 3) or (H, W, 4) uint8
        Grey, RGB or CMYK as stored.

    Raises
    ------
    ImageError
        If the image is truncated or damaged, or has more than `max_pixels` pixels.
    """
    import simplejpeg

    _check_scans(data)
    try:
        height, width, kind, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if height * width > max_pixels:
            raise ImageError(f"damaged (a JPEG image of {width}x{height} pixels); {COPY_AGAIN}")
        color = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(kind, "RGB")
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, colorspace=color, strict=True)
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(f"damaged ({_reason(error)}); {COPY_AGAIN}") from error
    return pixels[..., 0] if color == "GRAY" else pixels


def _reason(error: ValueError) -> str:
    return str(error).strip().rstrip(".")


def _walk(data: bytes, start: int) -> tuple[JpegImage, bool]:
    """Follow the markers of one image to its end; return it, and whether it declares further images."""
    width, height, several, end = 0, 0, False, start
    for marker, content, end in _segments(data, start + 2):  # noqa: B007 (the last end is the image's)
        if marker in _FRAMES and len(content) >= 5:
            height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
        several |= marker == 0xE2 and content[:4] == b"MPF\0"
    return JpegImage(start, end, width, height), several


def _segments(data: bytes, position: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield the marker, the content and the end of each segment, up to the end-of-image marker's."""
    marker = 0
    while marker != _END:
        position = _next_marker(data, position)
        marker, length = data[position + 1], 0
        if marker != _END and marker not in _WITHOUT_LENGTH:
            length = int.from_bytes(data[position + 2 : position + 4], "big")
            if length < 2:
                raise ImageError(f"damaged (a JPEG marker of impossible length); {COPY_AGAIN}")
        end = position + 2 + length
        yield marker, data[position + 4 : end], end
        position = end


def _next_marker(data: bytes, position: int) -> int:
    """Return the position of the next marker; skip entropy-coded data and restart markers."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise ImageError(f"truncated (no end-of-image marker); {COPY_AGAIN}")
        following = data[position + 1]
        if following == 0xFF:  # filler
            position += 1
        elif following == 0 or 0xD0 <= following <= 0xD7:
            position += 2
        else:
            return position


def _check_scans(data: bytes) -> None:
    """Raise ImageError for a long run of zeros in a scan where no encoder writes one.

    In a progressive scan of AC coefficients a run of empty blocks is one number. In other scans zeros are
    code words, and only if these stand for blocks without differences can many follow each other. A decoder
    reads the zeros as image data, and may by chance end at the right place.
    """
    zeros = data.find(_LONGEST_ZEROS)
    if zeros < 0:
        return
    first_symbols = dict[int, int]()
    progressive = False
    for marker, content, start in _segments(data, 2):
        if marker == _TABLES:
            first_symbols |= _first_symbols(content)
        progressive |= marker in _PROGRESSIVE
        if marker == _SCAN and not _may_have_zeros(content, first_symbols, progressive):
            end = _next_marker(data, start)
            zeros = data.find(_LONGEST_ZEROS, start)
            if 0 <= zeros < end:
                raise ImageError(f"damaged (zeros within a JPEG scan); {COPY_AGAIN}")
            if zeros < 0:
                return


def _first_symbols(tables: bytes) -> dict[int, int]:
    """Return the symbol whose code word is all zeros, by class and number of each Huffman table.

    The layout is that of ITU-T T.81, B.2.4.2.
    """
    found, place = {}, 0
    while place + 17 < len(tables):
        found[tables[place]] = tables[place + 17]
        place += 17 + sum(tables[place + 1 : place + 17])
    return found


def _may_have_zeros(scan: bytes, first_symbols: Mapping[int, int], progressive: bool) -> bool:
    """Whether zeros in a scan with this header can stand for many blocks without differences."""
    components = scan[0] if scan else 0
    if len(scan) < 4 + 2 * components:
        return True
    tables = scan[2 : 2 + 2 * components : 2]
    if progressive:
        if scan[-3] > 0:
            return False  # a scan of AC coefficients
        return scan[-1] >> 4 > 0 or all(first_symbols.get(table >> 4) == 0 for table in tables)
    return all(
        first_symbols.get(table >> 4) == 0 and first_symbols.get(_AC | table & 15) == 0 for table in tables
    )
