"""Measure a segmentation: its vessels' density, calibre, tortuosity, dimension, junctions and ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError, OptionError
from retinagan.runtime.measures.dimension import dimension_in
from retinagan.runtime.measures.network import Network
from retinagan.runtime.measures.quantities import QUANTITIES, Scale
from retinagan.runtime.measures.regions import REGIONS, Regions
from retinagan.runtime.measures.segments import END, Segment, kinds_of_ends, segments_of
from retinagan.runtime.measures.tortuosity import Tortuosity
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.scale import check_field_of_view
from retinagan.runtime.steps.segment import Segmentation

Floats = NDArray[np.float64]
Value = float | int | None

_LARGEST_SPACING = 1.0  # millimetres; a retina has some 20 to 30
_SQUARE = 0.02  # share by which the spacings of rows and columns may differ


@dataclass(frozen=True)
class Measures:
    """What was measured on one map.

    Attributes
    ----------
    values : mapping of str to float, int or None
        By column, such as ``area_density`` and ``calibre_mean_pixels``. None where the map has nothing to
        measure it on, or where the unit is not known; never NaN.
    segments : tuple of Segment
        The vessels between junctions and ends.
    scale : Scale
        Degrees and millimetres per pixel, where known.
    """

    values: Mapping[str, Value]
    segments: tuple[Segment, ...]
    scale: Scale

    def __getitem__(self, column: str) -> Value:
        return self.values[column]


def measure(
    segmentation: Segmentation,
    *,
    field_of_view: float | None = None,
    pixel_spacing: float | Sequence[float] | None = None,
    every_measure: bool = False,
) -> Measures:
    """Measure the vessels of a segmentation.

    Needs scikit-image: ``pip install "retinagan[measure]"``. docs/measurements.md has the formula, source and
    unit of each measure, and how well models and experts agree on it.

    Parameters
    ----------
    segmentation : Segmentation
        Its `vessels`, `roi` and `disc` are used; without a disc, the smallest circle round `roi`.
    field_of_view : float, optional
        The angle of the disc's diameter in degrees, 10 to 220, if it is known. The angle in `segmentation`
        may be the model's assumption, so it is not used. Without it, no measure is in degrees.
    pixel_spacing : float or two floats, optional
        Millimetres on the retina from one pixel to the next, or those between rows and between columns,
        which must agree within 2 %. Without it, no measure is in millimetres.
    every_measure : bool
        Whether to include measures on which models agree much worse with an expert than a second expert does.

    Returns
    -------
    Measures

    Raises
    ------
    ImageError
        If the map and the region differ in shape, or the field of view is out of range.
    OptionError
        If scikit-image is missing, or the spacing is not that of square pixels of a retinal image.
    """
    vessels, roi = _checked(segmentation.vessels), _checked(segmentation.roi)
    if vessels.shape != roi.shape:
        raise ImageError(f"vessels {vessels.shape} and roi {roi.shape}; expected one shape")
    disc = segmentation.disc or _circle_round(roi)
    degrees = None
    if field_of_view is not None:
        check_field_of_view(field_of_view)
        degrees = field_of_view / (2 * disc.radius)
    scale = Scale(degrees, None if pixel_spacing is None else millimetres_of(pixel_spacing))
    plain, segments = _measured(vessels & roi, roi, disc)
    values = {
        column: value
        for quantity in QUANTITIES
        if quantity.default or every_measure
        for column, value in quantity.in_units(plain[quantity.name], scale)
    }
    return Measures(values, segments, scale)


def _measured(
    vessels: NDArray[np.bool_], roi: NDArray[np.bool_], disc: Disc
) -> tuple[dict[str, Value], tuple[Segment, ...]]:
    """Return the values of `QUANTITIES` in pixels, by name, and the segments."""
    regions, network = Regions(disc), Network.of(vessels)
    areas = [np.count_nonzero(roi), *regions.pixels(roi)]
    vessel_areas = [np.count_nonzero(vessels), *regions.pixels(vessels)]
    lengths = [network.steps.sum(), *regions.sums(network.centre, network.steps)]
    free = network.free()
    weights = network.steps * free
    mean, *percentiles = _distribution(network.calibre, weights)
    with np.errstate(invalid="ignore"):
        calibre = network.lines.sums(network.calibre * free) / network.lines.sums(free)
    tortuosity = Tortuosity.of(network, calibre, percentiles[1] or 0.0)
    at = kinds_of_ends(network, roi)
    fitted = dimension_in(vessels, disc)
    names = ["", *(f"_{region}" for region in REGIONS)]
    values: dict[str, Value] = {
        **{
            f"area_density{name}": _ratio(*pair)
            for name, *pair in zip(names, vessel_areas, areas, strict=True)
        },
        "length": float(lengths[0]),
        **{f"length_density{name}": _ratio(*pair) for name, *pair in zip(names, lengths, areas, strict=True)},
        "calibre_mean": mean,
        "calibre_10th_percentile": percentiles[0],
        "calibre_median": percentiles[1],
        "calibre_90th_percentile": percentiles[2],
        "arc_over_chord": _mean(tortuosity.arc_over_chord, tortuosity.arc),
        "curvature": _mean(tortuosity.curvature, tortuosity.curved),
        "box_dimension": fitted and fitted.dimension,
        "box_dimension_error": fitted and fitted.error,
        "segments": len(network),
        "junctions": len(network.junctions()),
        "end_points": int(np.count_nonzero(at == END)),
    }
    return values, tuple(segments_of(network, calibre, tortuosity, at, regions))


def _checked(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if mask.ndim != 2 or mask.dtype != np.bool_ or not mask.size:
        raise ImageError(f"got a map {mask.shape} {mask.dtype}; expected (height, width) bool")
    return np.ascontiguousarray(mask)


def millimetres_of(spacing: float | Sequence[float]) -> float:
    """Return the side of a pixel in millimetres.

    Raises
    ------
    OptionError
        If the spacing is not that of square pixels of a retinal image.
    """
    sides = [float(side) for side in np.atleast_1d(np.asarray(spacing, np.float64))]
    if not 1 <= len(sides) <= 2 or not all(0 < side <= _LARGEST_SPACING for side in sides):
        raise OptionError(
            f"pixel spacing {spacing!r}; expected millimetres on the retina between 0 and "
            f"{_LARGEST_SPACING:g}, such as 0.008"
        )
    if max(sides) > (1 + _SQUARE) * min(sides):
        raise OptionError(f"pixel spacing {spacing!r}; only square pixels can be measured")
    return math.sqrt(sides[0] * sides[-1])


def _circle_round(roi: NDArray[np.bool_]) -> Disc:
    """Return the smallest circle round a region."""
    rows = np.flatnonzero(roi.any(axis=1))
    if not len(rows):
        height, width = roi.shape
        return Disc((width - 1) / 2, (height - 1) / 2, max(height, width) / 2)
    first = roi[rows].argmax(axis=1)
    last = roi.shape[1] - 1 - roi[rows, ::-1].argmax(axis=1)
    points = np.stack([np.concatenate([first, last]), np.tile(rows, 2)], axis=1).astype(np.float32)
    (x, y), radius = cv2.minEnclosingCircle(points)
    return Disc(float(x), float(y), max(float(radius), 0.5))


def _ratio(value: float, whole: float) -> float | None:
    return float(value) / float(whole) if whole else None


def _mean(values: Floats, weights: Floats) -> float | None:
    """Return the mean of those values that are known, or None without any."""
    known = ~np.isnan(values)
    return _ratio(float((values[known] * weights[known]).sum()), float(weights[known].sum()))


def _distribution(values: Floats, weights: Floats) -> tuple[Value, Value, Value, Value]:
    """Return the weighted mean and the 10th, 50th and 90th percentiles."""
    order = np.argsort(values)
    order = order[weights[order] > 0]
    if not len(order):
        return None, None, None, None
    values, weights = values[order], weights[order]
    middles = np.cumsum(weights) - weights / 2
    low, median, high = np.interp(np.array([0.1, 0.5, 0.9]) * weights.sum(), middles, values)
    return float(values @ weights / weights.sum()), float(low), float(median), float(high)
