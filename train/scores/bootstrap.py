"""Bootstrap over images: how much scores would vary with other images of the same kind.

All resamples are scored exactly from the images' counts, without reading their pixels again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.metrics import SPECIFICITY, Scores

RESAMPLES = 20_000
SEED = 0
LEVEL = 0.95
"""Share of the resamples within an interval."""
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
"""Shares of the resamples below the two ends of an interval."""

Values = NDArray[np.float64]


def resample(counts: list[MapCounts], resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Values]:
    """Draw resamples of the images with replacement, and score the pooled pixels of each.

    Systems scored on the same images with the same seed get the same resamples, so they can be compared pair
    by pair.

    Parameters
    ----------
    counts : list of MapCounts
        One for each image.
    resamples, seed : int
        Number of resamples, and seed of the draws.

    Returns
    -------
    dict of str to (resamples,) float64
        For each field of `Scores`; NaN if a resample has no pixel to count.
    """
    weights = _weights(len(counts), resamples, seed)
    scores = _pixel_scores(weights, counts)
    return {**scores, "cldice": _cldice(weights, counts)}


def _weights(number: int, resamples: int, seed: int) -> Values:
    """Draw how often each image is in each resample, (B, n)."""
    random = np.random.default_rng(seed)
    return random.multinomial(number, np.full(number, 1.0 / number), resamples).astype(np.float64)


def _pixel_scores(weights: Values, counts: list[MapCounts]) -> dict[str, Values]:
    # From here on: B resamples, n images, L levels.
    vessels = np.stack([one.histogram.vessels for one in counts]).astype(np.float64)  # (n, L)
    background = np.stack([one.histogram.background for one in counts]).astype(np.float64)
    positive, negative = weights @ vessels.sum(axis=1), weights @ background.sum(axis=1)  # (B,)
    true_positive = weights @ np.array([one.true_positive for one in counts], np.float64)
    false_positive = weights @ np.array([one.false_positive for one in counts], np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "accuracy": (true_positive + negative - false_positive) / (positive + negative),
            "sensitivity": true_positive / positive,
            "specificity": (negative - false_positive) / negative,
            "dice": 2 * true_positive / (true_positive + false_positive + positive),
            "auc": _auc(weights, vessels, background) / (positive * negative),
            "sensitivity_at_98": _true_positive_at(weights, vessels, background) / positive,
        }


def _auc(weights: Values, vessels: Values, background: Values) -> Values:
    """Return the number of vessel-background pairs in the right order, ties counting half, (B,).

    The number is bilinear in the images' weights, so one n x n matrix serves all resamples.
    """
    above = vessels[:, ::-1].cumsum(axis=1)[:, ::-1] - 0.5 * vessels
    pairs = background @ above.T
    result: Values = np.einsum("bi,bi->b", weights @ pairs, weights)
    return result


def _true_positive_at(weights: Values, vessels: Values, background: Values) -> Values:
    """Return the vessel pixels found at the lowest threshold that keeps the specificity, (B,).

    One bisection searches the level of all resamples.
    """
    false_from, true_from = _from_level(background), _from_level(vessels)  # (n, L + 1)
    allowed = (1.0 - SPECIFICITY) * (weights @ false_from[:, 0])
    low = np.zeros(len(weights), np.intp)
    high = np.full(len(weights), false_from.shape[1] - 1)  # nothing is found there
    while (low < high).any():
        middle = (low + high) // 2
        kept = _weighted_at(weights, false_from, middle) <= allowed
        low, high = np.where(kept, low, middle + 1), np.where(kept, middle, high)
    return _weighted_at(weights, true_from, high)


def _from_level(counts: Values) -> Values:
    """Return the number of pixels at or above each level, with a final 0."""
    return np.pad(counts[:, ::-1].cumsum(axis=1)[:, ::-1], ((0, 0), (0, 1)))


def _weighted_at(weights: Values, table: Values, levels: NDArray[np.intp]) -> Values:
    result: Values = np.einsum("bi,ib->b", weights, table[:, levels])
    return result


def _cldice(weights: Values, counts: list[MapCounts]) -> Values:
    lines = [one.centreline for one in counts]
    table = np.array([(one.found, one.found_right, one.drawn, one.drawn_found) for one in lines], np.float64)
    found, found_right, drawn, drawn_found = (weights @ table).T
    precision, sensitivity = found_right / np.maximum(found, 1), drawn_found / np.maximum(drawn, 1)
    nothing = np.where(found + drawn > 0, 0.0, np.nan)
    both = precision + sensitivity
    return np.where(both > 0, 2 * precision * sensitivity / np.where(both > 0, both, 1), nothing)


def interval(values: dict[str, Values]) -> tuple[Scores, Scores]:
    """Return the lower and upper ends of all scores' intervals; NaN if a score has no value."""
    pairs = [ends(values[name]) for name in values]
    low, high = (dict(zip(values, side, strict=True)) for side in zip(*pairs, strict=True))
    return Scores(**low), Scores(**high)


def ends(values: Values) -> tuple[float, float]:
    """Return the lower and upper end of one score's interval; NaN if it has no value."""
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, TAILS)
    return float(low), float(high)
