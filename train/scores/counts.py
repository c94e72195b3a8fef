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
    true_positive, false_positive : int
        Pixels at or above the threshold that are vessel and background in the expert's map; each map has its
        own threshold.
    centreline : Centreline
        Counts of the map at the threshold.
    """

    histogram: Histogram
    true_positive: int
    false_positive: int
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
        return cls.at(threshold, histogram, Centreline.of(vessels, truth))

    @classmethod
    def at(cls, threshold: float, histogram: Histogram, centreline: Centreline | None = None) -> MapCounts:
        """Return the counts of a map at a threshold, of no centrelines if there are none to compare."""
        return cls(histogram, *histogram.marked(threshold), centreline or Centreline())

    @classmethod
    def pooled(cls, counts: list[MapCounts]) -> MapCounts:
        """Pool the pixels of several maps."""
        return cls(
            Histogram.pooled(one.histogram for one in counts),
            sum(one.true_positive for one in counts),
            sum(one.false_positive for one in counts),
            Centreline.pooled(one.centreline for one in counts),
        )

    def scores(self) -> Scores:
        """Score the map."""
        scores = self.histogram.scores_of(self.true_positive, self.false_positive)
        return dataclasses.replace(scores, cldice=self.centreline.cldice())
