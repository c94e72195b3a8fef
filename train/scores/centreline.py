"""Agreement along the vessels' centrelines: clDice, which a thin branch counts in as much as a thick one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize


@dataclass(frozen=True)
class Centreline:
    """Pixels on centrelines; they add up over images.

    Attributes
    ----------
    found, found_right : int
        On the map's centrelines, and of these, on the expert's vessels.
    drawn, drawn_found : int
        On the expert's centrelines, and of these, on the map's vessels.
    """

    found: int
    found_right: int
    drawn: int
    drawn_found: int

    @classmethod
    def of(cls, vessels: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Centreline:
        """Count the pixels of one map and of the expert's, (H, W) both."""
        found, drawn = skeletonize(vessels), skeletonize(truth)
        counts = (found, found & truth, drawn, drawn & vessels)
        return cls(*(int(np.count_nonzero(pixels)) for pixels in counts))

    @classmethod
    def pooled(cls, centrelines: Iterable[Centreline]) -> Centreline:
        """Add up the pixels of several maps."""
        table = [(one.found, one.found_right, one.drawn, one.drawn_found) for one in centrelines]
        return cls(*(sum(column) for column in zip(*table, strict=True)))

    def cldice(self) -> float:
        """Return the harmonic mean of both shares; 0 if one map has vessels alone, NaN if neither has.

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
