"""Pictures of results as bytes of a file, each with a mark that tells that `retina-run` wrote it.

Formats and compression are those that took the least CPU time for the size on images of 8 megapixels. Maps
are PNG with run-length compression, exact and 8 or 16 bits deep: a 1-bit PNG would be cheaper still, but
Pillow reads one as True and False, not as 255 and 0. An overlay is a photograph, for which JPEG takes a
fifteenth of PNG's time and a quarter of its size.
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.pictures import JPEG_HEAD, MARK, PNG_HEAD, XMP_MARK
from retinagan.runtime.errors import ImageError

Picture = NDArray[np.uint8] | NDArray[np.uint16]

_JPEG_QUALITY = 92
_WEBP_QUALITY = 90
_WEBP_LONGEST = 16383
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
_JPEG = [
    *(cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY),
    # outlines of a pixel's width lose their colour where that is stored at half the size
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
]


class PictureError(ImageError):
    """One picture cannot be written; others may."""


def encode_png(picture: Picture) -> bytes:
    """Encode a picture as PNG, with a ``Software`` text.

    Parameters
    ----------
    picture : (H, W) or (H, W, 3) uint8 array, or (H, W) uint16 array
        Colours in RGB order.
    """
    png = cv2.imencode(".png", _bgr(picture), _PNG)[1].tobytes()
    text = b"tEXt" + MARK
    chunk = struct.pack(">I", len(MARK)) + text + struct.pack(">I", zlib.crc32(text))
    return png[:PNG_HEAD] + chunk + png[PNG_HEAD:]


def encode_jpeg(picture: NDArray[np.uint8]) -> bytes:
    """Encode an (H, W, 3) RGB picture as JPEG of quality 92 with colours at full size, with a comment."""
    jpeg = cv2.imencode(".jpg", _bgr(picture), _JPEG)[1].tobytes()
    comment = b"\xff\xfe" + struct.pack(">H", len(MARK) + 2) + MARK
    return jpeg[:JPEG_HEAD] + comment + jpeg[JPEG_HEAD:]


def encode_webp(picture: NDArray[np.uint8]) -> bytes:
    """Encode an (H, W, 3) RGB picture as lossy WebP of quality 90, with the mark in its XMP metadata.

    Raises
    ------
    PictureError
        If a side is longer than WebP's limit of 16383 pixels.
    """
    height, width = picture.shape[:2]
    if max(height, width) > _WEBP_LONGEST:
        raise PictureError(
            f"an overlay of {width}x{height} pixels does not fit into WebP, whose limit is {_WEBP_LONGEST} "
            "a side; use --overlay-format jpeg"
        )
    webp = cv2.imencode(".webp", _bgr(picture), [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])[1].tobytes()
    has_xmp = struct.pack("<I", 0x04)  # the flags, see RFC 9649
    canvas = has_xmp + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = b"WEBP" + _riff_chunk(b"VP8X", canvas) + webp[12:] + _riff_chunk(b"XMP ", XMP_MARK)
    return _riff_chunk(b"RIFF", content)


ENCODERS: dict[str, Callable[[NDArray[Any]], bytes]] = {
    ".jpg": encode_jpeg,
    ".webp": encode_webp,
    ".png": encode_png,
}
"""Encoders of colour pictures by file extension."""


def _bgr(picture: NDArray[Any]) -> NDArray[Any]:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture


def _riff_chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
