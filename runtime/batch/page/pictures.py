"""The pictures of an image for the page: photograph and map in tiles of each level, and a thumbnail."""

import io
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retinagan.runtime.batch.overlay import VESSEL_COLOR
from retinagan.runtime.batch.page.levels import Level, half_by_mean, half_by_vote, levels_of
from retinagan.runtime.batch.pictures import XMP_MARK

THUMBNAIL_NAME = "small_thumbnail.webp"
"""File name of the thumbnail, the last picture that is written."""

_THUMBNAIL = 160  # longest side in pixels
_QUALITY = 85
_TINT = 0.7  # opacity of the vessels in thumbnails
_METHOD = 0  # of WebP's efforts the least: a fifth of the default's time, 15 % more bytes


def tile_name(level: int, column: int, row: int, kind: str) -> str:
    """Return the file name of a tile; `kind` is "photograph" or "map"."""
    return f"{level}_{column}_{row}_{kind}.webp"


def threshold_level(threshold: float) -> int:
    """Return the 8-bit level, 1 to 255, from which pixels of an encoded map count as vessel."""
    return min(255, max(1, round(threshold * 255)))


def eight_bit(
    probability: NDArray[np.float32], vessels: NDArray[np.bool_], threshold: float
) -> NDArray[np.uint8]:
    """Round probabilities to 8 bits so that the map's own threshold stays exact.

    Parameters
    ----------
    probability : (H, W) float32 array
        0 to 1.
    vessels : (H, W) bool array
        The pixels at or above the threshold.
    threshold : float
        The map's threshold, 0 to 1.

    Returns
    -------
    (H, W) uint8 array
        Probabilities, 255 is 1, within half a level; a whole level where that is needed for the vessels to be
        the pixels of at least ``threshold_level(threshold)``.
    """
    level = threshold_level(threshold)
    rounded = cv2.convertScaleAbs(probability, alpha=255.0)
    result: NDArray[np.uint8] = np.where(
        vessels, np.maximum(rounded, np.uint8(level)), np.minimum(rounded, np.uint8(level - 1))
    )
    return result


def photograph_tiles(image: NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the tiles of an (H, W, 3) RGB image, all levels."""
    for level in levels_of(*image.shape[:2]):
        if level.number:
            image = half_by_mean(image)
        yield from _encoded(image, level, "photograph", quality=_QUALITY)


def map_tiles(values: NDArray[np.uint8]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the tiles of an (H, W) map of 8 bits, all levels, without loss."""
    for level in levels_of(*values.shape):
        if level.number:
            values = half_by_vote(values)
        yield from _encoded(values, level, "map", lossless=True, quality=0)


def thumbnail(image: NDArray[np.uint8], vessels: NDArray[np.bool_] | None) -> bytes:
    """Return a small WebP picture of an (H, W, 3) RGB image, its (H, W) vessels tinted if it has any."""
    scale = _THUMBNAIL / max(image.shape[:2])
    height, width = (max(1, round(side * min(1.0, scale))) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    if vessels is not None:
        share = cv2.resize(vessels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        tint = _TINT * share[:, :, None]
        small = small * (1 - tint) + np.array(VESSEL_COLOR, np.float32) * tint
    return _webp(np.rint(small).astype(np.uint8), quality=_QUALITY)


def _encoded(
    array: NDArray[np.uint8], level: Level, kind: str, **options: Any
) -> Iterator[tuple[str, bytes]]:
    for tile in level.tiles():
        yield tile_name(level.number, tile.column, tile.row, kind), _webp(array[tile.part], **options)


def _webp(array: NDArray[np.uint8], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(file, "WEBP", method=_METHOD, xmp=XMP_MARK, **options)
    return file.getvalue()
