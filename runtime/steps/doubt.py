"""Judge a vessel map without a reference: its expected Dice, and warnings about the image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import Confidence, MapThreshold
from retinagan.runtime.retina.polarity import polarity
from retinagan.runtime.steps.confidence import (
    UNCALIBRATED,
    Evidence,
    confidence_of,
    expected_dice,
    shape_of,
)
from retinagan.runtime.steps.levels import vessel_levels
from retinagan.runtime.steps.picture import Picture, picture_warnings
from retinagan.runtime.steps.prepare import Prepared
from retinagan.runtime.steps.threshold import Thresholding
from retinagan.runtime.warnings import ImageWarning

LOWEST_DENSITY, HIGHEST_DENSITY = 0.02, 0.30
"""Range of the vessels' share of the retina. Maps of real images have 0.08 to 0.17."""

_SPARSE = 0.06
"""Density of a sparse map, as most negatives give."""
_NEGATIVE, _SURELY_NEGATIVE = -0.1, -0.3
"""Polarity below which an image counts as a negative: with a sparse map, and with any. Photographs lie above
0.1, and blurred ones above -0.3."""


@dataclass(frozen=True)
class VesselMap:
    """A map at the frame's size.

    Attributes
    ----------
    probability : (H, W) float32
        0 to 1.
    roi : (H, W) bool
        Where the map is defined.
    counts : (LEVELS,) float64
        Of the probability inside `roi`, by `level_counts`.
    threshold : float
        Pixels at or above this probability count as vessel.
    """

    probability: NDArray[np.float32]
    roi: NDArray[np.bool_]
    counts: NDArray[np.float64]
    threshold: float


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
    found: VesselMap,
    prepared: Prepared,
    thresholding: Thresholding,
    calibration: Confidence | None = None,
) -> Doubt:
    """Judge a map without a reference.

    Parameters
    ----------
    found : VesselMap
    prepared : Prepared
        The frame that the map was computed from.
    thresholding : Thresholding
        How the map's threshold was found.
    calibration : Confidence, optional
        From the model's spec. Without one, probabilities count as calibrated, with `UNCALIBRATED`'s bound.
    """
    density = float(found.counts[vessel_levels(found.threshold)].sum() / max(found.counts.sum(), 1.0))
    picture = Picture(prepared.retina, prepared.square, prepared.roi, prepared.crop)
    warnings = [*prepared.retina.warnings, *picture_warnings(picture)]
    if polarity(picture.small) < (_NEGATIVE if density < _SPARSE else _SURELY_NEGATIVE):
        warnings.append(ImageWarning("negative"))
    if not LOWEST_DENSITY <= density <= HIGHEST_DENSITY:
        usual = f"{LOWEST_DENSITY:.0%} to {HIGHEST_DENSITY:.0%}"
        text = f"{density:.1%} of the retina is vessel; fundus images have {usual}"
        warnings.append(ImageWarning("density-implausible", text))
    confidence = _confidence(found, prepared, thresholding, calibration)
    bound = (calibration or UNCALIBRATED).bound
    if confidence < bound:
        usual = "this model's maps usually have" if calibration else "maps of photographs usually have"
        text = f"the expected Dice is {confidence:.2f}; {usual} {bound:.2f} or more"
        warnings.append(ImageWarning("low-confidence", text))
    return Doubt(confidence, tuple(warnings))


def _confidence(
    found: VesselMap, prepared: Prepared, thresholding: Thresholding, calibration: Confidence | None
) -> float:
    """Return the confidence of the map as the model draws it, and of it what a user's threshold keeps.

    The calibration is measured at the model's thresholds. The expected Dice at its one threshold tells more
    of the true one than that at the map's own, which is the largest there is.
    """
    disc, angle = prepared.retina.disc, prepared.field_of_view
    own = found.threshold if thresholding.given is None else thresholding.own(found.counts)
    shape = shape_of(found.probability, found.roi, own, disc, angle)
    confidence = confidence_of(Evidence(found.counts, shape), thresholding.fixed, calibration)
    if found.threshold == own or not confidence:
        return confidence
    rule = thresholding.rule or MapThreshold()
    given, best = (expected_dice(found.counts, one, rule) for one in (found.threshold, own))
    return confidence * min(given / best, 1.0) if best else 0.0
