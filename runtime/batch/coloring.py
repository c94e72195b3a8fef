"""Colours for values of pixels: those of an overlay's vessels, by what the user asks for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.batch.calibre import calibre
from retinagan.runtime.batch.ruler import Ruler
from retinagan.runtime.segmenter import Segmentation


@dataclass(frozen=True, eq=False)
class Coloring:
    """Values of pixels, and the range that the colours of viridis stand for.

    viridis (S. van der Walt and N. Smith, 2015) is perceptually even, rises in lightness, and is read alike
    by people who do not tell red from green.

    Attributes
    ----------
    values : (H, W) float32 array
    low, high : float
        Values of the first colour and of the last; what lies beyond has the colour of the end.
    name : str
        What the values are, with their unit.
    beyond : str
        Follows the value of the last colour, where larger ones have it too.
    """

    values: NDArray[np.float32]
    low: float
    high: float
    name: str
    beyond: str = ""

    def colors(self) -> NDArray[np.uint8]:
        """Return the colours, (H, W, 3) uint8 RGB."""
        scale = 255 / (self.high - self.low)
        levels = cv2.convertScaleAbs(np.maximum(self.values, self.low) - self.low, alpha=scale)
        return viridis(np.asarray(levels, np.uint8))

    @property
    def description(self) -> str:
        """What the colours mean, in one line of ASCII."""
        return f"{self.name}, viridis from {self.low:.3g} to {self.high:.3g}{self.beyond}"


def coloring_of(what: str, result: Segmentation, ruler: Ruler | None) -> Coloring | None:
    """Return what colours a result's vessels; None for one colour.

    Parameters
    ----------
    what : {"vessels", "probability", "calibre"}
        One of `retinagan.runtime.batch.pictures.OVERLAY_COLOURS`.
    result : Segmentation
        Probabilities of vessels begin at its threshold.
    ruler : Ruler, optional
        The unit of calibres, and where their colours end; needed for "calibre" alone.
    """
    if what == "probability":
        low = min(result.threshold, 0.99)  # a range of some width, whatever the threshold
        return Coloring(result.probability, low, 1.0, "probability")
    if what == "calibre":
        assert ruler is not None
        width = calibre(result.vessels) * np.float32(ruler.per_pixel)
        return Coloring(width, 0.0, ruler.widest, f"calibre in {ruler.unit}", "+")
    return None


def viridis(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colours of levels, (H, W) uint8, as (H, W, 3) uint8 RGB."""
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)
    return np.asarray(cv2.cvtColor(colors, cv2.COLOR_BGR2RGB), np.uint8)
