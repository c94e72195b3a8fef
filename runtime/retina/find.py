"""Find the retina in a fundus image: a threshold finds it, a circle fitted to its border makes it a disc.

A working copy with a long side of 512 pixels is cut at several thresholds between the margin's level and
the retina's. A circle is fitted to the border of each piece, leaving out what lies on the frame's edge.
The circle with the strongest step from bright to dark along its rim wins. Where no circle explains the
picture (the retina fills the frame, or its field is no disc), the bright region itself is the mask.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError, NoRetinaError
from retinagan.runtime.retina.disc import Disc, Rim, fit_disc, look_at_rim, sharpen_disc
from retinagan.runtime.retina.plausibility import refuse_empty, refuse_implausible

__all__ = ["SMALLEST_SIDE", "Disc", "Retina", "find_retina"]

SMALLEST_SIDE = 32
"""Images with a shorter side than this (pixels) are refused: no vessel could be seen in them."""

_WORKING_SIDE = 512
_THRESHOLDS = 12

Gray = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Retina:
    """Where the retina is in an image.

    Parameters
    ----------
    mask : (H, W) bool
        The retina: one piece without holes.
    disc : Disc
        The camera's field of view; may reach outside the frame where the frame cuts it.
    """

    mask: Mask
    disc: Disc


def find_retina(image: NDArray[np.uint8]) -> Retina:
    """Find the region of interest of a fundus image.

    A disc is accepted whatever its colour; of pictures without one some are refused, see `plausibility`.
    A white margin is read as a dark one.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB, at least `SMALLEST_SIDE` pixels a side.

    Returns
    -------
    Retina
        The mask at the image's own size, and the disc. If the retina fills the frame, the mask is the
        whole frame and the disc is the circle round it.

    Raises
    ------
    ImageError
        If the array is not (H, W, 3) uint8.
    NoRetinaError
        If the picture cannot show a retina.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ImageError(f"got an array {image.shape} {image.dtype}; expected (height, width, 3) uint8 RGB")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_SIDE or max(height, width) > 16 * min(height, width):
        raise NoRetinaError(
            f"the image is {width}x{height} pixels (width x height); "
            f"expected at least {SMALLEST_SIDE} a side and no side 16 times the other"
        )
    small = _working_copy(image)
    signal = _signal(small)
    refuse_empty(image, signal)
    found = _find_disc(_without_white_margin(small, signal))
    scale_x, scale_y = width / signal.shape[1], height / signal.shape[0]
    if found is not None:
        disc, hidden = found
        native = disc.scaled(scale_x, scale_y)
        mask = native.drawn((height, width))
        if hidden.any():
            mask = _main_piece(mask & ~_resized(hidden, (height, width)))
        return Retina(mask, native)
    region = _bright_region(signal)
    refuse_implausible(small, region)
    mask = _resized(region, (height, width))
    return Retina(mask, _circle_round(region).scaled(scale_x, scale_y))


def _working_copy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image with a long side of 512 pixels, so that all lengths below hold at any size."""
    height, width = image.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    # linear interpolation skips no pixel down to half the size, and takes a sixth of the time
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if scale >= 0.5 else cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)


def _signal(small: NDArray[np.uint8]) -> Gray:
    """Return the brightest channel, freed of noise and thin lettering."""
    red, green, blue = cv2.split(small)
    brightest = cv2.medianBlur(cv2.max(cv2.max(red, green), blue), 5)
    return cv2.GaussianBlur(brightest, (0, 0), 1.0).astype(np.float32)


def _without_white_margin(small: NDArray[np.uint8], signal: Gray) -> Gray:
    """Return the signal with white made black, where it lines most of the frame's edge and touches it."""
    red, green, blue = cv2.split(small)
    white = (cv2.min(cv2.min(red, green), blue) >= 235).view(np.uint8)
    if _edge(white).mean() <= 0.6:
        return signal
    _, labels = cv2.connectedComponents(white)
    touching = np.unique(_edge(labels))
    margin = np.isin(labels, touching[touching > 0]).astype(np.uint8)
    return np.where(cv2.dilate(margin, np.ones((5, 5), np.uint8)) > 0, np.float32(0), signal)


