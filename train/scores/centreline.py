"""Agreement along the vessels' centrelines: clDice, in which thin branches count as much as thick ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize


@dataclass(frozen=True)
class Centreline:
    """Numbers of pixels on centrelines, which add up over images.

    Attributes
    ----------
    found, found_right : int
        Pixels on the map's centrelines, and those of them on the expert's vessels.
    drawn, drawn_found : int
        Pixels on the expert's centrelines, and those of them on the map's vessels.
    """

    found: int = 0
    found_right: int = 0
    drawn: int = 0
    drawn_found: int = 0

    @classmethod
    def of(cls, vessels: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Centreline:
        """Count the pixels of a map and of the expert's, both (H, W)."""
        found, drawn = skeletonize(vessels), skeletonize(truth)
        counts = (found, found & truth, drawn, drawn & vessels)
        return cls(*(int(np.count_nonzero(pixels)) for pixels in counts))

    @classmethod
    def pooled(cls, centrelines: Iterable[Centreline]) -> Centreline:
        """Add up the pixels of several maps."""
        table = [(one.found, one.found_right, one.drawn, one.drawn_found) for one in centrelines]
        return cls(*(sum(column) for column in zip(*table, strict=True)))

    def cldice(self) -> float:
        """Return the harmonic mean of both shares; 0 if only one map has vessels, NaN if neither has.

        References
        ----------
        S. Shit et al., "clDice - a Novel Topology-Preserving Loss Function for Tubular Structure
        Segmentation", CVPR 2021, https://doi.org/10.1109/CVPR46437.2021.01629
        """
        if not self.found and not self.drawn:
            return float("nan")
        precision = self.found_right / max(self.found, 1)
        sensitivity = self.drawn_found / max(self.drawn, 1)
        return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0
