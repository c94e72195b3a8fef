"""Circles in images: fit them to border points, refine them on the image, and draw them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

RAYS = 360
"""Number of directions in which a disc's rim is sampled."""

_TRIPLES = 150
_FIT_TOLERANCE = 0.012  # of the radius: lens distortion bends real rims by up to one per cent


@dataclass(frozen=True)
class Disc:
    """A circle in pixel coordinates: the centre of the first pixel is (0, 0), x runs right, y down.

    Parameters
    ----------
    center_x, center_y : float
        Centre, in pixels; it may lie outside the frame.
    radius : float
        Radius, in pixels; above 0.
    """

    center_x: float
    center_y: float
    radius: float

    def scaled(self, scale_x: float, scale_y: float) -> Disc:
        """Return the disc as it lies in the image resized by these factors (the radius by their mean)."""
        return Disc(
            (self.center_x + 0.5) * scale_x - 0.5,
            (self.center_y + 0.5) * scale_y - 0.5,
            self.radius * (scale_x + scale_y) / 2,
        )

    def drawn(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the part of the disc inside a frame of this (height, width) as a bool mask."""
        rows, columns = np.arange(shape[0]), np.arange(shape[1])
        square = self.radius**2 - (rows - self.center_y) ** 2
        half_chord = np.where(square >= 0, np.sqrt(np.abs(square)), -1)
        return np.asarray(np.abs(columns - self.center_x)[None, :] <= half_chord[:, None])


@dataclass(frozen=True)
class Rim:
    """What an image shows along a disc's rim, in the `RAYS` directions whose rim lies in the frame.

    Parameters
    ----------
    contrast : float
        Mean over the directions of (inside - outside) / (inside + outside), negative values counted as 0.
    support : float
        Share of the directions with a clear step from bright to dark; 0 to 1.
    visible : float
        Share of all directions whose rim lies in the frame; 0 to 1.
    inside, outside : float
        Median grey level just inside and just outside the rim.
    """

    contrast: float
    support: float
    visible: float
    inside: float
    outside: float


_NO_RIM = Rim(0.0, 0.0, 0.0, 0.0, 0.0)


def fit_disc(points: NDArray[np.float64], radii: tuple[float, float]) -> Disc | None:
    """Fit a circle to border points, many of which may be outliers.

    Random sample consensus (Fischler and Bolles 1981, doi:10.1145/358669.358692) with a fixed seed,
    then least squares on the points that agree.

    Parameters
    ----------
    points : (N, 2) float64
        Border points (x, y), in pixels.
    radii : (smallest, largest)
        Smallest and largest plausible radius, in pixels.

    Returns
    -------
    Disc or None
        None if no circle of a plausible radius passes through at least eight of the points.
    """
    if len(points) < 8:
        return None
    random = np.random.default_rng(0)
    x, y, radius = _circles_through(points[random.integers(len(points), size=(_TRIPLES, 3))])
    sensible = (radius >= radii[0]) & (radius <= radii[1])
    if not sensible.any():
        return None
    x, y, radius = x[sensible, None], y[sensible, None], radius[sensible, None]
    distance = np.abs(np.hypot(points[None, :, 0] - x, points[None, :, 1] - y) - radius)
    agreement = (distance <= np.maximum(1.5, _FIT_TOLERANCE * radius)).sum(axis=1)
    best = int(agreement.argmax())
    return _least_squares(points, Disc(float(x[best, 0]), float(y[best, 0]), float(radius[best, 0])), radii)


def sharpen_disc(signal: NDArray[np.float32], disc: Disc, radii: tuple[float, float]) -> Disc:
    """Refine an approximate disc: move its rim onto the steepest descent of the image.

    Parameters
    ----------
    signal : (H, W) float32
        Grey levels, bright inside the disc.
    disc : Disc
        The approximate disc. The search for its rim covers 4 % of the radius on either side.
    radii : (smallest, largest)
        Smallest and largest plausible radius, in pixels.
    """
    reach = max(3.0, 0.04 * disc.radius)
    offsets = np.arange(-reach, reach + 0.25, 0.5)
    profile, known = _profiles(signal, disc, offsets)
    step = 3  # a step over 1.5 px on either side, against noise
    descent = profile[:, : -2 * step] - profile[:, 2 * step :]
    descent[~(known[:, : -2 * step] & known[:, 2 * step :])] = 0
    found = descent.max(axis=1)
    plain = found > 2.0
    if plain.sum() < 24:
        return disc
    plain &= found > 0.3 * np.median(found[plain])
    steepest = descent >= 0.9 * np.maximum(found, 1e-6)[:, None]  # its middle, where it is a plateau
    radius = disc.radius + ((steepest @ offsets[step:-step]) / np.maximum(steepest.sum(axis=1), 1))[plain]
    angles = _angles()[plain]
    points = np.stack(
        [disc.center_x + radius * np.cos(angles), disc.center_y + radius * np.sin(angles)], axis=1
    )
    start = Disc(disc.center_x, disc.center_y, float(np.median(radius)))
    return _least_squares(points, start, radii) or disc


def look_at_rim(signal: NDArray[np.float32], disc: Disc) -> Rim:
    """Measure the step from bright to dark along a disc's rim.

    `signal` is (H, W) float32, 0 to 255.
    """
    gap = max(2.0, 0.015 * disc.radius)
    levels, known = _profiles(signal, disc, np.array([-2 * gap, -gap, gap, 2 * gap]))
    seen = known.all(axis=1)
    if not seen.any():
        return _NO_RIM
    inside, outside = levels[seen, :2].mean(axis=1), levels[seen, 2:].mean(axis=1)
    contrast = np.maximum(inside - outside, 0) / (inside + outside + 4)  # 4 levels: noise is no contrast
    return Rim(
        contrast=float(contrast.mean()),
        support=float((contrast > 0.1).mean()),
        visible=float(seen.mean()),
        inside=float(np.median(inside)),
        outside=float(np.median(outside)),
    )


def _angles() -> NDArray[np.float64]:
    return np.linspace(0, 2 * np.pi, RAYS, endpoint=False, dtype=np.float64)


def _profiles(
    signal: NDArray[np.float32], disc: Disc, offsets: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the levels at radius + offsets for all rays, (RAYS, offsets), and which lie in the frame."""
    angles, radius = _angles()[:, None], disc.radius + offsets[None, :]
    x = (disc.center_x + radius * np.cos(angles)).astype(np.float32)
    y = (disc.center_y + radius * np.sin(angles)).astype(np.float32)
    levels = cv2.remap(signal, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    height, width = signal.shape
    return np.asarray(levels, np.float32), (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)


def _circles_through(
    triples: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return x, y, radius of the circles through (N, 3, 2) points; radius 0 where three lie on a line."""
    first = triples[:, 0]
    b, c = triples[:, 1] - first, triples[:, 2] - first
    double_area = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
    on_a_line = np.abs(double_area) < 1e-9
    double_area[on_a_line] = 1
    b2, c2 = (b**2).sum(axis=1), (c**2).sum(axis=1)
    x = (c[:, 1] * b2 - b[:, 1] * c2) / double_area
    y = (b[:, 0] * c2 - c[:, 0] * b2) / double_area
    radius = np.where(on_a_line, 0, np.hypot(x, y))
    return x + first[:, 0], y + first[:, 1], radius


def _least_squares(points: NDArray[np.float64], disc: Disc, radii: tuple[float, float]) -> Disc | None:
    """Refit the disc to the points near it by Kasa's linear least squares, four times."""
    for _ in range(4):
        offset = points - (disc.center_x, disc.center_y)
        near = np.abs(np.hypot(offset[:, 0], offset[:, 1]) - disc.radius) <= max(
            1.5, _FIT_TOLERANCE * disc.radius
        )
        if near.sum() < 8:
            return None
        x, y = offset[near, 0], offset[near, 1]
        system = np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1)
        (dx, dy, constant), *_ = np.linalg.lstsq(system, x**2 + y**2, rcond=None)
        square = constant + dx**2 + dy**2
        if not radii[0] ** 2 <= square <= radii[1] ** 2:
            return None
        disc = Disc(disc.center_x + float(dx), disc.center_y + float(dy), float(np.sqrt(square)))
    return disc
