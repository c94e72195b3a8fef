"""Probabilities counted by level: what a map's threshold and its expected Dice follow from."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

LEVELS = 1000
"""Probabilities are counted in steps of 1 / LEVELS."""

_LARGEST_SIDE = 1000
"""Pixels: of larger maps, every second or third pixel is counted, and so on."""


def level_counts(
    probability: NDArray[np.float32], roi: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Count the pixels inside `roi` by their probability; of large maps, a regular sample.

    Parameters
    ----------
    probability : (H, W) float32
        0 to 1.
    roi : (H, W) bool, optional
        All pixels if left out.

    Returns
    -------
    (LEVELS,) float64
    """
    step = max(1, round(max(probability.shape) / _LARGEST_SIDE))
    probability = np.ascontiguousarray(probability[::step, ::step])
    mask = None if roi is None else np.ascontiguousarray(roi[::step, ::step]).view(np.uint8)
    end = float(np.nextafter(np.float32(1), np.float32(2)))
    counts = cv2.calcHist([probability], [0], mask, [LEVELS], [0, end])
    return np.asarray(counts, np.float64).ravel()


def vessel_levels(threshold: float) -> slice:
    """Return which levels count as vessel at a threshold."""
    return slice(math.ceil(threshold * LEVELS - 0.5), None)


def calibrated_levels(slope: float, offset: float) -> NDArray[np.float64]:
    """Return the calibrated probability of each level, (LEVELS,) float64, by Platt scaling of the logit."""
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    logits = np.log(levels / (1 - levels))
    return np.asarray(1 / (1 + np.exp(-(slope * logits + offset))), np.float64)
