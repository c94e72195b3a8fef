"""Fit how each map's own threshold follows from its probabilities."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.steps.levels import LEVELS
from retinagan.train.scores.metrics import Histogram

_WEAK = 1e6
"""Inverse of the regularization: enough to end where vessels and background do not overlap, and no more."""


def fit_map_threshold(histograms: Iterable[Histogram]) -> MapThreshold | None:
    """Calibrate probabilities to the share of vessels among the pixels that have them, by Platt scaling.

    The log loss of the calibrated probabilities is smallest on the given pixels (J. Platt, "Probabilistic
    Outputs for Support Vector Machines", 1999). The lowest level does not count, as in `Thresholding.of`.

    Parameters
    ----------
    histograms : iterable of Histogram
        One for each dataset; all have the same weight.

    Returns
    -------
    MapThreshold or None
        None if there are no vessels or no background.
    """
    counts = np.sum([_shares(histogram) for histogram in histograms], axis=0)
    if not counts.any(axis=1).all():
        return None
    levels = (np.arange(1, LEVELS) + 0.5) / LEVELS
    logits = np.tile(np.log(levels / (1 - levels)), 2)[:, None]
    fit = LogisticRegression(C=_WEAK).fit(logits, np.repeat([1, 0], LEVELS - 1), counts.ravel())
    return MapThreshold(
        float(np.clip(fit.coef_[0, 0], 0.01, 100)), float(np.clip(fit.intercept_[0], -100, 100))
    )


def _shares(histogram: Histogram) -> NDArray[np.float64]:
    """Return the shares of vessel and background pixels at each level but the lowest, (2, LEVELS - 1)."""
    counts = histogram.level_counts()[:, 1:]
    return np.asarray(counts / max(counts.sum(), 1), np.float64)
