"""Vessel trees to pixels: the light that blood takes away, the reflex on it, the truth."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from synthetic_vessels import FOVEA, Vessel

LABELLED_WIDTH = 0.075  # degrees; an expert marks no vessel finer than this on a 45 degree picture
_COLUMN = 0.92  # the blood column's share of a vessel's width; its wall is transparent
_PROFILE = ((1.0, 0.45), (0.85, 0.72), (0.6, 0.9), (0.35, 1.0))  # nested widths, share of the depth within
_FULL = 200  # grey level of optical density 1 on the canvas


@dataclass(frozen=True)
class View:
    """How degrees fall on pixels.

    Attributes
    ----------
    height, width : int
        Size of the frame.
    scale : tuple of float
        Pixels per degree along x and y; negative along x for a left eye.
    origin : tuple of float
        Pixel (x, y) of the optic disc's centre.
    """

    height: int
    width: int
    scale: tuple[float, float]
    origin: tuple[float, float]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Pixel coordinates of (n, 2) points in degrees."""
        return points * self.scale + self.origin

    def degrees(self) -> tuple[np.ndarray, np.ndarray]:
        """Degrees along x and y of each pixel, two arrays (1, width) and (height, 1) float32."""
        x = (np.arange(self.width, dtype=np.float32) - self.origin[0]) / self.scale[0]
        y = (np.arange(self.height, dtype=np.float32) - self.origin[1]) / self.scale[1]
        return x[None, :].astype(np.float32), y[:, None].astype(np.float32)


@dataclass(frozen=True)
class DrawnVessels:
    """Vessels on the frame, each (height, width).

    Attributes
    ----------
    veins, arteries : ndarray, float32
        Optical density of the blood in green light.
    reflex : ndarray, float32
        Share of the density that the light reflex along a vessel's middle takes back.
    truth : ndarray, bool
        Union of all vessels at least one pixel and LABELLED_WIDTH wide.
    """

    veins: np.ndarray
    arteries: np.ndarray
    reflex: np.ndarray
    truth: np.ndarray


class _Canvas:
    """Collects strokes and paints them, on several pixels for one of the frame, the strongest uppermost."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._fine = 4 if abs(view.scale[0]) < 18 else 2
        self._strokes: dict[tuple[int, int], list[np.ndarray]] = {}

    def stroke(self, points: np.ndarray, width: np.ndarray, value: np.ndarray) -> None:
        """Add a line through (n, 2) pixels with (n,) widths in pixels and (n,) grey levels."""
        thickness = width * self._fine
        thin = np.minimum(thickness, 1)  # a line is never thinner than one fine pixel: paler instead
        sizes = np.maximum(np.rint(thickness), 1).astype(int)
        values = np.rint(value * thin / 4).astype(int) * 4
        corners = np.rint(((points + 0.5) * self._fine - 0.5) * 16).astype(np.int32)
        ends = np.r_[0, np.flatnonzero(np.diff(sizes) | np.diff(values)) + 1, len(points) - 1]
        for first, last in pairwise(ends):
            line = corners[first : last + 1]
            self._strokes.setdefault((int(values[first]), int(sizes[first])), []).append(line)

    def paint(self) -> np.ndarray:
        """Return the frame, (height, width) float32, 0 to 255."""
        height, width = self._view.height, self._view.width
        fine = np.zeros((height * self._fine, width * self._fine), np.uint8)
        for (value, size), lines in sorted(self._strokes.items(), key=lambda item: item[0]):
            if value > 0:
                cv2.polylines(fine, lines, False, value, size, cv2.LINE_8, 4)
        return cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)


def draw_vessels(rng: np.random.Generator, vessels: list[Vessel], view: View) -> DrawnVessels:
    """Draw vessels on a frame.

    Parameters
    ----------
    rng : numpy.random.Generator
    vessels : list of Vessel
    view : View

    Returns
    -------
    DrawnVessels
    """
    scale = abs(view.scale[0])
    canvases = {name: _Canvas(view) for name in ("veins", "arteries", "reflex", "truth")}
    for vessel in vessels:
        points = view.pixels(vessel.points)
        width = vessel.width * scale
        density = _density(vessel)
        for share, depth in _PROFILE:
            canvas = canvases["arteries" if vessel.artery else "veins"]
            canvas.stroke(points, width * _COLUMN * share, density * depth * _FULL)
        shine = cv2.GaussianBlur(rng.normal(0, 1.2, (len(width), 1)), (0, 0), 3)[:, 0] + 1
        shine *= np.clip((vessel.width - 0.17) / 0.15, 0, 1) * (1.0 if vessel.artery else 0.3)
        canvases["reflex"].stroke(points, width * 0.34, np.clip(shine, 0, 1.6) * 150)
        labelled = np.where((width >= 1) & (vessel.width >= LABELLED_WIDTH), 255, 0)
        canvases["truth"].stroke(points, width, labelled)
    drawn = {name: canvas.paint() for name, canvas in canvases.items()}
    reflex = drawn["reflex"] / 255
    return DrawnVessels(drawn["veins"] / _FULL, drawn["arteries"] / _FULL, reflex, drawn["truth"] >= 128)


def _density(vessel: Vessel) -> np.ndarray:
    """Optical density in green light: less in arteries, fine vessels, periphery and cup."""
    density = (0.44 if vessel.artery else 0.54) * (vessel.width / 0.6) ** 0.55
    density *= 1 - 0.25 * np.clip(np.hypot(*(vessel.points - FOVEA).T) / 12 - 1, 0, 1)
    if np.hypot(*vessel.points[0]) < 2:
        density *= np.clip(np.hypot(*(vessel.points - vessel.points[0]).T) + 0.15, 0, 1)
    return np.minimum(density, 1)
