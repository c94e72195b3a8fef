"""The threshold of a map: one for all maps of a model, or each map's own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.levels import LEVELS, calibrated_levels, level_counts

FIXED: Final = "fixed"
"""Word of users for a model's one threshold for all maps."""


@dataclass(frozen=True)
class Thresholding:
    """How a map's threshold is found.

    Attributes
    ----------
    fixed : float
        The threshold of all maps, 0 to 1; each map's own lies around it.
    rule : MapThreshold or None
        How each map's own threshold follows from its probabilities; None to take `fixed` for all.
    given : float or None
        The user's threshold for all maps, 0 to 1, in place of the model's.
    """

    fixed: float
    rule: MapThreshold | None = None
    given: float | None = None

    @classmethod
    def of_spec(cls, spec: ModelSpec, used: ModelSpec | None = None) -> Thresholding:
        """Return how a model's maps find their threshold; `used` is its spec with the user's options."""
        own = cls(spec.threshold, spec.map_threshold)
        if used is None or cls(used.threshold, used.map_threshold) == own:
            return own
        return replace(own, given=used.threshold)

    @property
    def lowest(self) -> float:
        """The lowest threshold of a map: half of `fixed`, so that noise is not drawn as vessels."""
        return self.fixed / 2

    @property
    def highest(self) -> float:
        """The highest threshold of a map: half-way from `fixed` to 1."""
        return (1 + self.fixed) / 2

    def of_map(self, probability: NDArray[np.float32]) -> float:
        """Return the threshold of a map, (H, W) in 0 to 1, which is 0 outside the retina."""
        return self.of(level_counts(probability))

    def of(self, counts: NDArray[np.float64]) -> float:
        """Return the threshold of a map from its counts by `level_counts`: the user's, or the map's own."""
        return self.own(counts) if self.given is None else self.given

    def own(self, counts: NDArray[np.float64]) -> float:
        """Return the threshold that the model gives a map.

        It is the one with the largest expected Dice. Let p be the calibrated probability that a pixel is
        vessel, and m the map at a threshold. The expected Dice is about 2 sum(p m) / (sum(m) + sum(p)), and
        the best threshold is half of it (Z. C. Lipton, C. Elkan and B. Naryanaswamy, 2014,
        https://doi.org/10.1007/978-3-662-44851-9_15): a map whose vessels are unsure is drawn from a lower
        probability.

        Parameters
        ----------
        counts : (LEVELS,) float64
            The lowest level does not count, so that it does not matter whether it has pixels outside the
            retina.

        Returns
        -------
        float
            A multiple of 1 / LEVELS, `lowest` to `highest`; `fixed` if there is no rule, or no pixel has a
            probability.
        """
        if self.rule is None or not counts[1:].any():
            return self.fixed
        pixels = counts[1:]
        vessels = pixels * calibrated_levels(self.rule.slope, self.rule.offset)[1:]
        overlap, size = vessels[::-1].cumsum()[::-1], pixels[::-1].cumsum()[::-1]
        best = 1 + int((overlap / (size + vessels.sum())).argmax())
        return min(max(best / LEVELS, self.lowest), self.highest)
