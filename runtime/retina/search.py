"""Search for the disc of a field of view: fit a circle to the bright piece at each threshold."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc, Rim, fit_disc, look_at_rim, sharpen_disc
from retinagan.runtime.retina.pieces import Gray, Mask, border_points, main_piece, opened

_THRESHOLDS = 12
_THINNEST = 5
"""Pixels: thinner structures belong to no field of view."""


def find_disc(signal: Gray, thinnest: int = _THINNEST) -> Disc | None:
    """Find the disc that explains an image best.

    Parameters
    ----------
    signal : (H, W) float32
        Grey levels of the working copy, 0 to 255; bright inside the disc.
    thinnest : int
        Structures of a bright piece thinner than this, in pixels, are removed. A large value separates discs
        that touch.

    Returns
    -------
    Disc or None
        None if no circle explains the image.
    """
    radii = (0.06 * max(signal.shape), 0.75 * float(np.hypot(*signal.shape)))
    best_score, best = 0.0, None
    for threshold in thresholds(signal):
        piece = main_piece(opened(signal > threshold, thinnest))
        rough = fit_disc(border_points(piece), radii)
        if rough is None:
            continue
        disc = sharpen_disc(signal, rough, radii)
        rim = look_at_rim(signal, disc)
        common = agreement(piece, disc.drawn(signal.shape))
        if rim.contrast * common > best_score and _is_field_of_view(signal, disc, rim, common):
            best_score, best = rim.contrast * common, disc
            if rim.contrast > 0.6 and rim.support > 0.97 and common > 0.97:
                break  # nearly all images end here at the first threshold
    if best is None:
        return None
    for _ in range(3):  # a coarse picture's rim is wider than one search reaches
        rough, best = best, sharpen_disc(signal, best, radii)
        if max(abs(a - b) for a, b in zip(astuple(rough), astuple(best), strict=True)) < 0.02:
            break
    return best


def agreement(piece: Mask, drawn: Mask) -> float:
    """Return the intersection over union of two masks, 0 to 1."""
    return float((piece & drawn).sum() / max(1, (piece | drawn).sum()))


def _is_field_of_view(signal: Gray, disc: Disc, rim: Rim, common: float) -> bool:
    """Whether a disc is a field of view, not a bright spot in the retina: nearly all beyond its rim is dark.

    `common` is the intersection over union of the disc and the bright piece.
    """
    if rim.contrast < 0.08 or rim.support < 0.4 or rim.visible * rim.support < 0.02 or common < 0.75:
        return False
    height, width = signal.shape
    reach = 0.1 * max(height, width)
    if not (-reach < disc.center_x < width + reach and -reach < disc.center_y < height + reach):
        return False  # a horizon is an arc, too
    sample = signal[::2, ::2]
    inside = disc.scaled(0.5, 0.5).drawn(sample.shape)
    beyond = ~Disc(disc.center_x, disc.center_y, 1.03 * disc.radius).scaled(0.5, 0.5).drawn(sample.shape)
    dark = 0.6 * float(np.median(sample[inside]))
    return rim.outside <= dark and bool(beyond.any()) and float(np.median(sample[beyond])) <= dark


def thresholds(signal: Gray) -> NDArray[np.float64]:
    """Return grey levels from just above the darkest to just below the brightest, the middle ones first.

    Their ratios are equal. The middle levels separate margin and retina in nearly all images.
    """
    darkest, brightest = float(signal.min()), float(np.percentile(signal[::2, ::2], 95))
    low, high = darkest + 3.0, max(darkest + 4.0, 0.8 * brightest)
    levels = np.geomspace(low, high, _THRESHOLDS, dtype=np.float64)
    return levels[np.argsort(np.abs(np.arange(_THRESHOLDS) - (_THRESHOLDS - 1) // 2), kind="stable")]