def _edge(array: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def _find_disc(signal: Gray) -> tuple[Disc, Mask] | None:
    """Return the disc that explains the picture best, and the parts of it that the camera hides."""
    radii = (0.06 * max(signal.shape), 0.75 * float(np.hypot(*signal.shape)))
    best_score, best = 0.0, None
    for threshold in _thresholds(signal):
        piece = _main_piece(_opened(signal > threshold, 5))
        rough = fit_disc(_border_points(piece), radii)
        if rough is None:
            continue
        disc = sharpen_disc(signal, rough, radii)
        rim = look_at_rim(signal, disc)
        drawn = disc.drawn(signal.shape)
        agreement = float((piece & drawn).sum() / max(1, (piece | drawn).sum()))
        if rim.contrast * agreement > best_score and _is_field_of_view(signal, disc, rim, agreement):
            best_score, best = rim.contrast * agreement, disc
            if rim.contrast > 0.6 and rim.support > 0.97 and agreement > 0.97:
                break  # nearly all images end here at the first threshold
    if best is None:
        return None
    for _ in range(3):  # a coarse picture's rim is wider than one search reaches
        rough, best = best, sharpen_disc(signal, best, radii)
        if max(abs(a - b) for a, b in zip(astuple(rough), astuple(best), strict=True)) < 0.02:
            break
    return best, _hidden_parts(signal, best)


def _is_field_of_view(signal: Gray, disc: Disc, rim: Rim, agreement: float) -> bool:
    """Tell a field of view from a bright spot in the retina: beyond its rim it is dark, nearly all round.

    `agreement` is the share that the disc and the bright piece have in common.
    """
    if rim.contrast < 0.08 or rim.support < 0.4 or rim.visible * rim.support < 0.02 or agreement < 0.75:
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


def _hidden_parts(signal: Gray, disc: Disc) -> Mask:
    """Return the parts of the disc as dark as the margin, open on its rim and sharply bounded.

    These are notches and straight cuts. Retina that fades into the dark is bounded softly, and stays.
    """
    rim = look_at_rim(signal, disc)
    step = rim.inside - rim.outside
    if step < 20:  # too faint to tell a notch from a vessel that leaves over the rim
        return np.zeros(signal.shape, np.bool_)
    level = rim.outside + max(4.0, 0.12 * step)
    dark = _opened(disc.drawn(signal.shape) & (signal < level), max(3, round(0.04 * disc.radius)))
    core = Disc(disc.center_x, disc.center_y, 0.97 * disc.radius).drawn(signal.shape)
    hidden = np.zeros_like(dark)
    count, labels = cv2.connectedComponents(dark.view(np.uint8))
    for label in range(1, count):
        part = labels == label
        inner, outer = (cv2.dilate(part.view(np.uint8), np.ones((n, n), np.uint8)) > 0 for n in (9, 13))
        around = signal[outer & ~inner & core]
        open_on_rim = bool((part & ~core).any())
        if open_on_rim and around.size and np.median(around) > rim.outside + 0.5 * step:
            hidden |= part
    return hidden


def _thresholds(signal: Gray) -> NDArray[np.float64]:
    """Return grey levels from just above the darkest to just below the brightest, the middle ones first.

    Their ratios are equal. At the middle levels margin and retina fall apart in nearly all images.
    """
    darkest, brightest = float(signal.min()), float(np.percentile(signal[::2, ::2], 95))
    low, high = darkest + 3.0, max(darkest + 4.0, 0.8 * brightest)
    levels = np.geomspace(low, high, _THRESHOLDS, dtype=np.float64)
    return levels[np.argsort(np.abs(np.arange(_THRESHOLDS) - (_THRESHOLDS - 1) // 2), kind="stable")]


def _opened(mask: Mask, size: int) -> Mask:
    """Remove what is thinner than `size` pixels; the frame's edge does not erode what it cuts."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    padded = cv2.copyMakeBorder(mask.view(np.uint8), size, size, size, size, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, kernel)
    return np.ascontiguousarray(opened[size:-size, size:-size]).view(np.bool_)


def _main_piece(mask: Mask) -> Mask:
    """Return the largest connected piece of the mask with its holes filled."""
    contours, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.view(np.bool_)


def _border_points(piece: Mask) -> NDArray[np.float64]:
    """Return the (x, y) border points of a piece, at most 400, without those on the frame's edge."""
    contours, _ = cv2.findContours(piece.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return np.empty((0, 2))
    points: NDArray[np.float64] = np.concatenate(contours)[:, 0].astype(np.float64)
    height, width = piece.shape
    x, y = points[:, 0], points[:, 1]
    points = points[(x > 2) & (x < width - 3) & (y > 2) & (y < height - 3)]
    return points[:: -(-len(points) // 400) or 1]


def _bright_region(signal: Gray) -> Mask:
    """Return the largest region not far darker than the picture's bright part; all of it if it is bright."""
    level = max(8.0, 0.25 * float(np.percentile(signal, 75)))
    return _main_piece(_opened(signal > level, 9))


def _circle_round(region: Mask) -> Disc:
    points = np.argwhere(region)[:, ::-1]
    hull = cv2.convexHull(points.astype(np.int32))
    (x, y), radius = cv2.minEnclosingCircle(hull)
    return Disc(float(x), float(y), float(radius))


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    levels = cv2.resize(mask.view(np.uint8) * np.uint8(255), shape[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(levels >= 128)
