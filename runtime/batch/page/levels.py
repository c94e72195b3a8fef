"""The sizes in which the page shows an image, and the tiles that each is cut into."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TILE = 1024
"""Side of a tile in pixels. Level 0 is the image itself; each further one has half the size, until one tile
holds it. ``tiles.js`` computes the same levels from an image's size."""


class Tile(NamedTuple):
    """A tile of a level: its column and row in the grid, and its part of the level's array."""

    column: int
    row: int
    part: tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Level:
    """One size of an image, in pixels; `number` counts from 0, the image itself."""

    number: int
    height: int
    width: int

    def tiles(self) -> Iterator[Tile]:
        """Yield the tiles, row by row."""
        for row, top in enumerate(range(0, self.height, TILE)):
            for column, left in enumerate(range(0, self.width, TILE)):
                yield Tile(column, row, (slice(top, top + TILE), slice(left, left + TILE)))


def levels_of(height: int, width: int) -> list[Level]:
    """Return the levels of an image of this size, from the largest on."""
    levels = [Level(0, height, width)]
    while max(height, width) > TILE:
        height, width = (height + 1) // 2, (width + 1) // 2
        levels.append(Level(len(levels), height, width))
    return levels


def half_by_vote(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve a probability map so that thresholds hold: the second largest of each block of 2x2 pixels.

    At any threshold, a pixel of the result is vessel if at least two of its block's four pixels are. A mean
    would lose thin vessels, whose blocks it dilutes below the threshold.

    Parameters
    ----------
    values : (H, W) uint8 array
        Probabilities, 255 is 1. An odd side is filled up by its last line.

    Returns
    -------
    (ceil(H / 2), ceil(W / 2)) uint8 array
    """
    height, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, width % 2)), "edge")
    upper, lower = values[::2], values[1::2]
    high, low = np.maximum(upper, lower), np.minimum(upper, lower)  # of each column of two pixels
    left, right = high[:, ::2], high[:, 1::2]
    second = np.minimum(left, right)
    np.maximum(second, low[:, ::2], out=second)
    np.maximum(second, low[:, 1::2], out=second)
    return second


def half_by_mean(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Halve an (H, W, 3) photograph: the mean of each block; an odd side is rounded up."""
    import cv2

    height, width = image.shape[:2]
    half: NDArray[Any] = cv2.resize(
        image, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA
    )
    return half
