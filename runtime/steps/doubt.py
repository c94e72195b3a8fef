"""Judge a vessel map without a reference: its expected Dice, and warnings about the image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.spec import Confidence
from retinagan.runtime.retina.evenness import is_filtered
from retinagan.runtime.retina.green import small_green
from retinagan.runtime.retina.polarity import polarity
from retinagan.runtime.retina.writing import SMALLEST_SIDE, drawn_pixels
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.warnings import ImageWarning

LEVELS = 1000
"""Probabilities are counted in steps of 1 / LEVELS."""

_LARGEST_SIDE = 1000
"""Pixels: of larger maps, every second or third pixel is counted, and so on."""

LOWEST_DENSITY, HIGHEST_DENSITY = 0.02, 0.30
"""Range of the vessels' share of the retina. Maps of real images have 0.08 to 0.17."""

_SPARSE = 0.06
"""Density of a sparse map, as most negatives give."""
_NEGATIVE, _SURELY_NEGATIVE = -0.1, -0.3
"""Polarity below which an image counts as a negative: with a sparse map, and with any. Photographs lie above
0.1, and blurred ones above -0.3."""

_DRAWN = 24
"""Number of pixels on the edges of drawn strokes from which an image has writing."""

_NO_CALIBRATION = Confidence()


@dataclass(frozen=True)
class Doubt:
    """The judgement of a map.

    Attributes
    ----------
    confidence : float
        The expected Dice, 0 to 1.
    warnings : tuple of ImageWarning
    """

    confidence: float
    warnings: tuple[ImageWarning, ...]


def doubt(
    probability: NDArray[np.float32],
    roi: NDArray[np.bool_],
    prepared: Prepared,
    threshold: float,
    calibration: Confidence | None = None,
) -> Doubt:
    """Judge a map without a reference.

    Parameters
    ----------
    probability : (H, W) float32
        The map at the frame's size, 0 to 1.
    roi : (H, W) bool
        Where the map is defined.
    prepared : Prepared
        The frame that the map was computed from.
    threshold : float
        Pixels at or above this probability count as vessel.
    calibration : Confidence, optional
        From the model's spec. Without one, probabilities count as calibrated, and no confidence is too low.
    """
    counts = level_counts(probability, roi)
    density = float(counts[_vessel_levels(threshold)].sum() / max(counts.sum(), 1.0))
    found = [*prepared.retina.warnings, *_doubts_about_picture(prepared, density)]
    if not LOWEST_DENSITY <= density <= HIGHEST_DENSITY:
        usual = f"{LOWEST_DENSITY:.0%} to {HIGHEST_DENSITY:.0%}"
        text = f"{density:.1%} of the retina is vessel; fundus images have {usual}"
        found.append(ImageWarning("density-implausible", text))
    confidence = expected_dice(counts, threshold, calibration)
    if calibration is not None and confidence < calibration.bound:
        text = (
            f"the expected Dice is {confidence:.2f}; this model's maps usually have {calibration.bound:.2f}"
        )
        found.append(ImageWarning("low-confidence", f"{text} or more"))
    return Doubt(confidence, tuple(found))


def _doubts_about_picture(prepared: Prepared, density: float) -> list[ImageWarning]:
    square, roi = prepared.square, prepared.roi
    green, inside = small_green(square, roi)
    found = []
    if polarity(green, inside) < (_NEGATIVE if density < _SPARSE else _SURELY_NEGATIVE):
        found.append(ImageWarning("negative"))
    if is_filtered(green, inside):
        found.append(ImageWarning("preprocessed"))
    elif prepared.crop.side >= SMALLEST_SIDE and drawn_pixels(square, roi) >= _DRAWN:
        found.append(ImageWarning("writing-on-retina"))
    return found


def level_counts(probability: NDArray[np.float32], roi: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the pixels inside `roi` by their probability; of large maps, a regular sample.

    Parameters
    ----------
    probability : (H, W) float32
        0 to 1.
    roi : (H, W) bool

    Returns
    -------
    (LEVELS,) float64
    """
    step = max(1, round(max(roi.shape) / _LARGEST_SIDE))
    probability = np.ascontiguousarray(probability[::step, ::step])
    roi = np.ascontiguousarray(roi[::step, ::step])
    end = float(np.nextafter(np.float32(1), np.float32(2)))
    counts = cv2.calcHist([probability], [0], roi.view(np.uint8), [LEVELS], [0, end])
    return np.asarray(counts, np.float64).ravel()


def expected_dice(
    counts: NDArray[np.float64], threshold: float, calibration: Confidence | None = None
) -> float:
    """Return the expected Dice of a map, from its probabilities alone.

    Let p be the calibrated probability that a pixel is vessel, and m the map at the threshold. The expected
    overlap is the sum of p m, and the expected size of the reference is the sum of p, so Dice is about
    2 sum(p m) / (sum(m) + sum(p)). The calibration's `gain` and `bias` correct this to the measured Dice.

    Parameters
    ----------
    counts : (LEVELS,) float64
        By `level_counts`.
    threshold : float
        Pixels at or above this probability count as vessel.
    calibration : Confidence, optional
        From the model's spec.

    Returns
    -------
    float
        0 to 1; 0 for a map without vessels.
    """
    calibration = calibration or _NO_CALIBRATION
    vessel, probability = _vessel_levels(threshold), calibrated_levels(calibration)
    size = float(counts[vessel].sum() + counts @ probability)
    overlap = float(counts[vessel] @ probability[vessel])
    if overlap == 0:
        return 0.0
    return min(max(calibration.gain * 2 * overlap / size + calibration.bias, 0.0), 1.0)


def calibrated_levels(calibration: Confidence) -> NDArray[np.float64]:
    """Return the calibrated probability of each level, (LEVELS,) float64, by Platt scaling of the logit."""
    levels = _middles()
    logits = np.log(levels / (1 - levels))
    return np.asarray(1 / (1 + np.exp(-(calibration.slope * logits + calibration.offset))), np.float64)


def _middles() -> NDArray[np.float64]:
    return (np.arange(LEVELS) + 0.5) / LEVELS


def _vessel_levels(threshold: float) -> slice:
    return slice(math.ceil(threshold * LEVELS - 0.5), None)
