"""Judge a vessel map without a reference: its expected Dice, and warnings about the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import Confidence
from retinagan.runtime.retina.polarity import polarity
from retinagan.runtime.steps.confidence import (
    UNCALIBRATED,
    Evidence,
    confidence_of,
    level_counts,
    shape_of,
    vessel_levels,
)
from retinagan.runtime.steps.picture import Picture, picture_warnings
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.warnings import ImageWarning

LOWEST_DENSITY, HIGHEST_DENSITY = 0.02, 0.30
"""Range of the vessels' share of the retina. Maps of real images have 0.08 to 0.17."""

_SPARSE = 0.06
"""Density of a sparse map, as most negatives give."""
_NEGATIVE, _SURELY_NEGATIVE = -0.1, -0.3
"""Polarity below which an image counts as a negative: with a sparse map, and with any. Photographs lie above
0.1, and blurred ones above -0.3."""


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
        From the model's spec. Without one, probabilities count as calibrated, with `UNCALIBRATED`'s bound.
    """
    counts = level_counts(probability, roi)
    density = float(counts[vessel_levels(threshold)].sum() / max(counts.sum(), 1.0))
    picture = Picture(prepared.retina, prepared.square, prepared.roi, prepared.crop)
    found = [*prepared.retina.warnings, *picture_warnings(picture)]
    if polarity(*picture.small) < (_NEGATIVE if density < _SPARSE else _SURELY_NEGATIVE):
        found.append(ImageWarning("negative"))
    if not LOWEST_DENSITY <= density <= HIGHEST_DENSITY:
        usual = f"{LOWEST_DENSITY:.0%} to {HIGHEST_DENSITY:.0%}"
        text = f"{density:.1%} of the retina is vessel; fundus images have {usual}"
        found.append(ImageWarning("density-implausible", text))
    shape = shape_of(probability, roi, threshold, prepared.retina.disc, prepared.field_of_view)
    confidence = confidence_of(Evidence(counts, shape), threshold, calibration)
    bound = (calibration or UNCALIBRATED).bound
    if confidence < bound:
        usual = "this model's maps usually have" if calibration else "maps of photographs usually have"
        text = f"the expected Dice is {confidence:.2f}; {usual} {bound:.2f} or more"
        found.append(ImageWarning("low-confidence", text))
    return Doubt(confidence, tuple(found))
