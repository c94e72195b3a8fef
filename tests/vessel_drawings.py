"""Vessel maps of exact geometry: centrelines of known length and bends, and known width, at any size."""

from dataclasses import dataclass

import cv2
import numpy as np

from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.segment import Segmentation


@dataclass(frozen=True)
class DrawnVessel:
    """A vessel; lengths are shares of the field's diameter, the field's centre is (0, 0).

    `points` are (n, 2) places (x, y) along the centreline, close together; `width` is one number.
    """

    points: np.ndarray
    width: float

    @property
    def length(self) -> float:
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    @property
    def arc_over_chord(self) -> float:
        return self.length / float(np.hypot(*(self.points[-1] - self.points[0])))

    @property
    def curvature(self) -> float:
        """Mean absolute curvature, radians per diameter."""
        steps = np.diff(self.points, axis=0)
        angles = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
        return float(np.abs(np.diff(angles)).sum() / self.length)


def line(start, end, width: float) -> DrawnVessel:
    return DrawnVessel(np.linspace(start, end, 2000), width)


def arc(centre, radius: float, degrees: tuple[float, float], width: float) -> DrawnVessel:
    angles = np.deg2rad(np.linspace(*degrees, 2000))
    return DrawnVessel(np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1), width)


def wave(start, end, height: float, waves: float, width: float) -> DrawnVessel:
    """A sine round the line from start to end."""
    start, end = np.array(start, float), np.array(end, float)
    share = np.linspace(0, 1, 4000)[:, None]
    along = end - start
    across = np.array([-along[1], along[0]]) / np.hypot(*along)
    return DrawnVessel(start + share * along + height * np.sin(2 * np.pi * waves * share) * across, width)


def draw(vessels: list[DrawnVessel], size: int, margin: float = 0.02) -> Segmentation:
    """Draw vessels into a round field in a square picture of `size` pixels: what is nearer than half a width.

    Pixels are sampled at their centres, without antialiasing, as in a map.
    """
    diameter = size * (1 - 2 * margin)
    middle = (size - 1) / 2
    drawn = np.zeros((size, size), bool)
    for vessel in vessels:
        points, width = middle + diameter * vessel.points, diameter * vessel.width
        drawn |= _tube(points, width / 2, drawn.shape)
    disc = Disc(middle, middle, diameter / 2)
    roi = disc.drawn(drawn.shape)
    vessel_map = drawn & roi
    return Segmentation(vessel_map.astype(np.float32), vessel_map, roi, {}, disc=disc)


def _tube(points: np.ndarray, radius: float, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels whose centres are no farther from a polyline than `radius`."""
    from scipy.spatial import cKDTree

    near = np.zeros(shape, np.uint8)
    corners = np.rint(points * 16).astype(np.int32)
    cv2.polylines(near, [corners], False, 1, int(2 * radius) + 5, cv2.LINE_8, 4)
    y, x = np.nonzero(near)
    steps = np.hypot(*np.diff(points, axis=0).T)
    along = np.concatenate([[0], np.cumsum(steps)])
    dense = np.linspace(0, along[-1], int(along[-1] * 4) + 2)
    curve = np.stack([np.interp(dense, along, axis) for axis in points.T], axis=1)
    distance, _ = cKDTree(curve).query(np.stack([x, y], axis=1), distance_upper_bound=radius)
    tube = np.zeros(shape, bool)
    tube[y[np.isfinite(distance)], x[np.isfinite(distance)]] = True
    return tube
