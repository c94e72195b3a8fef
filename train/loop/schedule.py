"""The learning rate over a stage."""

from __future__ import annotations

import math

WARM_UP = 100
"""Iterations over which a stage's learning rate rises from near 0 (at most a tenth of the stage)."""


def rate_factor(position: int, iterations: int) -> float:
    """Return the share of the peak rate: a linear rise, then half a cosine down to 0 at the end of the stage.

    Parameters
    ----------
    position : int
        Number of the iteration in the stage, from 0.
    iterations : int
        Iterations of the stage.
    """
    warm_up = max(min(WARM_UP, iterations // 10), 1)
    fall = 0.5 * (1.0 + math.cos(math.pi * position / iterations))
    return min((position + 1) / warm_up, 1.0) * fall
