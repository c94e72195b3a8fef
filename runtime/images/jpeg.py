"""JPEG files: find the images in a file, and decode them without ignoring damage.

Pillow and OpenCV drop libjpeg's warnings ("corrupt data", "premature end of data segment"), and return
an image that is shifted or grey after the damage. simplejpeg reports them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError

_COPY_AGAIN = "copy it again from its source"
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
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
            raise ImageError(f"damaged (a JPEG image of {width}x{height} pixels); {_COPY_AGAIN}")
        color = {"Gray": "GRAY", "CMYK": "CMYK", "YCCK": "CMYK"}.get(kind, "RGB")
        pixels: NDArray[Any] = simplejpeg.decode_jpeg(data, colorspace=color, strict=True)
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(f"damaged ({_reason(error)}); {_COPY_AGAIN}") from error
    return pixels[..., 0] if color == "GRAY" else pixels


def _reason(error: ValueError) -> str:
    return str(error).strip().rstrip(".")


def _walk(data: bytes, start: int) -> tuple[JpegImage, bool]:
    """Follow the markers of one image to its end; return it, and whether it declares further images."""
    position, width, height, several = start + 2, 0, 0, False
    while True:
        position = _next_marker(data, position)
        marker = data[position + 1]
        if marker == _END:
            return JpegImage(start, position + 2, width, height), several
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        content = data[position + 4 : position + 2 + length]
        if length < 2:
            raise ImageError(f"damaged (a JPEG marker of impossible length); {_COPY_AGAIN}")
        if marker in _FRAMES and len(content) >= 5:
            height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
        several |= marker == 0xE2 and content[:4] == b"MPF\0"
        position += 2 + length


def _next_marker(data: bytes, position: int) -> int:
    """Return the position of the next marker; skip entropy-coded data and restart markers."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise ImageError(f"truncated (no end-of-image marker); {_COPY_AGAIN}")
        following = data[position + 1]
        if following == 0xFF:  # filler
            position += 1
        elif following == 0 or 0xD0 <= following <= 0xD7:
            position += 2
        else:
            return position


def _check_scans(data: bytes) -> None:
    """Raise ImageError for a long run of zeros in a progressive scan of AC coefficients.

    Such scans code a run of empty blocks as one number, so no encoder writes the zeros. A decoder reads them
    as image data, and end-of-band runs hide that the number of blocks is wrong.
    """
    zeros = data.find(_LONGEST_ZEROS)
    position = 2
    while zeros >= 0:
        position = _next_marker(data, position)
        marker = data[position + 1]
        if marker == _END:
            return
        if marker in _WITHOUT_LENGTH:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        content = data[position + 4 : position + 2 + length]
        position += 2 + length
        if marker == _SCAN and len(content) >= 3 and content[-3] > 0:
            end = _next_marker(data, position)
            zeros = data.find(_LONGEST_ZEROS, position)
            if 0 <= zeros < end:
                raise ImageError(f"damaged (zeros within a JPEG scan); {_COPY_AGAIN}")
