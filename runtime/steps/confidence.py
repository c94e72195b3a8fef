"""The Dice to be expected of a map, from its probabilities and the shape of its vessels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.model.parameters import Confidence, MapThreshold
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.levels import calibrated_levels, vessel_levels

_PIXELS_PER_DEGREE = 13.0
"""Scale at which the shape is measured: vessels are then 1 to 9 pixels wide, whatever the camera."""
_USUAL_ANGLE = 45.0
"""Degrees across the disc where the camera's angle is unknown."""
_LARGEST_SCALE = 2.0
"""Maps are magnified no further: of small images, the scale is smaller."""
_THIN = 5
"""Pixels at that scale: vessels narrower than this are thin; 0.4 degrees."""
_RIM = 11
"""Side in pixels of the square by which the retina is eroded: maps end at its rim."""
_LEAST_THIN = 1e-4
"""Added to the thin share, so that its logarithm is finite."""
_LEAST_DENSITY = 0.005
"""Added to the density of a quadrant for the same reason."""

UNCALIBRATED = Confidence(bound=0.65)
"""Stands in for a calibration that the spec lacks. Photographs have an expected Dice of 0.70 or more."""


SHAPE_TERMS = ("thin", "thin_squared", "distance", "steepness", "evenness")
"""Attributes of `Shape` that a calibration has a factor for, by the same names."""


@dataclass(frozen=True)
class Shape:
    """The shape of a map's vessels, at 13 pixels per degree.

    Attributes
    ----------
    thin : float
        Natural logarithm of the share of vessel pixels in thin vessels.
    distance : float
        Natural logarithm of 1 plus the mean distance in pixels from a place in the retina to a vessel.
    steepness : float
        Mean gradient of the probability on the border of vessels, per pixel.
    evenness : float
        Natural logarithm of the least density of vessels in a quadrant of the disc relative to the mean of
        the four, at most 0.
    """

    thin: float
    distance: float
    steepness: float
    evenness: float

    @property
    def thin_squared(self) -> float:
        """The square of `thin`."""
        return self.thin**2


@dataclass(frozen=True)
class Evidence:
    """What is measured of a map to tell its expected Dice.

    Attributes
    ----------
    counts : (LEVELS,) float64
        Pixels by their probability, from `level_counts`.
    shape : Shape
    """

    counts: NDArray[np.float64]
    shape: Shape


