"""Pixel counts from which a vessel map is scored: of its probabilities and its centrelines."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.train.scores.centreline import Centreline
from retinagan.train.scores.metrics import LEVELS, Histogram, Scores, level_of


@dataclass(frozen=True)
class MapCounts:
    """Counts of one map, or of several pooled, in one region.

    Attributes
    ----------
    histogram : Histogram
        Histogram of the probabilities.
    threshold : float
        Pixels at or above this probability count as vessel.
    centreline : Centreline
        Counts of the map at the threshold.
    """

    histogram: Histogram
    threshold: float
    centreline: Centreline

    @classmethod
    def of(
        cls,
        probability: NDArray[np.float32],
        truth: NDArray[np.bool_],
        threshold: float,
        region: NDArray[np.bool_] | None = None,
    ) -> MapCounts:
        """Compare a map with an expert's, inside a region if given; all arrays are (H, W)."""
        histogram = Histogram.of(probability, truth, region)
        vessels = np.rint(probability.astype(np.float64) * LEVELS) >= level_of(threshold)
        if region is not None:
            vessels, truth = vessels & region, truth & region
        return cls(histogram, threshold, Centreline.of(vessels, truth))

    @classmethod
    def pooled(cls, counts: list[MapCounts]) -> MapCounts:
        """Pool the pixels of several maps with the same threshold."""
        return cls(
            Histogram.pooled(one.histogram for one in counts),
            counts[0].threshold,
            Centreline.pooled(one.centreline for one in counts),
        )

    def scores(self) -> Scores:
        """Score the map."""
        return dataclasses.replace(self.histogram.scores(self.threshold), cldice=self.centreline.cldice())
