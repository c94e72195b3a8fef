"""Scores of vessel maps against an expert's, from histograms of the probability.

A histogram holds all that the scores need and adds up over images. Pooled scores, scores of each image and
the best threshold therefore take one pass over the pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from retinagan.runtime.steps.levels import LEVELS as COARSE_LEVELS

LEVELS = 65535
"""Probabilities are rounded to steps of 1 / LEVELS, as `retina-run` stores them in 16-bit PNG."""

SPECIFICITY = 0.98
"""Specificity at which sensitivities of systems are compared, whatever their thresholds."""


@dataclass(frozen=True)
class Scores:
    """Agreement of a vessel map with an expert's.

    Attributes
    ----------
    accuracy, sensitivity, specificity, dice : float
        At the threshold: (TP + TN) / all, TP / (TP + FN), TN / (TN + FP), 2 TP / (2 TP + FP + FN).
    auc : float
        Area under the ROC curve.
    sensitivity_at_98 : float
        The largest sensitivity at a specificity of at least 0.98, whatever the threshold.
    cldice : float
        Agreement along the centrelines at the threshold (`Centreline`); NaN where only pixels were counted.
    """

    accuracy: float
    sensitivity: float
    specificity: float
    dice: float
    auc: float
    sensitivity_at_98: float
    cldice: float = math.nan


@dataclass(frozen=True)
class Histogram:
    """Numbers of vessel and background pixels at each probability.

    Attributes
    ----------
    vessels, background : (LEVELS + 1,) int64
        Pixels at each probability that are vessel or background in the expert's map.
    """

    vessels: NDArray[np.int64]
    background: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        probability: NDArray[np.float32],
        truth: NDArray[np.bool_],
        region: NDArray[np.bool_] | None = None,
    ) -> Histogram:
        """Count the pixels of one map, inside a region if given; all arrays are (H, W).

        Raises
        ------
        ValueError
            If the shapes differ, or a probability is not in [0, 1].
        """
        if probability.shape != truth.shape or (region is not None and region.shape != truth.shape):
            shapes = [array.shape for array in (probability, truth, region) if array is not None]
            raise ValueError(f"probability, truth and region have shapes {shapes}, expected the same")
        if region is not None:
            probability, truth = probability[region], truth[region]
        if probability.size and not (probability.min() >= 0.0 and probability.max() <= 1.0):
            raise ValueError("a probability is not in [0, 1]")
        levels = np.rint(probability.astype(np.float64) * LEVELS).astype(np.int64)
        counts = [np.bincount(levels[chosen], minlength=LEVELS + 1) for chosen in (truth, ~truth)]
        return cls(counts[0], counts[1])

    @classmethod
    def pooled(cls, histograms: Iterable[Histogram]) -> Histogram:
        """Return the sum of several histograms."""
        histograms = list(histograms)
        return cls(
            np.sum([histogram.vessels for histogram in histograms], axis=0, dtype=np.int64),
            np.sum([histogram.background for histogram in histograms], axis=0, dtype=np.int64),
        )

    @classmethod
    def balanced(cls, histograms: Iterable[Histogram]) -> Histogram:
        """Return the sum of several histograms, each scaled to as many pixels as the largest."""
        histograms = list(histograms)
        totals = [int(one.vessels.sum() + one.background.sum()) for one in histograms]
        scaled = []
        for one, total in zip(histograms, totals, strict=True):
            factor = max(totals) / max(total, 1)
            counts = (np.rint(counts * factor).astype(np.int64) for counts in (one.vessels, one.background))
            scaled.append(cls(*counts))
        return cls.pooled(scaled)

    def level_counts(self) -> NDArray[np.int64]:
        """Return the vessel and background pixels at each level of `retinagan.runtime.steps.levels`.

        Returns
        -------
        (2, 1000) int64
            The sum of both is what `Thresholding.of` takes.
        """
        level = np.minimum(np.arange(LEVELS + 1) * COARSE_LEVELS // LEVELS, COARSE_LEVELS - 1)
        counts = [np.zeros(COARSE_LEVELS, np.int64) for _ in range(2)]
        for of_level, part in zip(counts, (self.vessels, self.background), strict=True):
            np.add.at(of_level, level, part)
        return np.stack(counts)

    def marked(self, threshold: float) -> tuple[int, int]:
        """Return how many pixels at or above a threshold are vessel and background in the expert's map."""
        level = level_of(threshold)
        return int(self.vessels[level:].sum()), int(self.background[level:].sum())

    def scores(self, threshold: float) -> Scores:
        """Score the map at a threshold; pixels at or above it count as vessel.

        A rate without any pixel to count is NaN.
        """
        return self.scores_of(*self.marked(threshold))

    def scores_of(self, true_positive: int, false_positive: int) -> Scores:
        """Score the map by the pixels that count as vessel: those that are, and those that are not.

        A rate without any pixel to count is NaN.
        """
        vessels, background = int(self.vessels.sum()), int(self.background.sum())
        correct = true_positive + background - false_positive
        return Scores(
            accuracy=_rate(correct, vessels + background),
            sensitivity=_rate(true_positive, vessels),
            specificity=_rate(background - false_positive, background),
            dice=_rate(2 * true_positive, true_positive + false_positive + vessels),
            auc=self._auc(),
            sensitivity_at_98=self._sensitivity_at(SPECIFICITY),
        )

    def best_threshold(self) -> float:
        """Return the threshold with the largest Dice."""
        positives = self.vessels[::-1].cumsum()[::-1]
        negatives = self.background[::-1].cumsum()[::-1]
        dice = 2.0 * positives / np.maximum(positives + negatives + int(self.vessels.sum()), 1)
        return float(dice.argmax()) / LEVELS

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the points of the ROC curve: 1 - specificity and sensitivity, both from 0 to 1."""
        labels, levels, counts = self._weighted()
        false_rate, true_rate, _ = roc_curve(labels, levels, sample_weight=counts)
        return false_rate, true_rate

    def _weighted(self) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
        """Return labels, levels and pixel counts, as scikit-learn takes them."""
        filled = [np.flatnonzero(counts) for counts in (self.vessels, self.background)]
        labels = np.repeat([True, False], [len(filled[0]), len(filled[1])])
        counts = np.concatenate([self.vessels[filled[0]], self.background[filled[1]]])
        return labels, np.concatenate(filled), counts

    def _auc(self) -> float:
        labels, levels, counts = self._weighted()
        if labels.all() or not labels.any():
            return float("nan")
        return float(roc_auc_score(labels, levels, sample_weight=counts))

    def _sensitivity_at(self, specificity: float) -> float:
        labels, levels, counts = self._weighted()
        if labels.all() or not labels.any():
            return float("nan")
        false_rate, true_rate, _ = roc_curve(labels, levels, sample_weight=counts, drop_intermediate=False)
        return float(true_rate[false_rate <= 1.0 - specificity].max())


def level_of(threshold: float) -> int:
    """Return the lowest level that counts as vessel; raise ValueError if the threshold is not in [0, 1]."""
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold is {threshold}, expected 0 to 1")
    return int(np.rint(threshold * LEVELS))


def _rate(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