def shape_of(
    probability: NDArray[np.float32],
    roi: NDArray[np.bool_],
    threshold: float,
    disc: Disc,
    field_of_view: float | None = None,
) -> Shape:
    """Measure the shape of a map's vessels at one scale for all cameras.

    Blurred images give few and broad vessels whose probability falls off slowly, noisy and compressed ones
    give fragments, and uneven light leaves a part of the retina without vessels.

    Parameters
    ----------
    probability : (H, W) float32
        0 to 1.
    roi : (H, W) bool
        Where the map is defined.
    threshold : float
        Pixels at or above this probability count as vessel.
    disc : Disc
        The camera's field of view, in pixels of the map.
    field_of_view : float, optional
        Angle of the disc's diameter in degrees; 45 if left out.
    """
    scale = min(_PIXELS_PER_DEGREE * (field_of_view or _USUAL_ANGLE) / (2 * disc.radius), _LARGEST_SCALE)
    step = max(1, int(0.5 / scale))  # maps are smooth: this sample has twice the pixels that are needed
    rows, columns = (
        slice(max(0, int(center - disc.radius)), max(1, min(side, int(center + disc.radius) + 2)), step)
        for center, side in zip((disc.center_y, disc.center_x), roi.shape, strict=True)
    )
    sample = np.ascontiguousarray(probability[rows, columns])
    within = np.ascontiguousarray(roi[rows, columns]).view(np.uint8)
    height, width = (max(1, round(side * step * scale)) for side in sample.shape)
    how = cv2.INTER_AREA if scale * step < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(sample, (width, height), interpolation=how), np.float32)
    within = np.asarray(cv2.resize(within, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    erosion = np.ones((_RIM, _RIM), np.uint8)
    inside = np.asarray(cv2.erode(within, erosion, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)
    vessels = (small >= threshold).view(np.uint8) & inside
    area = cv2.countNonZero(vessels)
    border = vessels ^ np.asarray(cv2.erode(vessels, np.ones((3, 3), np.uint8)), np.uint8)
    broad = cv2.morphologyEx(vessels, cv2.MORPH_OPEN, np.ones((_THIN, _THIN), np.uint8))
    center = (disc.center_y - rows.start) * scale, (disc.center_x - columns.start) * scale
    return Shape(
        thin=math.log((area - cv2.countNonZero(broad)) / max(1, area) + _LEAST_THIN),
        distance=_distance(vessels, inside),
        steepness=_steepness(small, border),
        evenness=_evenness(vessels, inside, center),
    )


def _distance(vessels: NDArray[np.uint8], inside: NDArray[np.uint8]) -> float:
    """Return the logarithm of 1 plus the mean distance to a vessel, of a map without any its diagonal."""
    half = [max(1, side // 2) for side in reversed(vessels.shape)]  # a quarter of the work, the same mean
    without = cv2.resize(vessels * np.uint8(255), half, interpolation=cv2.INTER_AREA) == 0
    distances = cv2.distanceTransform(without.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    within = cv2.resize(inside, half, interpolation=cv2.INTER_NEAREST)
    return math.log1p(min(2 * cv2.mean(distances, within)[0], math.hypot(*vessels.shape)))


def _steepness(probability: NDArray[np.float32], border: NDArray[np.uint8]) -> float:
    """Return the mean of Sobel's gradient on the border of vessels, 0 where there is none."""
    border[[0, -1]] = border[:, [0, -1]] = 0  # has no neighbours on all sides
    at, line = np.flatnonzero(border), border.shape[1]
    if not at.size:
        return 0.0
    # at the border alone: a third of the work of `cv2.Sobel` on the whole map
    above, beside, below = (
        [probability.ravel()[at + row + step] for step in (-1, 0, 1)] for row in (-line, 0, line)
    )
    across = above[2] - above[0] + 2 * (beside[2] - beside[0]) + below[2] - below[0]
    down = below[0] - above[0] + 2 * (below[1] - above[1]) + below[2] - above[2]
    return float(np.hypot(across, down).mean()) / 8


def _evenness(vessels: NDArray[np.uint8], inside: NDArray[np.uint8], center: tuple[float, float]) -> float:
    """Return the logarithm of the least density of a quadrant relative to the mean, at most 0."""
    row, column = (min(max(0, round(at)), side) for at, side in zip(center, vessels.shape, strict=True))
    quadrants = [
        (slice(*down), slice(*across))
        for down in ((0, row), (row, None))
        for across in ((0, column), (column, None))
    ]
    densities = [
        cv2.countNonZero(vessels[part]) / cv2.countNonZero(inside[part])
        for part in quadrants
        if inside[part].any()
    ] or [0.0]
    return math.log((min(densities) + _LEAST_DENSITY) / (sum(densities) / len(densities) + _LEAST_DENSITY))


def confidence_of(evidence: Evidence, threshold: float, calibration: Confidence | None = None) -> float:
    """Return the Dice to be expected of a map, without a reference.

    This is the expected Dice by calibrated probabilities, corrected by the shape of the vessels and to the
    measured Dice by the coefficients of the calibration.

    Parameters
    ----------
    evidence : Evidence
    threshold : float
        The model's threshold, around which the thresholds of its maps lie; the shape is that of the map at
        its own.
    calibration : Confidence, optional
        From the model's spec.

    Returns
    -------
    float
        0 to 1; 0 for a map without vessels.
    """
    calibration = calibration or UNCALIBRATED
    expected = expected_dice(evidence.counts, threshold, calibration)
    if expected == 0:
        return 0.0
    shape: float = sum(getattr(calibration, term) * getattr(evidence.shape, term) for term in SHAPE_TERMS)
    return min(max(calibration.gain * expected + shape + calibration.bias, 0.0), 1.0)


def expected_dice(
    counts: NDArray[np.float64], threshold: float, calibration: Confidence | MapThreshold | None = None
) -> float:
    """Return the expected Dice of a map, from its probabilities alone.

    Let p be the calibrated probability that a pixel is vessel, and m the map at the threshold. The expected
    overlap is the sum of p m, and the expected size of the reference is the sum of p, so Dice is about
    2 sum(p m) / (sum(m) + sum(p)).

    Parameters
    ----------
    counts : (LEVELS,) float64
        By `level_counts`.
    threshold : float
        Pixels at or above this probability count as vessel.
    calibration : Confidence or MapThreshold, optional
        Its `slope` and `offset` calibrate the probabilities.

    Returns
    -------
    float
        0 to 1; 0 for a map without vessels.
    """
    calibration = calibration or UNCALIBRATED
    vessel, probability = vessel_levels(threshold), calibrated_levels(calibration.slope, calibration.offset)
    size = float(counts[vessel].sum() + counts @ probability)
    overlap = float(counts[vessel] @ probability[vessel])
    return 2 * overlap / size if overlap else 0.0
