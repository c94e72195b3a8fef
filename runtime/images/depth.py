"""The bit depth of 16-bit images: as the file declares it, or estimated without regard to outliers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.warnings import ImageWarning

DEPTHS = (8, 10, 12, 14, 16)
"""Bit depths of sensors; the estimate is one of these."""

OUTLIERS = 0.005
"""Share of pixels that may lie above the estimated range: hot pixels, edges of a burnt-in label."""

LABEL = 0.2
"""Largest share of pixels at which the maximum counts as the white of a burnt-in label, and is ignored."""

_FULL = 16


@dataclass(frozen=True)
class BitDepth:
    """The bit depth of an image.

    Attributes
    ----------
    bits : int
        From 1 to 16.
    guessed : bool
        Whether the depth is estimated, and below 16.
    """

    bits: int
    guessed: bool = False

    @property
    def warnings(self) -> tuple[ImageWarning, ...]:
        """``bit-depth-guessed`` if the depth is a guess; otherwise empty."""
        if not self.guessed:
            return ()
        message = (
            f"the file does not declare its bit depth; read as {self.bits}-bit data, "
            f"since nearly all values are at most {(1 << self.bits) - 1}"
        )
        return (ImageWarning("bit-depth-guessed", message),)


def bit_depth(pixels: NDArray[Any], declared: int | None = None) -> BitDepth:
    """Return the bit depth of an image.

    A declared depth below 16 counts unless more than `OUTLIERS` of the values exceed it. A declared depth of
    16 is ignored: many programs write it whatever the sensor.

    Parameters
    ----------
    pixels : array of uint8 or uint16
        The image, of any shape.
    declared : int, optional
        Bits that the file declares, 1 to 16.

    Returns
    -------
    BitDepth
    """
    if pixels.dtype.itemsize == 1:
        return BitDepth(8)
    if declared is not None and declared < _FULL and _share_above(pixels, declared) <= OUTLIERS:
        return BitDepth(declared)
    bits = next(depth for depth in DEPTHS if depth == _FULL or _share_above(pixels, depth) <= OUTLIERS)
    return BitDepth(bits, guessed=bits < _FULL)


class SteadyDepth:
    """The bit depth of a stream: set by the first frame, and raised only by a frame that exceeds it.

    All frames are scaled alike, so a dim frame stays dim beside a bright one.
    """

    def __init__(self) -> None:
        self._bits: int | None = None

    def reduced(self, frame: Any) -> Any:
        """Return a uint16 frame as uint8, scaled by the stream's bit depth; anything else unchanged."""
        if isinstance(frame, np.ndarray) and frame.dtype.kind == "u" and frame.dtype.itemsize == 2:
            return upper_bits(frame, self.of(frame))
        return frame

    def of(self, frame: NDArray[Any]) -> int:
        """Return the bit depth of the stream, this frame included."""
        if frame.dtype.itemsize == 1:
            return 8
        if self._bits is None or _share_above(frame, self._bits) > OUTLIERS:
            self._bits = bit_depth(frame).bits
        return self._bits


def upper_bits(pixels: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Return the upper eight bits of values of a bit depth; values above its range become 255.

    Depths below 8 are scaled up to 255.

    Parameters
    ----------
    pixels : array of uint16
        Values; those above ``2**bits - 1`` are outliers.
    bits : int
        From 1 to 16.

    Returns
    -------
    array of uint8
        Of the same shape, 0 to 255.
    """
    most = (1 << bits) - 1
    within = np.minimum(pixels, most)
    if bits >= 8:
        return np.asarray(within >> (bits - 8), np.uint8)
    return np.asarray(within.astype(np.uint16) * 255 // most, np.uint8)


def _share_above(pixels: NDArray[Any], bits: int) -> float:
    """Return the share of values above a bit depth, without a label's: those equal to the maximum."""
    above = np.count_nonzero(pixels >= (1 << bits)) / max(1, pixels.size)
    if above <= OUTLIERS:
        return float(above)
    largest = np.count_nonzero(pixels == pixels.max()) / pixels.size
    return float(above - largest if largest <= LABEL else above)
