"""One image of a file: its pixels, and what the file declares about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.images.frames import as_rgb8
from retinagan.runtime.warnings import ImageWarning


@dataclass(frozen=True, eq=False)
class Photograph:
    """One image of a file.

    Attributes
    ----------
    pixels : (H, W) or (H, W, 3), uint8 or uint16
        Grey or RGB, upright, values as in the file.
    bits : int
        Bit depth of the values: 8 for uint8; 8, 10, 12, 14 or 16 for uint16, declared by the file or
        estimated from the values; see `retinagan.runtime.images.depth`.
    frame, frames : int
        Number of this full-size image in the file, from 1, and how many there are.
    warnings : tuple of ImageWarning
        Doubts about how to read the file, such as ``first-of-several-frames`` and ``bit-depth-guessed``.
    """

    pixels: NDArray[Any]
    bits: int
    frame: int = 1
    frames: int = 1
    warnings: tuple[ImageWarning, ...] = ()

    def as_rgb8(self) -> NDArray[np.uint8]:
        """Return the pixels as (H, W, 3) uint8 RGB, scaled by `bits`."""
        return as_rgb8(self.pixels, bits=self.bits)
